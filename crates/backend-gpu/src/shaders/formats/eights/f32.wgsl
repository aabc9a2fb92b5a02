// The eight F32 weights from `8 * index` on, counted over all rows.
fn weight_eight(index: u32) -> array<vec4<f32>, 2> {
    return array<vec4<f32>, 2>(weight_values[2u * index], weight_values[2u * index + 1u]);
}
