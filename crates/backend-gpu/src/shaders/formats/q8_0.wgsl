// Q8_0: 32 signed bytes a block, scales apart (the 34-byte blocks of the file are not whole words).
@group(0) @binding(0) var<storage, read> weight_quants: array<vec4<u32>>;
// Two F16 scales a word.
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>;

// The 32 weights of group `index`, counted over all rows: one block. With the sign bit turned, bytes are
// 128 too large and have no sign.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    let scale = unpack2x16float(weight_scales[index / 2u] >> (16u * (index & 1u))).x;
    let low = weight_quants[index * 2u] ^ vec4<u32>(0x80808080u);
    let high = weight_quants[index * 2u + 1u] ^ vec4<u32>(0x80808080u);
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        values[i] = scale * (weight_bytes(low[i]) - 128.0);
        values[4u + i] = scale * (weight_bytes(high[i]) - 128.0);
    }
    return values;
}
