// The normed input rounded to int8, by blocks of sixteen channels.
@group(0) @binding(7) var<storage, read_write> normed_quants: array<vec4<u32>>;
@group(0) @binding(8) var<storage, read_write> normed_scales: array<f32>;

// Blocks of sixteen with a gap, so that threads that read a block each do not meet in a bank.
var<workgroup> block_values: array<f32, 272>;

fn block_four(i: u32) -> vec4<f32> {
    return vec4<f32>(
        block_values[i], block_values[i + 1u], block_values[i + 2u], block_values[i + 3u],
    );
}

// All threads of a workgroup call together, with their channels in order.
fn pack_normed(token: u32, channel: u32, thread: u32, value: f32) {
    block_values[thread + thread / 16u] = value;
    workgroupBarrier();
    if thread < 16u {
        let i = 17u * thread;
        let block =
            rounded_block(block_four(i), block_four(i + 4u), block_four(i + 8u), block_four(i + 12u));
        let at = (token * p.hidden_size + channel - thread) / 16u + thread;
        normed_quants[at] = block.quants;
        normed_scales[at] = block.scale;
    }
}
