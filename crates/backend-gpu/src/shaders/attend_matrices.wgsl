// Attention of a token over its window and its compressed rows, on matrix units: prefill.
//
// A workgroup takes 64 heads of a token as the rows of its matrices, because all heads share the K = V
// rows: it decodes ROWS of them at a time into its memory as f16 and uses them twice. Eight subgroups
// of 32 threads make the scores, 16 heads by half of the channels each, and keep the weighted sums, 64
// heads by 64 channels each. Softmax is running, but lazy: sums are scaled down only when a score is
// larger by SLACK than what the weights are relative to, because matrices have to pass through memory
// for it.
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
    scale: f32,
}
var<immediate> p: Parameters;

enable f16;
enable wgpu_cooperative_matrix;

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;

const WIDTH: u32 = 512u;
const HEADS: u32 = 64u;
const ROWS: u32 = 32u;
// Vectors of four halves from one row to the next, so that rows begin in different banks.
const FOURS: u32 = WIDTH / 4u;
const ROW_STRIDE: u32 = FOURS + 2u;
const WEIGHT_STRIDE: u32 = ROWS / 4u + 2u;
// Beyond this, exponentials no longer fit f16.
const SLACK: f32 = 8.0;
const LOWEST: f32 = -3e38;
// Rows that a thread reads at once.
const LOADS: u32 = 8u;
const NO_ROW: u32 = 0xffffffffu;

// [n, n_heads, WIDTH]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [n, n_heads, WIDTH]
@group(0) @binding(1) var<storage, read> queries: array<vec4<f16>>;
// [n_heads]
@group(0) @binding(2) var<storage, read> sinks: array<f32>;
// [capacity, ROW_WORDS]
@group(0) @binding(3) var<storage, read> window_rows: array<u32>;
// [.., ROW_WORDS]
@group(0) @binding(4) var<storage, read> compressed_rows: array<u32>;
// [n, 1 + top_k]: number of rows, then the rows
@group(0) @binding(5) var<storage, read> selection: array<u32>;

var<workgroup> rows: array<vec4<f16>, ROWS * ROW_STRIDE>;
// Of the rows, see `row_source`.
var<workgroup> sources: array<u32, ROWS>;
// A matrix for each subgroup on its way through memory.
var<workgroup> scores: array<f32, 8u * 256u>;
// [HEADS, ROWS]
var<workgroup> weights: array<vec4<f16>, HEADS * WEIGHT_STRIDE>;
// What sums of a head are multiplied with.
var<workgroup> factors: array<f32, HEADS>;
// One flag; see matmul_matrices.wgsl for the others.
var<workgroup> must_scale: array<atomic<u32>, 4>;

fn row_word(compressed: bool, i: u32) -> u32 {
    if compressed {
        return compressed_rows[i];
    }
    return window_rows[i];
}

// Where the `at`-th of the rows that a token reads is; the last bit says whether among compressed ones.
fn row_source(row: u32, position: u32, n_window: u32, n_rows: u32, at: u32) -> u32 {
    if at < n_window {
        return 2u * ((position + 1u - n_window + at) % p.capacity);
    }
    if at >= n_rows {
        return NO_ROW;
    }
    var chosen = at - n_window;
    if SELECTED == 1u {
        chosen = selection[row * (1u + p.top_k) + 1u + chosen];
    }
    return 2u * chosen + 1u;
}

// Decodes the rows that `sources` names; behind the last one zeros. A thread takes the same four channels
// of every other row, and asks for LOADS rows before it waits for any.
fn load_rows(thread: u32) {
    let four = thread % FOURS;
    for (var r = thread / FOURS; r < ROWS; r += 2u * LOADS) {
        var words: array<vec2<u32>, LOADS>;
        for (var k = 0u; k < LOADS; k++) {
            let source = sources[r + 2u * k];
            if source != NO_ROW {
                words[k] = row_words((source & 1u) == 1u, source / 2u, four);
            }
        }
        for (var k = 0u; k < LOADS; k++) {
            rows[(r + 2u * k) * ROW_STRIDE + four] = four_channels(words[k], four);
        }
    }
}

