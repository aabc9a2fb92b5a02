// Attention of few tokens, from queries as their product left them.
//
// All heads share the one K = V row of a position. A workgroup takes HEADS heads and a share of a
// token's rows, SUMS - 1 at a time: it decodes them once into its memory, as pairs of f16, which
// hold FP8 values with their scales. For the scores a team of TEAM threads is a head, and each
// thread holds every TEAM-th pair of its query's channels; for the weighted sums a thread holds
// pairs of channels of all heads.
//
// The norm of a query is one factor of all its scores, so its squares are summed up beside them.
// Every share leaves partial sums, which attend_raw_combine.wgsl puts together.
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
    norm_eps: f32,
    // Rotated channel pairs at the end of a head.
    n_pairs: u32,
}
var<immediate> p: Parameters;

const HEADS: u32 = WORKGROUP / TEAM;
// Rows decoded at once.
const TILE: u32 = SUMS - 1u;
const PAIRS: u32 = WIDTH / 2u;
// Pairs of channels that a thread of a team holds, and that a thread sums up.
const TEAM_PAIRS: u32 = (PAIRS + TEAM - 1u) / TEAM;
const SUM_PAIRS: u32 = (PAIRS + WORKGROUP - 1u) / WORKGROUP;
// Rows of a tile that a team decodes, and words of a row that a thread does.
const TEAM_ROWS: u32 = (TILE + HEADS - 1u) / HEADS;
const TEAM_WORDS: u32 = (VALUE_WORDS + TEAM - 1u) / TEAM;
const SMALLEST: f32 = -3.0e38;

// [tokens of the run, n_heads, n_splits, PAIRS]
@group(0) @binding(0) var<storage, read_write> sums: array<vec2<f32>>;
// [tokens of the run, n_heads, n_splits]: largest score, sum of weights
@group(0) @binding(1) var<storage, read_write> weights: array<vec2<f32>>;
// [n, n_heads, PAIRS]
@group(0) @binding(2) var<storage, read> queries: array<vec2<f32>>;
// [n, n_pairs]: cosine and sine at the row's position
@group(0) @binding(3) var<storage, read> angles: array<vec2<f32>>;
// [capacity, ROW_WORDS]
@group(0) @binding(4) var<storage, read> window_rows: array<u32>;
// [.., ROW_WORDS]
@group(0) @binding(5) var<storage, read> compressed_rows: array<u32>;
// [n, 1 + top_k]: number of rows, then the rows
@group(0) @binding(6) var<storage, read> selection: array<u32>;

// [TILE, PAIRS]
var<workgroup> tile: array<u32, TILE * PAIRS>;
// [TILE, HEADS]: weights of the rows of the tile
var<workgroup> row_weights: array<f32, TILE * HEADS>;
// How much earlier sums of a head still count.
var<workgroup> kept: array<f32, HEADS>;

fn row_word(compressed: bool, i: u32) -> u32 {
    if compressed {
        return compressed_rows[i];
    }
    return window_rows[i];
}

fn put_four(i: u32, four: vec4<f32>) {
    tile[i / 2u] = pack2x16float(four.xy);
    tile[i / 2u + 1u] = pack2x16float(four.zw);
}

