// Products of Q8_0 weights with int8 activations.
fn weight_begin(thread: u32) {}

// The product of group `index` with the activations from `first + 32 * group` on.
fn weight_product(index: u32, first: u32, group: u32, columns: u32) -> f32 {
    let at = first / 32u + group;
    let scale = unpack2x16float(weight_scales[index / 2u] >> (16u * (index & 1u))).x;
    let low = packed_dot(weight_quants[2u * index], x_quants[2u * at]);
    let high = packed_dot(weight_quants[2u * index + 1u], x_quants[2u * at + 1u]);
    return scale * dot(vec2<f32>(f32(low), f32(high)), x_scales[at]);
}
