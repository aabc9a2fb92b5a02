// Stores everything that one decoded token leaves for later ones. Workgroups have different tasks:
// the raw row, the row of a compressor's window that closes, the same for the indexer's, keeping the
// inputs of either for later windows, and rounding a head of the index queries.
//
// What a closing window reads of the state is never the slot that is written for this token.
struct Parameters {
    first_row: u32,
    first_position: u32,
    // Rows of the ring.
    capacity: u32,
    ratio: u32,
    // Rotated channel pairs at the end of a row.
    n_pairs: u32,
    norm_eps: f32,
    // Whether a window closes whose row is not stored yet.
    closes: u32,
    // Where its rows go.
    compressed_row: u32,
    index_row: u32,
    // Slots of the states.
    n_slots: u32,
    n_index_slots: u32,
    // Workgroups that keep inputs.
    n_blocks: u32,
    n_index_blocks: u32,
    n_index_heads: u32,
}
var<immediate> p: Parameters;

// [n, WIDTH]
@group(0) @binding(1) var<storage, read> kv: array<f32>;
// [WIDTH]
@group(0) @binding(2) var<storage, read> kv_gain: array<f32>;
// [n, n_pairs]: cosine and sine at the row's position
@group(0) @binding(3) var<storage, read> angles: array<vec2<f32>>;
// [n_pairs]: the same at the first position of the window that closes
@group(0) @binding(4) var<storage, read> row_angles: array<vec2<f32>>;

fn store_raw(thread: u32) {
    var squares: array<f32, SUMS>;
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        let value = kv[p.first_row * WIDTH + i];
        row_values[i] = value;
        squares[0] += value * value;
    }
    team_sums(&squares, thread);
    let scale = 1.0 / sqrt(squares[0] / f32(WIDTH) + p.norm_eps);
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        row_values[i] *= scale * kv_gain[i];
    }
    workgroupBarrier();
    for (var pair = thread; pair < p.n_pairs; pair += WORKGROUP) {
        turn_pair(pair, angles[p.first_row * p.n_pairs + pair]);
    }
    pack_row(p.first_position % p.capacity, thread);
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let task = workgroup.x;
    let first_index_block = 3u + p.n_blocks;
    let first_head = first_index_block + p.n_index_blocks;
    if task == 0u {
        store_raw(thread);
    } else if task == 1u {
        if p.closes == 1u {
            compressed_close(p.compressed_row, p.n_slots, thread);
        }
    } else if task == 2u {
        if p.closes == 1u {
            index_close(p.index_row, p.n_index_slots, thread);
        }
    } else if task < first_index_block {
        compressed_remember((task - 3u) * WORKGROUP + thread, p.n_slots);
    } else if task < first_head {
        index_remember((task - first_index_block) * WORKGROUP + thread, p.n_index_slots);
    } else {
        index_round_query(task - first_head, thread);
    }
}
