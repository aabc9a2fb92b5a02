// MXFP4: 32 E2M1 codes in 16 bytes, the first half of the weights in the low nibbles; scales apart
// (the 17-byte blocks of the file are not whole words).
@group(0) @binding(0) var<storage, read> weight_quants: array<vec4<u32>>;
// Four E8M0 scales a word.
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>;

fn weight_value(code: u32) -> f32 {
    let exponent = (code >> 1u) & 3u;
    let normal = bitcast<f32>(((exponent + 126u) << 23u) | ((code & 1u) << 22u));
    let magnitude = select(normal, 0.5 * f32(code & 1u), exponent == 0u);
    return select(magnitude, -magnitude, (code & 8u) != 0u);
}

fn weight_four(nibbles: u32) -> vec4<f32> {
    return vec4<f32>(
        weight_value(nibbles & 15u),
        weight_value((nibbles >> 8u) & 15u),
        weight_value((nibbles >> 16u) & 15u),
        weight_value((nibbles >> 24u) & 15u),
    );
}

// The 32 weights of group `index`, counted over all rows: one block.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    let code = (weight_scales[index / 4u] >> (8u * (index & 3u))) & 255u;
    // Code 0 is 2^-127, below the normal floats.
    let scale = select(bitcast<f32>(code << 23u), bitcast<f32>(1u << 22u), code == 0u);
    let quants = weight_quants[index];
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        values[i] = scale * weight_four(quants[i]);
        values[4u + i] = scale * weight_four(quants[i] >> 4u);
    }
    return values;
}
