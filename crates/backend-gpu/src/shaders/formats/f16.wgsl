// F16 weights: rows filled up with zeros to whole groups of 32.
@group(0) @binding(0) var<storage, read> weight_values: array<vec4<u32>>;

// The 32 weights of group `index`, counted over all rows.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    var values: array<vec4<f32>, 8>;
    for (var i = 0u; i < 4u; i++) {
        let eight = weight_values[index * 4u + i];
        values[2u * i] = vec4<f32>(unpack2x16float(eight.x), unpack2x16float(eight.y));
        values[2u * i + 1u] = vec4<f32>(unpack2x16float(eight.z), unpack2x16float(eight.w));
    }
    return values;
}
