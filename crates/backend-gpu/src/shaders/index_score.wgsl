// Scores of index rows: `sum over heads of weight * max(query . key, 0)`.
//
// A workgroup scores every so many-th tile of ROWS rows for one token. Four threads are a head and
// keep its query, every fourth vector of it each; keys are decoded once into workgroup memory, where
// all heads read the same vectors at once. More than HEADS heads are taken in turn, and their sums
// add up in `scores`.
struct Parameters {
    // First token's row in the activations.
    first_row: u32,
    // Offset of queries, which are those of the activations or of the run.
    first_query: u32,
    first_position: u32,
    n_heads: u32,
    ratio: u32,
    // Scores kept for each token.
    n_scores: u32,
    scale: f32,
}
var<immediate> p: Parameters;

const ROWS: u32 = 8u;
const HEADS: u32 = 64u;
const WORKGROUP: u32 = 4u * HEADS;
const FOURS: u32 = WIDTH / 4u;
// Vectors that a thread keeps of a query, and of a row in the tile, filled up with zeros.
const OWN_FOURS: u32 = (FOURS + 3u) / 4u;
const ROW_FOURS: u32 = 4u * OWN_FOURS;
// Products from one thread of a head to the next: eight more, so that those of a subgroup are in
// different banks.
const PART: u32 = ROWS * HEADS + 8u;
// Threads that sum up a row, and sums from one row to the next.
const LANES: u32 = WORKGROUP / ROWS;
const LANE_HEADS: u32 = HEADS / LANES;
const SUM_STRIDE: u32 = LANES + 1u;

// [tokens of the run, n_scores]
@group(0) @binding(0) var<storage, read_write> scores: array<f32>;
// [.., n_heads, FOURS]
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
// [n, n_heads]
@group(0) @binding(2) var<storage, read> head_weights: array<f32>;

var<workgroup> tile: array<vec4<f32>, ROWS * ROW_FOURS>;
// [4, ROWS, HEADS]: each thread's part of its head's products
var<workgroup> products: array<f32, 4u * PART>;
// [ROWS, LANES]
var<workgroup> sums: array<f32, ROWS * SUM_STRIDE>;

// The vectors that thread `part` of a head keeps of its query.
fn query_fours(token: u32, head: u32, part: u32) -> array<vec4<f32>, OWN_FOURS> {
    let first = ((p.first_query + token) * p.n_heads + head) * FOURS;
    var query: array<vec4<f32>, OWN_FOURS>;
    for (var i = 0u; i < OWN_FOURS; i++) {
        query[i] = vec4<f32>(0.0);
        if head < p.n_heads && 4u * i + part < FOURS {
            query[i] = queries[first + 4u * i + part];
        }
    }
    return query;
}

// The weights of every LANES-th head from `head` on.
fn lane_weights(token: u32, head: u32) -> array<f32, LANE_HEADS> {
    let first = (p.first_row + token) * p.n_heads;
    var weights: array<f32, LANE_HEADS>;
    for (var i = 0u; i < LANE_HEADS; i++) {
        weights[i] = 0.0;
        if head + i * LANES < p.n_heads {
            weights[i] = head_weights[first + head + i * LANES] * p.scale;
        }
    }
    return weights;
}

// Decodes the rows from `first` on, of which those from `visible` on are zeros.
fn load_tile(first: u32, visible: u32, thread: u32) {
    for (var i = thread; i < ROWS * ROW_FOURS; i += WORKGROUP) {
        let row = first + i / ROW_FOURS;
        var four = vec4<f32>(0.0);
        if row < visible && i % ROW_FOURS < FOURS {
            four = key_four(row, i % ROW_FOURS);
        }
        tile[i] = four;
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let token = workgroup.y;
    let visible = (p.first_position + token + 1u) / p.ratio;
    let head = thread / 4u;
    let part = thread % 4u;
    let row = thread / LANES;
    let lane = thread % LANES;
    for (var first_head = 0u; first_head < p.n_heads; first_head += HEADS) {
        var query = query_fours(token, first_head + head, part);
        var weights = lane_weights(token, first_head + lane);
        for (var first = workgroup.x * ROWS; first < visible; first += grid.x * ROWS) {
            load_tile(first, visible, thread);
            workgroupBarrier();
            var product: array<f32, ROWS>;
            for (var i = 0u; i < OWN_FOURS; i++) {
                for (var r = 0u; r < ROWS; r++) {
                    product[r] += dot(query[i], tile[r * ROW_FOURS + 4u * i + part]);
                }
            }
            for (var r = 0u; r < ROWS; r++) {
                products[part * PART + r * HEADS + head] = product[r];
            }
            workgroupBarrier();
            var sum = 0.0;
            for (var i = 0u; i < LANE_HEADS; i++) {
                let at = row * HEADS + lane + i * LANES;
                let whole = products[at] + products[PART + at] + products[2u * PART + at]
                    + products[3u * PART + at];
                sum += weights[i] * max(whole, 0.0);
            }
            sums[row * SUM_STRIDE + lane] = sum;
            workgroupBarrier();
            if thread < ROWS && first + thread < visible {
                let at = token * p.n_scores + first + thread;
                var score = 0.0;
                if first_head > 0u {
                    score = scores[at];
                }
                for (var i = 0u; i < LANES; i++) {
                    score += sums[thread * SUM_STRIDE + i];
                }
                // A zero of either sign has to tie with the other.
                scores[at] = select(score, 0.0, score == 0.0);
            }
        }
    }
}
