// Q4_K: blocks of 256 weights in 144 bytes, nine vectors of words as stored: a head (d, dmin and
// twelve bytes of scales and minimums), then 128 bytes of nibbles.
@group(0) @binding(0) var<storage, read> weight_blocks: array<vec4<u32>>;

fn weight_byte(word: u32, i: u32) -> u32 {
    return (word >> (8u * i)) & 255u;
}

// Scale and minimum of group `g` of a block, six bits each.
fn weight_scale_min(head: vec4<u32>, g: u32) -> vec2<f32> {
    let i = g & 3u;
    if g < 4u {
        return vec2<f32>(vec2<u32>(weight_byte(head.y, i), weight_byte(head.z, i)) & vec2<u32>(63u));
    }
    let low = weight_byte(head.w, i);
    let scale = (low & 15u) | ((weight_byte(head.y, i) >> 6u) << 4u);
    let minimum = (low >> 4u) | ((weight_byte(head.z, i) >> 6u) << 4u);
    return vec2<f32>(vec2<u32>(scale, minimum));
}

// The 32 weights of group `index`, counted over all rows: an eighth of a block.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    let block = index / 8u * 9u;
    let g = index & 7u;
    let head = weight_blocks[block];
    let scale_min = unpack2x16float(head.x) * weight_scale_min(head, g);
    let quants = block + 1u + (g / 2u) * 2u;
    let shift = vec4<u32>(4u * (g & 1u));
    let low = (weight_blocks[quants] >> shift) & vec4<u32>(0x0f0f0f0fu);
    let high = (weight_blocks[quants + 1u] >> shift) & vec4<u32>(0x0f0f0f0fu);
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        values[i] = scale_min.x * vec4<f32>(unpack4xU8(low[i])) - scale_min.y;
        values[4u + i] = scale_min.x * vec4<f32>(unpack4xU8(high[i])) - scale_min.y;
    }
    return values;
}
