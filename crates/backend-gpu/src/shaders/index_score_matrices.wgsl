// Scores of index rows on matrix units, for many tokens or many rows: `sum over heads of weight *
// max(query . key, 0)`.
//
// A workgroup decodes 64 keys once and scores them for TOKENS tokens in turn. The 64 heads of a token
// are the rows of its matrices; eight subgroups of 32 threads multiply sixteen heads with 32 keys each.
// Queries and keys are FP4 with powers of two, which f16 holds exactly.
struct Parameters {
    // First token's row in the activations.
    first_row: u32,
    // Offset of queries, which are those of the activations or of the run.
    first_query: u32,
    first_position: u32,
    n_tokens: u32,
    ratio: u32,
    // Scores kept for each token.
    n_scores: u32,
    scale: f32,
}
var<immediate> p: Parameters;

enable f16;
enable wgpu_cooperative_matrix;

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;

const HEADS: u32 = 64u;
const ROWS: u32 = 64u;
const FOURS: u32 = WIDTH / 4u;
// Vectors and products from one row to the next, so that rows begin in different banks.
const KEY_STRIDE: u32 = FOURS + 2u;
const PRODUCT_STRIDE: u32 = ROWS + 4u;

// [tokens of the run, n_scores]
@group(0) @binding(0) var<storage, read_write> scores: array<f32>;
// [.., HEADS, WIDTH]
@group(0) @binding(1) var<storage, read> queries: array<vec4<f16>>;
// [n, HEADS]
@group(0) @binding(2) var<storage, read> head_weights: array<f32>;

var<workgroup> key_tile: array<vec4<f16>, ROWS * KEY_STRIDE>;
// [HEADS, ROWS]
var<workgroup> products: array<f32, HEADS * PRODUCT_STRIDE>;
// [4, ROWS]: sums over a quarter of the heads each
var<workgroup> quarters: array<f32, 4u * ROWS>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = workgroup.x * ROWS;
    let first_token = workgroup.y * TOKENS;
    let end_token = min(first_token + TOKENS, p.n_tokens);
    if first >= (p.first_position + end_token) / p.ratio {
        return;
    }
    for (var i = thread; i < ROWS * FOURS; i += 256u) {
        var four = vec4<f16>();
        if first + i / FOURS < p.n_scores {
            four = vec4<f16>(key_four(first + i / FOURS, i % FOURS));
        }
        key_tile[i / FOURS * KEY_STRIDE + i % FOURS] = four;
    }
    workgroupBarrier();
    let subgroup = thread / 32u;
    let my_head = subgroup % 4u * 16u;
    let my_row = subgroup / 4u * 32u;
    let row = thread % ROWS;
    let quarter = thread / ROWS;
    for (var token = first_token; token < end_token; token++) {
        let query_at = ((p.first_query + token) * HEADS + my_head) * FOURS;
        let key_at = my_row * KEY_STRIDE;
        let product_at = my_head * PRODUCT_STRIDE + my_row;
        let next_product_at = product_at + 16u;
        var low = Sum();
        var high = Sum();
        for (var four = 0u; four < FOURS; four += 4u) {
            let query = coopLoadT<Left>(&queries[query_at + four], FOURS);
            let low_keys = coopLoad<Right>(&key_tile[key_at + four], KEY_STRIDE);
            low = coopMultiplyAdd(query, low_keys, low);
            let high_keys = coopLoad<Right>(&key_tile[key_at + 16u * KEY_STRIDE + four], KEY_STRIDE);
            high = coopMultiplyAdd(query, high_keys, high);
        }
        coopStoreT(low, &products[product_at], PRODUCT_STRIDE);
        coopStoreT(high, &products[next_product_at], PRODUCT_STRIDE);
        workgroupBarrier();
        var sum = 0.0;
        for (var i = 0u; i < HEADS / 4u; i++) {
            let head = quarter * (HEADS / 4u) + i;
            let weight = head_weights[(p.first_row + token) * HEADS + head] * p.scale;
            sum += weight * max(products[head * PRODUCT_STRIDE + row], 0.0);
        }
        quarters[thread] = sum;
        workgroupBarrier();
        let visible = (p.first_position + token + 1u) / p.ratio;
        if quarter == 0u && first + row < visible {
            let score = quarters[row] + quarters[ROWS + row] + quarters[2u * ROWS + row]
                + quarters[3u * ROWS + row];
            // A zero of either sign has to tie with the other.
            scores[token * p.n_scores + first + row] = select(score, 0.0, score == 0.0);
        }
    }
}
