// IQ2_XXS: 32 weights in two words, four points of a grid of 256 with eight signs each; a scale
// for 256 weights, kept apart (the 66-byte blocks of the file are not whole words).
@group(0) @binding(0) var<storage, read> weight_quants: array<vec2<u32>>;
// Two F16 scales a word.
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>;
// Eight magnitudes of a byte each.
@group(0) @binding(2) var<storage, read> weight_grid: array<vec2<u32>>;

// 1 or -1 by the bits 0 to 3 of `bits`.
fn weight_signs(bits: u32) -> vec4<f32> {
    let negative = (vec4<u32>(bits) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    return vec4<f32>(1.0) - 2.0 * vec4<f32>(negative);
}

// The 32 weights of group `index`, counted over all rows: an eighth of a block.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    let block = index / 8u;
    let d = unpack2x16float(weight_scales[block / 2u] >> (16u * (block & 1u))).x;
    let words = weight_quants[index];
    let scale = d * (0.5 + f32(words.y >> 28u)) * 0.25;
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        let point = weight_grid[(words.x >> (8u * i)) & 255u];
        // Seven signs are stored, the eighth makes the number of negative weights even.
        let seven = (words.y >> (7u * i)) & 127u;
        let signs = seven | ((countOneBits(seven) & 1u) << 7u);
        values[2u * i] = scale * vec4<f32>(unpack4xU8(point.x)) * weight_signs(signs);
        values[2u * i + 1u] = scale * vec4<f32>(unpack4xU8(point.y)) * weight_signs(signs >> 4u);
    }
    return values;
}
