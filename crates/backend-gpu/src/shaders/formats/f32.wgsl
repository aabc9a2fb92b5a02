// F32 weights: rows filled up with zeros to whole groups of 32.
@group(0) @binding(0) var<storage, read> weight_values: array<vec4<f32>>;

// The 32 weights of group `index`, counted over all rows.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 8u; i++) {
        values[i] = weight_values[index * 8u + i];
    }
    return values;
}
