// The 32 weights of group `index`, counted over all rows.
fn weight_group(index: u32) -> array<vec4<f32>, 8> {
    return weight_values_of(weight_words(index), index);
}
