// BF16 weights, the upper halves of f32: rows filled up with zeros to whole groups of 32.
@group(0) @binding(0) var<storage, read> weight_values: array<vec4<u32>>;

fn weight_pair(word: u32) -> vec2<f32> {
    return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
}

// The 32 weights of group `index`, counted over all rows.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        let eight = weight_values[index * 4u + i];
        values[2u * i] = vec4<f32>(weight_pair(eight.x), weight_pair(eight.y));
        values[2u * i + 1u] = vec4<f32>(weight_pair(eight.z), weight_pair(eight.w));
    }
    return values;
}
