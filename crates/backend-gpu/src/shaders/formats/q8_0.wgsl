// Q8_0: 32 signed bytes a block, scales apart (the 34-byte blocks of the file are not whole words).
@group(0) @binding(0) var<storage, read> weight_quants: array<vec4<u32>>;
// Two F16 scales a word.
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>;

// The 32 weights of group `index`, counted over all rows: one block.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    let scale = unpack2x16float(weight_scales[index / 2u] >> (16u * (index & 1u))).x;
    let low = weight_quants[index * 2u];
    let high = weight_quants[index * 2u + 1u];
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        values[i] = scale * vec4<f32>(unpack4xI8(low[i]));
        values[4u + i] = scale * vec4<f32>(unpack4xI8(high[i]));
    }
    return values;
}