// Two channels in f16.
fn put_two(i: u32, two: u32) {
    tile[i / 2u] = two;
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

// Where row `i` of those that a token reads is, in the ring or among the compressed ones.
fn row_source(row: u32, first_in_window: u32, n_window: u32, i: u32) -> u32 {
    if i < n_window {
        return (first_in_window + i) % p.capacity;
    }
    if SELECTED == 1u {
        return selection[row * (1u + p.top_k) + 1u + i - n_window];
    }
    return i - n_window;
}

// This thread's words of a row, each with the word of its scale. All are asked for before any is
// waited for.
fn row_words(compressed: bool, source: u32, lane: u32) -> array<vec2<u32>, TEAM_WORDS> {
    let first = source * ROW_WORDS;
    var words: array<vec2<u32>, TEAM_WORDS>;
    if compressed {
        for (var k = 0u; k < TEAM_WORDS; k++) {
            let i = min(lane + k * TEAM, VALUE_WORDS - 1u);
            words[k] = vec2<u32>(compressed_rows[first + i], compressed_rows[first + scale_word(i)]);
        }
    } else {
        for (var k = 0u; k < TEAM_WORDS; k++) {
            let i = min(lane + k * TEAM, VALUE_WORDS - 1u);
            words[k] = vec2<u32>(window_rows[first + i], window_rows[first + scale_word(i)]);
        }
    }
    return words;
}

// Decodes the `n` rows from `first` on to the tile, each by a team.
fn load_tile(row: u32, first_in_window: u32, n_window: u32, first: u32, n: u32, thread: u32) {
    let team = thread / TEAM;
    let lane = thread % TEAM;
    var sources: array<u32, TEAM_ROWS>;
    for (var a = 0u; a < TEAM_ROWS; a++) {
        // Behind the last row, that one again.
        let i = first + min(team + a * HEADS, n - 1u);
        sources[a] = row_source(row, first_in_window, n_window, i);
    }
    var words: array<array<vec2<u32>, TEAM_WORDS>, TEAM_ROWS>;
    for (var a = 0u; a < TEAM_ROWS; a++) {
        let i = first + min(team + a * HEADS, n - 1u);
        words[a] = row_words(i >= n_window, sources[a], lane);
    }
    for (var a = 0u; a < TEAM_ROWS; a++) {
        let r = team + a * HEADS;
        for (var k = 0u; k < TEAM_WORDS; k++) {
            let i = lane + k * TEAM;
            if r < n && i < VALUE_WORDS {
                put_word(i, words[a][k].x, words[a][k].y, r * WIDTH);
            }
        }
    }
}

// A pair of channels of a query, rotated.
fn query_pair(row: u32, head: u32, pair: u32) -> vec2<f32> {
    let value = queries[(row * p.n_heads + head) * PAIRS + pair];
    let first_rotated = PAIRS - p.n_pairs;
    if pair < first_rotated {
        return value;
    }
    let angle = angles[row * p.n_pairs + pair - first_rotated];
    return vec2<f32>(
        value.x * angle.x - value.y * angle.y,
        value.x * angle.y + value.y * angle.x,
    );
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
    let share = (n_rows + p.n_splits * TILE - 1u) / (p.n_splits * TILE) * TILE;
    let begin = min(workgroup.z * share, n_rows);
    let end = min(begin + share, n_rows);

    let team = thread / TEAM;
    let lane = thread % TEAM;
    let head = workgroup.x * HEADS + team;
    var query: array<vec2<f32>, TEAM_PAIRS>;
    if head < p.n_heads {
        for (var c = 0u; c < TEAM_PAIRS; c++) {
            if lane + c * TEAM < PAIRS {
                query[c] = query_pair(row, head, lane + c * TEAM);
            }
        }
    }
    var largest = SMALLEST;
    var weight_sum = 0.0;
    var sum: array<vec2<f32>, SUM_PAIRS * HEADS>;
    for (var first = begin; first < end; first += TILE) {
        let n = min(TILE, end - first);
        load_tile(row, first_in_window, n_window, first, n, thread);
        workgroupBarrier();
        // The last one is the sum of squares.
        var scores: array<f32, SUMS>;
        for (var c = 0u; c < TEAM_PAIRS; c++) {
            let pair = lane + c * TEAM;
            if pair < PAIRS {
                for (var r = 0u; r < TILE; r++) {
                    scores[r] += dot(query[c], unpack2x16float(tile[r * PAIRS + pair]));
                }
                scores[TILE] += dot(query[c], query[c]);
            }
        }
        team_sums(&scores, thread);
        let scale = p.scale / sqrt(scores[TILE] / f32(WIDTH) + p.norm_eps);
        let before = largest;
        for (var r = 0u; r < TILE; r++) {
            if r < n {
                scores[r] *= scale;
                largest = max(largest, scores[r]);
            }
        }
        let still = exp(before - largest);
        weight_sum *= still;
        if lane == 0u {
            kept[team] = still;
        }
        for (var r = 0u; r < TILE; r++) {
            var weight = 0.0;
            if r < n {
                weight = exp(scores[r] - largest);
            }
            weight_sum += weight;
            if lane == 0u {
                row_weights[r * HEADS + team] = weight;
            }
        }
        workgroupBarrier();
        for (var c = 0u; c < SUM_PAIRS; c++) {
            let pair = thread + c * WORKGROUP;
            if pair < PAIRS {
                for (var h = 0u; h < HEADS; h++) {
                    sum[c * HEADS + h] *= kept[h];
                }
                for (var r = 0u; r < n; r++) {
                    let value = unpack2x16float(tile[r * PAIRS + pair]);
                    for (var h = 0u; h < HEADS; h++) {
                        sum[c * HEADS + h] += row_weights[r * HEADS + h] * value;
                    }
                }
            }
        }
        workgroupBarrier();
    }
    let first_partial = (workgroup.y * p.n_heads + workgroup.x * HEADS) * p.n_splits + workgroup.z;
    if lane == 0u && head < p.n_heads {
        weights[first_partial + team * p.n_splits] = vec2<f32>(largest, weight_sum);
    }
    for (var c = 0u; c < SUM_PAIRS; c++) {
        let pair = thread + c * WORKGROUP;
        for (var h = 0u; h < HEADS; h++) {
            if pair < PAIRS && workgroup.x * HEADS + h < p.n_heads {
                sums[(first_partial + h * p.n_splits) * PAIRS + pair] = sum[c * HEADS + h];
            }
        }
    }
}
