// Products of a weight with many rows of activations, on matrix units: prefill.
//
// A workgroup makes a tile of ROWS weight rows by TOKENS tokens. Both sides pass through workgroup
// memory as f16, 32 columns at a time, so a block of weights is decoded once for all tokens of the
// tile; what comes next is read while these are multiplied. A subgroup of 32 threads sums sixteen
// matrices, four of tokens by four of rows, in f32. Which rows of activations and weights meet is
// told by `tile_at`, `x_row` and `out_row` of the part in front (see matmul.wgsl). Sums are stored by way
// of workgroup memory: tiles may end inside a matrix, and rows of experts lie apart.
//
// Whatever lies in workgroup memory here has whole multiples of 16 bytes. Drivers put variables one
// behind the other, and behind a word of four a tile begins where matrices are loaded wrong (seen on an
// H200); a test counts the bytes.

// [rows, out_width]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [rows, PLANES, x_width]: with two planes, values and what rounding took from them
@group(0) @binding(1) var<storage, read> x: array<vec4<f16>>;

// Two subgroups share the rows, TOKEN_SUBGROUPS the tokens.
const SPAN: u32 = 4u * SIDE;
const ROWS: u32 = 2u * SPAN;
const TOKENS: u32 = TOKEN_SUBGROUPS * SPAN;
const WORKGROUP: u32 = 64u * TOKEN_SUBGROUPS;
// What a thread moves: groups of 32 weights, and fours of activations.
const MY_GROUPS: u32 = ROWS / WORKGROUP;
const MY_FOURS: u32 = TOKENS * 8u / WORKGROUP;

// A matrix for each subgroup, on its way to `out`.
var<workgroup> edge: array<f32, SIDE * SIDE * WORKGROUP / 32u>;

// Stores what a matrix of sums left in `edge`. All threads call together.
fn store_edge(tile: Tile, first_token: u32, first_row: u32, thread: u32) {
    let mine = thread / 32u * SIDE * SIDE;
    workgroupBarrier();
    for (var i = thread % 32u; i < SIDE * SIDE; i += 32u) {
        let token = first_token + i / SIDE;
        let row = first_row + i % SIDE;
        if token < tile.n_tokens && row < p.n_rows {
            out[out_row(tile, token) * p.out_width + tile.first_out + row] = edge[mine + i];
        }
    }
    workgroupBarrier();
}

