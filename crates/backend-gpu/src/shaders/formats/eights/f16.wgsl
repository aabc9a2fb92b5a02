// The eight F16 weights from `8 * index` on, counted over all rows.
fn weight_eight(index: u32) -> array<vec4<f32>, 2> {
    let eight = weight_values[index];
    return array<vec4<f32>, 2>(
        vec4<f32>(unpack2x16float(eight.x), unpack2x16float(eight.y)),
        vec4<f32>(unpack2x16float(eight.z), unpack2x16float(eight.w)),
    );
}
