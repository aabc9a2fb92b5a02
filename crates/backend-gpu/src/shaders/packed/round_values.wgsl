// Rounds the FOURS vectors of `values` to int8, from vector `first` of the output on.
@group(0) @binding(5) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read_write> scales: array<f32>;

fn round_values(first: u32, thread: u32) {
    if thread < FOURS / 4u {
        let i = 4u * thread;
        let block = rounded_block(values[i], values[i + 1u], values[i + 2u], values[i + 3u]);
        quants[first / 4u + thread] = block.quants;
        scales[first / 4u + thread] = block.scale;
    }
}