// Makes a workgroup's tile. All threads call together, if at all: matrices are loaded by subgroups as
// one.
fn multiply(workgroup: vec3<u32>, thread: u32) {
    let tile = tile_at(workgroup);
    let first_row = workgroup.x * ROWS;
    let subgroup = thread / 32u;
    let my_rows = subgroup % 2u * SPAN;
    let my_tokens = subgroup / 2u * SPAN;

    // Behind the last row and the last token, those again: they are not stored.
    var group_at: array<u32, MY_GROUPS>;
    for (var i = 0u; i < MY_GROUPS; i++) {
        let row = min(first_row + thread + i * WORKGROUP, p.n_rows - 1u);
        group_at[i] = (tile.first_weight_row + row) * p.n_groups;
    }
    var four_at: array<u32, MY_FOURS>;
    for (var i = 0u; i < MY_FOURS; i++) {
        let at = thread + i * WORKGROUP;
        let token = min(at / 8u, tile.n_tokens - 1u);
        let first = PLANES * x_row(tile, token) * p.x_width + tile.first_column;
        four_at[i] = first / 4u + at % 8u;
    }

    weight_begin(thread);
    var weights: array<vec4<f16>, 8u * MY_GROUPS>;
    var fours: array<vec4<f16>, MY_FOURS>;
    for (var i = 0u; i < MY_GROUPS; i++) {
        let values = weight_group(group_at[i]);
        for (var j = 0u; j < 8u; j++) {
            weights[8u * i + j] = vec4<f16>(values[j]);
        }
    }
    for (var i = 0u; i < MY_FOURS; i++) {
        fours[i] = x[four_at[i]];
    }

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
    // The second plane meets the same weights.
    for (var group = 0u; group < PLANES * p.n_groups; group++) {
        workgroupBarrier();
        for (var i = 0u; i < MY_GROUPS; i++) {
            for (var j = 0u; j < 8u; j++) {
                put_weights(thread + i * WORKGROUP, j, weights[8u * i + j]);
            }
        }
        for (var i = 0u; i < MY_FOURS; i++) {
            let at = thread + i * WORKGROUP;
            put_x(at / 8u, at % 8u, fours[i]);
        }
        workgroupBarrier();
        let next = min(group + 1u, PLANES * p.n_groups - 1u);
        let next_group = next % p.n_groups;
        let next_fours = next / p.n_groups * (p.x_width / 4u) + 8u * next_group;
        for (var i = 0u; i < MY_FOURS; i++) {
            fours[i] = x[four_at[i] + next_fours];
        }
        for (var i = 0u; i < MY_GROUPS; i++) {
            let values = weight_group(group_at[i] + next_group);
            for (var j = 0u; j < 8u; j++) {
                weights[8u * i + j] = vec4<f16>(values[j]);
            }
        }
        for (var column = 0u; column < 32u; column += SIDE) {
            let x_at = my_tokens * STRIDE + column / UNIT;
            let weight_at = my_rows * STRIDE + column / UNIT;
            let x0 = coopLoadT<Left>(&x_tile[x_at], STRIDE);
            let x1 = coopLoadT<Left>(&x_tile[x_at + SIDE * STRIDE], STRIDE);
            let x2 = coopLoadT<Left>(&x_tile[x_at + 2u * SIDE * STRIDE], STRIDE);
            let x3 = coopLoadT<Left>(&x_tile[x_at + 3u * SIDE * STRIDE], STRIDE);
            let w0 = coopLoad<Right>(&weight_tile[weight_at], STRIDE);
            s00 = coopMultiplyAdd(x0, w0, s00);
            s10 = coopMultiplyAdd(x1, w0, s10);
            s20 = coopMultiplyAdd(x2, w0, s20);
            s30 = coopMultiplyAdd(x3, w0, s30);
            let w1 = coopLoad<Right>(&weight_tile[weight_at + SIDE * STRIDE], STRIDE);
            s01 = coopMultiplyAdd(x0, w1, s01);
            s11 = coopMultiplyAdd(x1, w1, s11);
            s21 = coopMultiplyAdd(x2, w1, s21);
            s31 = coopMultiplyAdd(x3, w1, s31);
            let w2 = coopLoad<Right>(&weight_tile[weight_at + 2u * SIDE * STRIDE], STRIDE);
            s02 = coopMultiplyAdd(x0, w2, s02);
            s12 = coopMultiplyAdd(x1, w2, s12);
            s22 = coopMultiplyAdd(x2, w2, s22);
            s32 = coopMultiplyAdd(x3, w2, s32);
            let w3 = coopLoad<Right>(&weight_tile[weight_at + 3u * SIDE * STRIDE], STRIDE);
            s03 = coopMultiplyAdd(x0, w3, s03);
            s13 = coopMultiplyAdd(x1, w3, s13);
            s23 = coopMultiplyAdd(x2, w3, s23);
            s33 = coopMultiplyAdd(x3, w3, s33);
        }
    }

    let row = first_row + my_rows;
    let mine = subgroup * SIDE * SIDE;
    coopStoreT(s00, &edge[mine], SIDE);
    store_edge(tile, my_tokens, row, thread);
    coopStoreT(s01, &edge[mine], SIDE);
    store_edge(tile, my_tokens, row + SIDE, thread);
    coopStoreT(s02, &edge[mine], SIDE);
    store_edge(tile, my_tokens, row + 2u * SIDE, thread);
    coopStoreT(s03, &edge[mine], SIDE);
    store_edge(tile, my_tokens, row + 3u * SIDE, thread);
    coopStoreT(s10, &edge[mine], SIDE);
    store_edge(tile, my_tokens + SIDE, row, thread);
    coopStoreT(s11, &edge[mine], SIDE);
    store_edge(tile, my_tokens + SIDE, row + SIDE, thread);
    coopStoreT(s12, &edge[mine], SIDE);
    store_edge(tile, my_tokens + SIDE, row + 2u * SIDE, thread);
    coopStoreT(s13, &edge[mine], SIDE);
    store_edge(tile, my_tokens + SIDE, row + 3u * SIDE, thread);
    coopStoreT(s20, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 2u * SIDE, row, thread);
    coopStoreT(s21, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 2u * SIDE, row + SIDE, thread);
    coopStoreT(s22, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 2u * SIDE, row + 2u * SIDE, thread);
    coopStoreT(s23, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 2u * SIDE, row + 3u * SIDE, thread);
    coopStoreT(s30, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 3u * SIDE, row, thread);
    coopStoreT(s31, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 3u * SIDE, row + SIDE, thread);
    coopStoreT(s32, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 3u * SIDE, row + 2u * SIDE, thread);
    coopStoreT(s33, &edge[mine], SIDE);
    store_edge(tile, my_tokens + 3u * SIDE, row + 3u * SIDE, thread);
}
