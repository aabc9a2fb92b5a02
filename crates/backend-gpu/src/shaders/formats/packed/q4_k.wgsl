// Products of Q4_K weights with int8 activations: nibbles are small positive bytes, and the minimum
// meets the activations' sum.
fn weight_begin(thread: u32) {}

// The product of group `index` with the activations from `first + 32 * group` on.
fn weight_product(index: u32, first: u32, group: u32, columns: u32) -> f32 {
    let at = first / 32u + group;
    let block = index / 8u * 9u;
    let g = index & 7u;
    let head = weight_blocks[block];
    let scale_min = unpack2x16float(head.x) * weight_scale_min(head, g);
    let quants = block + 1u + (g / 2u) * 2u;
    let shift = vec4<u32>(4u * (g & 1u));
    let low = (weight_blocks[quants] >> shift) & vec4<u32>(0x0f0f0f0fu);
    let high = (weight_blocks[quants + 1u] >> shift) & vec4<u32>(0x0f0f0f0fu);
    let x_low = x_quants[2u * at];
    let x_high = x_quants[2u * at + 1u];
    let products = vec2<f32>(f32(packed_dot(low, x_low)), f32(packed_dot(high, x_high)));
    let sums = vec2<f32>(f32(packed_sum(x_low)), f32(packed_sum(x_high)));
    return dot(scale_min.x * products - scale_min.y * sums, x_scales[at]);
}