// Scores of a head with eight rows, from the sums of both halves of the channels.
fn take_scores(head: u32, row: u32, mine: ptr<function, array<f32, 8>>) {
    let at = head / 16u * 256u + head % 16u * 16u + row;
    for (var i = 0u; i < 8u; i++) {
        (*mine)[i] = (scores[at + i] + scores[at + 4u * 256u + i]) * p.scale;
    }
}

// Scales the heads of the matrices that lie in `scores`. All threads call together.
fn scale_heads(first_head: u32, thread: u32) {
    let mine = thread / 32u * 256u;
    workgroupBarrier();
    for (var i = thread % 32u; i < 256u; i += 32u) {
        scores[mine + i] *= factors[first_head + i / 16u];
    }
    workgroupBarrier();
}

// Stores the results that lie in `scores`. All threads call together.
fn store_heads(first_head: u32, out_first: u32, thread: u32) {
    let mine = thread / 32u * 256u;
    workgroupBarrier();
    for (var i = thread % 32u; i < 256u; i += 32u) {
        let head = first_head + i / 16u;
        out[out_first + head * WIDTH + i % 16u] = scores[mine + i] * factors[head];
    }
    workgroupBarrier();
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let row = p.first_row + workgroup.y;
    let position = p.first_position + workgroup.y;
    let first_head = workgroup.x * HEADS;
    let n_window = min(position + 1u, p.window);
    // Here, and not in a function, because loops over matrices need to be seen to be the same for all.
    let n_compressed = select(
        select((position + 1u) / p.ratio, selection[row * (1u + p.top_k)], SELECTED == 1u),
        0u,
        COMPRESSED == 0u,
    );
    let n_rows = n_window + n_compressed;

    let subgroup = thread / 32u;
    // Of the scores: sixteen heads and half of the channels. Of the sums: 64 channels.
    let score_head = subgroup % 4u * 16u;
    let score_four = subgroup / 4u * (FOURS / 2u);
    let sum_four = subgroup * 16u;
    let matrix = subgroup * 256u;
    // Of the softmax: a quarter of the rows of a head.
    let my_head = thread / 4u;
    let my_rows = thread % 4u * (ROWS / 4u);
    let sink = sinks[first_head + my_head];
    // Of rows alone: beside a large sink their weights are nothing in f16.
    var largest = LOWEST;
    var weight_sum = 0.0;

    var s00 = Sum();
    var s01 = Sum();
    var s02 = Sum();
    var s03 = Sum();
    var s10 = Sum();
    var s11 = Sum();
    var s12 = Sum();
    var s13 = Sum();
    var s20 = Sum();
    var s21 = Sum();
    var s22 = Sum();
    var s23 = Sum();
    var s30 = Sum();
    var s31 = Sum();
    var s32 = Sum();
    var s33 = Sum();
    let query_at = (row * p.n_heads + first_head + score_head) * FOURS + score_four;
    for (var first = 0u; first < n_rows; first += ROWS) {
        if thread < ROWS {
            sources[thread] = row_source(row, position, n_window, n_rows, first + thread);
        }
        workgroupBarrier();
        load_rows(thread);
        if thread == 0u {
            atomicStore(&must_scale[0], 0u);
        }
        workgroupBarrier();
        // Two sums of each half of the rows, so that a product does not wait for the one before.
        var low_a = Sum();
        var low_b = Sum();
        var high_a = Sum();
        var high_b = Sum();
        for (var four = 0u; four < FOURS / 2u; four += 16u) {
            let query_from = query_at + four;
            let key_at = score_four + four;
            let query_a = coopLoadT<Left>(&queries[query_from], FOURS);
            let query_b = coopLoadT<Left>(&queries[query_from + 4u], FOURS);
            let query_c = coopLoadT<Left>(&queries[query_from + 8u], FOURS);
            let query_d = coopLoadT<Left>(&queries[query_from + 12u], FOURS);
            let high_at = key_at + 16u * ROW_STRIDE;
            let low_key_a = coopLoad<Right>(&rows[key_at], ROW_STRIDE);
            let high_key_a = coopLoad<Right>(&rows[high_at], ROW_STRIDE);
            low_a = coopMultiplyAdd(query_a, low_key_a, low_a);
            high_a = coopMultiplyAdd(query_a, high_key_a, high_a);
            let low_key_b = coopLoad<Right>(&rows[key_at + 4u], ROW_STRIDE);
            let high_key_b = coopLoad<Right>(&rows[high_at + 4u], ROW_STRIDE);
            low_b = coopMultiplyAdd(query_b, low_key_b, low_b);
            high_b = coopMultiplyAdd(query_b, high_key_b, high_b);
            let low_key_c = coopLoad<Right>(&rows[key_at + 8u], ROW_STRIDE);
            let high_key_c = coopLoad<Right>(&rows[high_at + 8u], ROW_STRIDE);
            low_a = coopMultiplyAdd(query_c, low_key_c, low_a);
            high_a = coopMultiplyAdd(query_c, high_key_c, high_a);
            let low_key_d = coopLoad<Right>(&rows[key_at + 12u], ROW_STRIDE);
            let high_key_d = coopLoad<Right>(&rows[high_at + 12u], ROW_STRIDE);
            low_b = coopMultiplyAdd(query_d, low_key_d, low_b);
            high_b = coopMultiplyAdd(query_d, high_key_d, high_b);
        }
        let low = low_a + low_b;
        let high = high_a + high_b;
        var mine: array<f32, 8>;
        var tile_largest = LOWEST;
        // Each half of the channels leaves a matrix of sums; first of the lower rows, then of the higher.
        coopStoreT(low, &scores[matrix], 16u);
        workgroupBarrier();
        if my_rows < 16u {
            take_scores(my_head, my_rows, &mine);
        }
        workgroupBarrier();
        coopStoreT(high, &scores[matrix], 16u);
        workgroupBarrier();
        if my_rows >= 16u {
            take_scores(my_head, my_rows - 16u, &mine);
        }
        for (var i = 0u; i < 8u; i++) {
            if first + my_rows + i >= n_rows {
                mine[i] = LOWEST;
            }
            tile_largest = max(tile_largest, mine[i]);
        }
        tile_largest = max(tile_largest, subgroupShuffleXor(tile_largest, 1u));
        tile_largest = max(tile_largest, subgroupShuffleXor(tile_largest, 2u));
        if first == 0u {
            largest = tile_largest;
        } else if tile_largest > largest + SLACK {
            atomicStore(&must_scale[0], 1u);
        }
        workgroupBarrier();
        if atomicLoad(&must_scale[0]) == 1u {
            let before = largest;
            largest = max(largest, tile_largest);
            let kept = exp(before - largest);
            weight_sum *= kept;
            factors[my_head] = kept;
            workgroupBarrier();
            coopStoreT(s00, &scores[matrix], 16u);
            scale_heads(0u, thread);
            s00 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s01, &scores[matrix], 16u);
            scale_heads(0u, thread);
            s01 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s02, &scores[matrix], 16u);
            scale_heads(0u, thread);
            s02 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s03, &scores[matrix], 16u);
            scale_heads(0u, thread);
            s03 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s10, &scores[matrix], 16u);
            scale_heads(16u, thread);
            s10 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s11, &scores[matrix], 16u);
            scale_heads(16u, thread);
            s11 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s12, &scores[matrix], 16u);
            scale_heads(16u, thread);
            s12 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s13, &scores[matrix], 16u);
            scale_heads(16u, thread);
            s13 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s20, &scores[matrix], 16u);
            scale_heads(32u, thread);
            s20 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s21, &scores[matrix], 16u);
            scale_heads(32u, thread);
            s21 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s22, &scores[matrix], 16u);
            scale_heads(32u, thread);
            s22 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s23, &scores[matrix], 16u);
            scale_heads(32u, thread);
            s23 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s30, &scores[matrix], 16u);
            scale_heads(48u, thread);
            s30 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s31, &scores[matrix], 16u);
            scale_heads(48u, thread);
            s31 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s32, &scores[matrix], 16u);
            scale_heads(48u, thread);
            s32 = coopLoadT<Sum>(&scores[matrix], 16u);
            coopStoreT(s33, &scores[matrix], 16u);
            scale_heads(48u, thread);
            s33 = coopLoadT<Sum>(&scores[matrix], 16u);
        }
        for (var i = 0u; i < 8u; i += 4u) {
            let four = vec4<f32>(mine[i], mine[i + 1u], mine[i + 2u], mine[i + 3u]);
            let rounded = vec4<f16>(exp(four - largest));
            weight_sum += dot(vec4<f32>(rounded), vec4<f32>(1.0));
            weights[my_head * WEIGHT_STRIDE + (my_rows + i) / 4u] = rounded;
        }
        workgroupBarrier();
        for (var k = 0u; k < ROWS; k += 16u) {
            let weight_at = k / 4u;
            let w0 = coopLoadT<Left>(&weights[weight_at], WEIGHT_STRIDE);
            let w1 = coopLoadT<Left>(&weights[weight_at + 16u * WEIGHT_STRIDE], WEIGHT_STRIDE);
            let w2 = coopLoadT<Left>(&weights[weight_at + 32u * WEIGHT_STRIDE], WEIGHT_STRIDE);
            let w3 = coopLoadT<Left>(&weights[weight_at + 48u * WEIGHT_STRIDE], WEIGHT_STRIDE);
            let at = k * ROW_STRIDE + sum_four;
            let v0 = coopLoadT<Right>(&rows[at], ROW_STRIDE);
            s00 = coopMultiplyAdd(w0, v0, s00);
            s10 = coopMultiplyAdd(w1, v0, s10);
            s20 = coopMultiplyAdd(w2, v0, s20);
            s30 = coopMultiplyAdd(w3, v0, s30);
            let v1 = coopLoadT<Right>(&rows[at + 4u], ROW_STRIDE);
            s01 = coopMultiplyAdd(w0, v1, s01);
            s11 = coopMultiplyAdd(w1, v1, s11);
            s21 = coopMultiplyAdd(w2, v1, s21);
            s31 = coopMultiplyAdd(w3, v1, s31);
            let v2 = coopLoadT<Right>(&rows[at + 8u], ROW_STRIDE);
            s02 = coopMultiplyAdd(w0, v2, s02);
            s12 = coopMultiplyAdd(w1, v2, s12);
            s22 = coopMultiplyAdd(w2, v2, s22);
            s32 = coopMultiplyAdd(w3, v2, s32);
            let v3 = coopLoadT<Right>(&rows[at + 12u], ROW_STRIDE);
            s03 = coopMultiplyAdd(w0, v3, s03);
            s13 = coopMultiplyAdd(w1, v3, s13);
            s23 = coopMultiplyAdd(w2, v3, s23);
            s33 = coopMultiplyAdd(w3, v3, s33);
        }
    }
    weight_sum += subgroupShuffleXor(weight_sum, 1u);
    weight_sum += subgroupShuffleXor(weight_sum, 2u);
    workgroupBarrier();
    factors[my_head] = 1.0 / (weight_sum + exp(sink - largest));
    let to = (row * p.n_heads + first_head) * WIDTH + 64u * subgroup;
    coopStoreT(s00, &scores[matrix], 16u);
    store_heads(0u, to, thread);
    coopStoreT(s01, &scores[matrix], 16u);
    store_heads(0u, to + 16u, thread);
    coopStoreT(s02, &scores[matrix], 16u);
    store_heads(0u, to + 32u, thread);
    coopStoreT(s03, &scores[matrix], 16u);
    store_heads(0u, to + 48u, thread);
    coopStoreT(s10, &scores[matrix], 16u);
    store_heads(16u, to, thread);
    coopStoreT(s11, &scores[matrix], 16u);
    store_heads(16u, to + 16u, thread);
    coopStoreT(s12, &scores[matrix], 16u);
    store_heads(16u, to + 32u, thread);
    coopStoreT(s13, &scores[matrix], 16u);
    store_heads(16u, to + 48u, thread);
    coopStoreT(s20, &scores[matrix], 16u);
    store_heads(32u, to, thread);
    coopStoreT(s21, &scores[matrix], 16u);
    store_heads(32u, to + 16u, thread);
    coopStoreT(s22, &scores[matrix], 16u);
    store_heads(32u, to + 32u, thread);
    coopStoreT(s23, &scores[matrix], 16u);
    store_heads(32u, to + 48u, thread);
    coopStoreT(s30, &scores[matrix], 16u);
    store_heads(48u, to, thread);
    coopStoreT(s31, &scores[matrix], 16u);
    store_heads(48u, to + 16u, thread);
    coopStoreT(s32, &scores[matrix], 16u);
    store_heads(48u, to + 32u, thread);
    coopStoreT(s33, &scores[matrix], 16u);
    store_heads(48u, to + 48u, thread);
}
