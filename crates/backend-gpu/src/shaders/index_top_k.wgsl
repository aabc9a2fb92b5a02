// Chooses for each token the TOP_K rows with the largest scores, exactly: of equal scores the lower
// row. A workgroup for each token.
//
// Scores become integers of the same order. Four passes over eight bits each find the smallest
// chosen one and how many of its equals are chosen; then every thread writes the choices of a
// stretch of rows, behind those of the stretches in front, so rows come out ascending.
struct Parameters {
    // The token's row in the selection.
    first_row: u32,
    first_position: u32,
    ratio: u32,
    top_k: u32,
    // Scores kept for each token.
    n_scores: u32,
}
var<immediate> p: Parameters;

// [n, 1 + top_k]: number of rows, then the rows
@group(0) @binding(0) var<storage, read_write> selection: array<u32>;
// [tokens of the run, n_scores]
@group(0) @binding(1) var<storage, read> scores: array<f32>;

var<workgroup> counts: array<atomic<u32>, 256>;
// What the passes have found of the smallest chosen key, and what is still to be chosen of it.
var<workgroup> found_key: u32;
var<workgroup> found_rest: u32;
// Per thread: rows above that key, and its equals.
var<workgroup> n_above: array<u32, 256>;
var<workgroup> n_equal: array<u32, 256>;

// Larger scores have larger keys.
fn key_at(index: u32) -> u32 {
    let bits = bitcast<u32>(scores[index]);
    return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
}

// Fixes eight more bits of the key of the last chosen row.
fn narrow(first: u32, visible: u32, shift: u32, thread: u32) {
    atomicStore(&counts[thread], 0u);
    workgroupBarrier();
    let known = found_key;
    let mask = select(0xffffffffu << (shift + 8u), 0u, shift == 24u);
    for (var i = thread; i < visible; i += 256u) {
        let key = key_at(first + i);
        if (key & mask) == known {
            atomicAdd(&counts[(key >> shift) & 255u], 1u);
        }
    }
    workgroupBarrier();
    if thread == 0u {
        var rest = found_rest;
        var digit = 255u;
        var count = atomicLoad(&counts[digit]);
        while count < rest {
            rest -= count;
            digit -= 1u;
            count = atomicLoad(&counts[digit]);
        }
        found_key = known | (digit << shift);
        found_rest = rest;
    }
    workgroupBarrier();
}

// Writes the choices among `rows`; `above` and `equal` were counted in front.
fn write_choices(out: u32, first: u32, rows: vec2<u32>, above: u32, equal: u32) {
    var n_written = above + min(equal, found_rest);
    var rank = equal;
    for (var i = rows.x; i < rows.y; i++) {
        let key = key_at(first + i);
        let is_equal = key == found_key;
        if key > found_key || (is_equal && rank < found_rest) {
            selection[out + 1u + n_written] = i;
            n_written += 1u;
        }
        rank += u32(is_equal);
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let visible = (p.first_position + workgroup.x + 1u) / p.ratio;
    let out = (p.first_row + workgroup.x) * (1u + p.top_k);
    if thread == 0u {
        selection[out] = min(visible, p.top_k);
        found_key = 0u;
        found_rest = p.top_k;
    }
    if visible <= p.top_k {
        for (var i = thread; i < visible; i += 256u) {
            selection[out + 1u + i] = i;
        }
        return;
    }
    let first = workgroup.x * p.n_scores;
    workgroupBarrier();
    narrow(first, visible, 24u, thread);
    narrow(first, visible, 16u, thread);
    narrow(first, visible, 8u, thread);
    narrow(first, visible, 0u, thread);

    let stretch = (visible + 255u) / 256u;
    let rows = vec2<u32>(min(thread * stretch, visible), min((thread + 1u) * stretch, visible));
    var above = 0u;
    var equal = 0u;
    for (var i = rows.x; i < rows.y; i++) {
        let key = key_at(first + i);
        above += u32(key > found_key);
        equal += u32(key == found_key);
    }
    n_above[thread] = above;
    n_equal[thread] = equal;
    workgroupBarrier();
    above = 0u;
    equal = 0u;
    for (var i = 0u; i < thread; i++) {
        above += n_above[i];
        equal += n_equal[i];
    }
    write_choices(out, first, rows, above, equal);
}
