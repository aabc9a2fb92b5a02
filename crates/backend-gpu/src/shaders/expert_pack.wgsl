// Hidden values rounded to int8, by blocks of sixteen rows; a workgroup makes whole blocks.
@group(0) @binding(0) var<storage, read_write> weight_quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> weight_scales: array<f32>;

var<workgroup> weight_block: array<f32, BLOCK_ROWS>;

fn weight_four(i: u32) -> vec4<f32> {
    return vec4<f32>(
        weight_block[i], weight_block[i + 1u], weight_block[i + 2u], weight_block[i + 3u],
    );
}

// All threads call together.
fn pack_hidden(
    hidden_row: u32,
    row_block: u32,
    first_row: u32,
    thread: u32,
    values: ptr<function, array<f32, ROWS>>,
) {
    if thread % TEAM == 0u {
        for (var r = 0u; r < ROWS; r++) {
            weight_block[first_row % BLOCK_ROWS + r] = (*values)[r];
        }
    }
    workgroupBarrier();
    let row = row_block * BLOCK_ROWS + 16u * thread;
    if thread < BLOCK_ROWS / 16u && row < p.n_rows {
        let i = 16u * thread;
        let block = rounded_block(
            weight_four(i), weight_four(i + 4u), weight_four(i + 8u), weight_four(i + 12u),
        );
        let at = (hidden_row * p.n_rows + row) / 16u;
        weight_quants[at] = block.quants;
        weight_scales[at] = block.scale;
    }
}
