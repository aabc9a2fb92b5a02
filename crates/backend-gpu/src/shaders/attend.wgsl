// Attention of a token over its window and its compressed rows.
//
// All heads share the one K = V row of a position, so a workgroup decodes SUMS rows into its
// memory and lets HEADS heads at once use them, twice: for the scores and for the weighted sum.
// A team of TEAM threads is a head; its threads hold the query and the sum, every TEAM-th channel
// each. Softmax is running: sums are scaled down when a larger score turns up. The sink is where
// the maximum begins, so there is always one.
//
// With few tokens there are few workgroups, so a token's rows are split over several, whose
// partial sums attend_combine.wgsl puts together.
struct Parameters {
    first_row: u32,
    first_position: u32,
    n_heads: u32,
    window: u32,
    // Rows of the ring.
    capacity: u32,
    // Tokens per compressed row.
    ratio: u32,
    // Room for chosen rows of a token; without a choice all visible rows are read.
    top_k: u32,
    n_splits: u32,
    scale: f32,
}
var<immediate> p: Parameters;

const HEADS: u32 = WORKGROUP / TEAM;
// Channels that a thread holds.
const CHANNELS: u32 = (WIDTH + TEAM - 1u) / TEAM;

// [n, n_heads, WIDTH], or [tokens of the run, n_heads, n_splits, 2 + WIDTH]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [n, n_heads, WIDTH]
@group(0) @binding(1) var<storage, read> queries: array<f32>;
// [n_heads]
@group(0) @binding(2) var<storage, read> sinks: array<f32>;
// [capacity, ROW_WORDS]
@group(0) @binding(3) var<storage, read> window_rows: array<u32>;
// [.., ROW_WORDS]
@group(0) @binding(4) var<storage, read> compressed_rows: array<u32>;
// [n, 1 + top_k]: number of rows, then the rows
@group(0) @binding(5) var<storage, read> selection: array<u32>;

// [SUMS, WIDTH]
var<workgroup> tile: array<f32, SUMS * WIDTH>;

fn put_four(i: u32, four: vec4<f32>) {
    for (var j = 0u; j < 4u; j++) {
        tile[i + j] = four[j];
    }
}

// Two channels in f16.
fn put_two(i: u32, two: u32) {
    let pair = unpack2x16float(two);
    tile[i] = pair.x;
    tile[i + 1u] = pair.y;
}

fn row_word(compressed: bool, i: u32) -> u32 {
    if compressed {
        return compressed_rows[i];
    }
    return window_rows[i];
}

// How many compressed rows the token in `row` reads.
fn count_compressed(row: u32, position: u32) -> u32 {
    if COMPRESSED == 0u {
        return 0u;
    }
    if SELECTED == 1u {
        return selection[row * (1u + p.top_k)];
    }
    return (position + 1u) / p.ratio;
}

// Decodes the `i`-th of the rows that a token reads to row `to` of the tile, one word of it.
fn load_row_word(row: u32, first_in_window: u32, n_window: u32, i: u32, word: u32, to: u32) {
    if i < n_window {
        load_word(false, (first_in_window + i) % p.capacity, word, to * WIDTH);
    } else {
        var chosen = i - n_window;
        if SELECTED == 1u {
            chosen = selection[row * (1u + p.top_k) + 1u + chosen];
        }
        load_word(true, chosen, word, to * WIDTH);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = p.first_row + workgroup.y;
    let position = p.first_position + workgroup.y;
    let n_window = min(position + 1u, p.window);
    let first_in_window = position + 1u - n_window;
    let n_rows = n_window + count_compressed(row, position);
    // This workgroup's share, in whole tiles.
    let share = (n_rows + p.n_splits * SUMS - 1u) / (p.n_splits * SUMS) * SUMS;
    let begin = min(workgroup.z * share, n_rows);
    let end = min(begin + share, n_rows);

    let head = workgroup.x * HEADS + thread / TEAM;
    let lane = thread % TEAM;
    var query: array<f32, CHANNELS>;
    var sums: array<f32, CHANNELS>;
    var largest = 0.0;
    if head < p.n_heads {
        largest = sinks[head];
        for (var c = 0u; c < CHANNELS; c++) {
            let channel = lane + c * TEAM;
            if channel < WIDTH {
                query[c] = queries[(row * p.n_heads + head) * WIDTH + channel] * p.scale;
            }
        }
    }
    var weight_sum = 0.0;
    for (var first = begin; first < end; first += SUMS) {
        workgroupBarrier();
        for (var i = thread; i < SUMS * VALUE_WORDS; i += WORKGROUP) {
            let at = i / VALUE_WORDS;
            if first + at < end {
                load_row_word(row, first_in_window, n_window, first + at, i % VALUE_WORDS, at);
            }
        }
        workgroupBarrier();
        var scores: array<f32, SUMS>;
        for (var c = 0u; c < CHANNELS; c++) {
            let channel = lane + c * TEAM;
            if channel < WIDTH {
                for (var r = 0u; r < SUMS; r++) {
                    scores[r] += query[c] * tile[r * WIDTH + channel];
                }
            }
        }
        team_sums(&scores, thread);
        let n = min(SUMS, end - first);
        let before = largest;
        for (var r = 0u; r < n; r++) {
            largest = max(largest, scores[r]);
        }
        let kept = exp(before - largest);
        weight_sum *= kept;
        for (var c = 0u; c < CHANNELS; c++) {
            sums[c] *= kept;
        }
        for (var r = 0u; r < n; r++) {
            let weight = exp(scores[r] - largest);
            weight_sum += weight;
            for (var c = 0u; c < CHANNELS; c++) {
                let channel = lane + c * TEAM;
                if channel < WIDTH {
                    sums[c] += weight * tile[r * WIDTH + channel];
                }
            }
        }
    }
    if head < p.n_heads {
        if p.n_splits == 1u {
            let total = weight_sum + exp(sinks[head] - largest);
            for (var c = 0u; c < CHANNELS; c++) {
                let channel = lane + c * TEAM;
                if channel < WIDTH {
                    out[(row * p.n_heads + head) * WIDTH + channel] = sums[c] / total;
                }
            }
        } else {
            let partial = (workgroup.y * p.n_heads + head) * p.n_splits + workgroup.z;
            let first = partial * (2u + WIDTH);
            if lane == 0u {
                out[first] = largest;
                out[first + 1u] = weight_sum;
            }
            for (var c = 0u; c < CHANNELS; c++) {
                let channel = lane + c * TEAM;
                if channel < WIDTH {
                    out[first + 2u + channel] = sums[c];
                }
            }
        }
    }
}
