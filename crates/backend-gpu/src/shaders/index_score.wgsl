// Scores of index rows: `sum over heads of weight * max(query . key, 0)`.
//
// A workgroup scores 32 rows for one token. Its keys are decoded once into workgroup memory; four
// threads share a row and take every fourth head.
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

const ROWS: u32 = 32u;
const FOURS: u32 = WIDTH / 4u;
// One more than a row has, so that rows begin in different banks.
const STRIDE: u32 = FOURS + 1u;

// [tokens of the run, n_scores]
@group(0) @binding(0) var<storage, read_write> scores: array<f32>;
// [.., n_heads, WIDTH]
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>;
// [n, n_heads]
@group(0) @binding(2) var<storage, read> head_weights: array<f32>;

var<workgroup> tile: array<vec4<f32>, ROWS * STRIDE>;
var<workgroup> partials: array<f32, 4u * ROWS>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let token = workgroup.y;
    let visible = (p.first_position + token + 1u) / p.ratio;
    let first = workgroup.x * ROWS;
    for (var i = thread; i < ROWS * FOURS; i += 128u) {
        let row = i / FOURS;
        var four = vec4<f32>(0.0);
        if first + row < visible {
            four = key_four(first + row, i % FOURS);
        }
        tile[row * STRIDE + i % FOURS] = four;
    }
    workgroupBarrier();
    let row = thread / 4u;
    var sum = 0.0;
    for (var head = thread % 4u; head < p.n_heads; head += 4u) {
        let query = ((p.first_query + token) * p.n_heads + head) * FOURS;
        var product = 0.0;
        for (var i = 0u; i < FOURS; i++) {
            product += dot(queries[query + i], tile[row * STRIDE + i]);
        }
        let weight = head_weights[(p.first_row + token) * p.n_heads + head] * p.scale;
        sum += weight * max(product, 0.0);
    }
    partials[thread] = sum;
    workgroupBarrier();
    if thread < ROWS && first + thread < visible {
        let at = 4u * thread;
        let score = partials[at] + partials[at + 1u] + partials[at + 2u] + partials[at + 3u];
        // A zero of either sign has to tie with the other.
        scores[token * p.n_scores + first + thread] = select(score, 0.0, score == 0.0);
    }
}
