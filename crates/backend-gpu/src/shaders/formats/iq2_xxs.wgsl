// IQ2_XXS: 32 weights in two words, four points of a grid of 256 with eight signs each; a scale
// for 256 weights, kept apart (the 66-byte blocks of the file are not whole words).
@group(0) @binding(0) var<storage, read> weight_quants: array<vec2<u32>>;
// Two F16 scales a word.
@group(0) @binding(1) var<storage, read> weight_scales: array<u32>;
// Eight magnitudes of a byte each.
@group(0) @binding(2) var<storage, read> weight_grid: array<vec2<u32>>;

// Four magnitudes with the signs in the bits 0 to 3 of `signs`.
fn weight_signed(magnitudes: vec4<f32>, signs: u32) -> vec4<f32> {
    let turned = (vec4<u32>(signs) << vec4<u32>(31u, 30u, 29u, 28u)) & vec4<u32>(0x80000000u);
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(magnitudes) ^ turned);
}

// The 32 weights of group `index`, counted over all rows: an eighth of a block.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    let block = index / 8u;
    let d = unpack2x16float(weight_scales[block / 2u] >> (16u * (block & 1u))).x;
    let words = weight_quants[index];
    let scale = d * (0.5 + f32(words.y >> 28u)) * 0.25;
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        let point = weight_point((words.x >> (8u * i)) & 255u);
        // Seven signs are stored, the eighth makes the number of negative weights even.
        let seven = (words.y >> (7u * i)) & 127u;
        let signs = seven | (countOneBits(seven) << 7u);
        values[2u * i] = weight_signed(scale * vec4<f32>(unpack4xU8(point.x)), signs);
        values[2u * i + 1u] = weight_signed(scale * vec4<f32>(unpack4xU8(point.y)), signs >> 4u);
    }
    return values;
}
