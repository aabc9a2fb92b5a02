// Q2_K: blocks of 256 weights in 84 bytes, 21 words as stored: sixteen bytes of scales (low four
// bits) and minimums (high), 64 bytes of 2-bit values, then d and dmin.
@group(0) @binding(0) var<storage, read> weight_blocks: array<u32>;

// The 32 weights of group `index`, counted over all rows: two of a block's sixteen subgroups.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    let block = index / 8u * 21u;
    let g = index & 7u;
    let scales = weight_blocks[block + g / 2u] >> (16u * (g & 1u));
    let d = unpack2x16float(weight_blocks[block + 20u]);
    let first = d * vec2<f32>(vec2<u32>(scales & 15u, (scales >> 4u) & 15u));
    let second = d * vec2<f32>(vec2<u32>((scales >> 8u) & 15u, (scales >> 12u) & 15u));
    let quants = block + 4u + 8u * (g / 4u);
    let shift = 2u * (g & 3u);
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        let low = unpack4xU8((weight_blocks[quants + i] >> shift) & 0x03030303u);
        let high = unpack4xU8((weight_blocks[quants + 4u + i] >> shift) & 0x03030303u);
        values[i] = first.x * vec4<f32>(low) - first.y;
        values[4u + i] = second.x * vec4<f32>(high) - second.y;
    }
    return values;
}
