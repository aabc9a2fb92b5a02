// Stores the sixteen rows of a workgroup for one token, also rounded to int8.
@group(0) @binding(0) var<storage, read_write> weight_out_quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> weight_out_scales: array<f32>;

// Single values: a store to a part of a vector may be a store of all of it.
var<workgroup> weight_block: array<f32, 16>;

fn weight_block_four(i: u32) -> vec4<f32> {
    return vec4<f32>(
        weight_block[i], weight_block[i + 1u], weight_block[i + 2u], weight_block[i + 3u],
    );
}

fn weight_store(
    first_row: u32,
    n_rows: u32,
    thread: u32,
    sums: ptr<function, array<f32, SUMS>>,
) {
    if thread % TEAM == 0u {
        for (var r = 0u; r < ROWS; r++) {
            weight_block[(first_row + r) % 16u] = (*sums)[r];
            weight_out[first_row + r] = (*sums)[r];
        }
    }
    workgroupBarrier();
    if thread == 0u {
        let block = rounded_block(
            weight_block_four(0u), weight_block_four(4u), weight_block_four(8u), weight_block_four(12u),
        );
        weight_out_quants[first_row / 16u] = block.quants;
        weight_out_scales[first_row / 16u] = block.scale;
    }
}
