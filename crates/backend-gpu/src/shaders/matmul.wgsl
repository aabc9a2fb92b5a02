// Products of a weight with many rows of activations: prefill, by plain tiles.
//
// A workgroup of 256 threads makes a tile of 64 weight rows by TOKENS tokens. Both sides pass
// through workgroup memory 32 columns at a time, so a block of weights is decoded once for all
// tokens of the tile; a thread keeps 4 rows by TOKENS / 16 tokens in registers. Which rows of
// activations and weights meet is told by `tile_at`, `x_row` and `out_row` of the part in front:
// dense products take them in order, experts by lists.
var<workgroup> weight_tile: array<f32, 32 * 64>;
var<workgroup> x_tile: array<f32, 32 * TOKENS>;

const TOKENS_PER_THREAD: u32 = TOKENS / 16u;

// [rows, out_width]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;

// Decodes 32 columns of 64 rows; thread r takes row r.
fn fill_weight_tile(tile: Tile, first_row: u32, group: u32, thread: u32) {
    if thread < 64u {
        var values: array<vec4<f32>, 8>;
        if first_row + thread < p.n_rows {
            values = weight_group((tile.first_weight_row + first_row + thread) * p.n_groups + group);
        }
        for (var i = 0u; i < 8u; i++) {
            for (var j = 0u; j < 4u; j++) {
                weight_tile[(4u * i + j) * 64u + thread] = values[i][j];
            }
        }
    }
}

// Reads 32 columns of TOKENS rows of activations, four at a time.
fn fill_x_tile(tile: Tile, group: u32, thread: u32) {
    for (var i = thread; i < TOKENS * 8u; i += 256u) {
        let token = i / 8u;
        let column = 4u * (i % 8u);
        var four = vec4<f32>(0.0);
        if token < tile.n_tokens {
            let first = x_row(tile, token) * p.x_width + tile.first_column;
            four = activations_at(first, 32u * group + column, p.columns);
        }
        for (var j = 0u; j < 4u; j++) {
            x_tile[(column + j) * TOKENS + token] = four[j];
        }
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = tile_at(workgroup);
    if tile.n_tokens == 0u {
        return;
    }
    let first_row = workgroup.x * 64u;
    let my_row = 4u * (thread % 16u);
    let my_token = TOKENS_PER_THREAD * (thread / 16u);
    var sums: array<vec4<f32>, TOKENS_PER_THREAD>;
    for (var group = 0u; group < p.n_groups; group++) {
        workgroupBarrier();
        fill_weight_tile(tile, first_row, group, thread);
        fill_x_tile(tile, group, thread);
        workgroupBarrier();
        for (var k = 0u; k < 32u; k++) {
            let at = k * 64u + my_row;
            let four = vec4<f32>(
                weight_tile[at], weight_tile[at + 1u], weight_tile[at + 2u], weight_tile[at + 3u],
            );
            for (var t = 0u; t < TOKENS_PER_THREAD; t++) {
                sums[t] += four * x_tile[k * TOKENS + my_token + t];
            }
        }
    }
    for (var t = 0u; t < TOKENS_PER_THREAD; t++) {
        if my_token + t < tile.n_tokens {
            let first = out_row(tile, my_token + t) * p.out_width + tile.first_out;
            for (var j = 0u; j < 4u; j++) {
                if first_row + my_row + j < p.n_rows {
                    out[first + first_row + my_row + j] = sums[t][j];
                }
            }
        }
    }
}
