// The eight BF16 weights from `8 * index` on, counted over all rows.
fn weight_eight(index: u32) -> array<vec4<f32>, 2> {
    let eight = weight_values[index];
    return array<vec4<f32>, 2>(
        vec4<f32>(weight_pair(eight.x), weight_pair(eight.y)),
        vec4<f32>(weight_pair(eight.z), weight_pair(eight.w)),
    );
}
