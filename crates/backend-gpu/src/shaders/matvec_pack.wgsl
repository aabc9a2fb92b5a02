// Stores the sixteen rows of a workgroup for one token, also rounded to int8.
@group(0) @binding(0) var<storage, read_write> weight_out_quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> weight_out_scales: array<f32>;

var<workgroup> weight_block: array<vec4<f32>, 4>;

fn weight_store(
    first_row: u32,
    n_rows: u32,
    thread: u32,
    sums: ptr<function, array<f32, SUMS>>,
) {
    if thread % TEAM == 0u {
        for (var r = 0u; r < ROWS; r++) {
            let i = (first_row + r) % 16u;
            weight_block[i / 4u][i % 4u] = (*sums)[r];
            weight_out[first_row + r] = (*sums)[r];
        }
    }
    workgroupBarrier();
    if thread == 0u {
        let block = rounded_block(weight_block[0], weight_block[1], weight_block[2], weight_block[3]);
        weight_out_quants[first_row / 16u] = block.quants;
        weight_out_scales[first_row / 16u] = block.scale;
    }
}
