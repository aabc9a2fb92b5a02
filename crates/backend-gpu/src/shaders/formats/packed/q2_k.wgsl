// Products of Q2_K weights with int8 activations: two bits are small positive bytes, and the minimum
// meets the activations' sum. A scale of the weights covers sixteen, as one of the activations does.
fn weight_begin(thread: u32) {}

// The product of group `index` with the activations from `first + 32 * group` on.
fn weight_product(index: u32, first: u32, group: u32, columns: u32) -> f32 {
    let at = first / 32u + group;
    let block = index / 8u * 21u;
    let g = index & 7u;
    let scales = weight_blocks[block + g / 2u] >> (16u * (g & 1u));
    let d = unpack2x16float(weight_blocks[block + 20u]);
    let quants = block + 4u + 8u * (g / 4u);
    let shift = vec4<u32>(2u * (g & 3u));
    let three = vec4<u32>(0x03030303u);
    let low = (vec4<u32>(
        weight_blocks[quants],
        weight_blocks[quants + 1u],
        weight_blocks[quants + 2u],
        weight_blocks[quants + 3u],
    ) >> shift) & three;
    let high = (vec4<u32>(
        weight_blocks[quants + 4u],
        weight_blocks[quants + 5u],
        weight_blocks[quants + 6u],
        weight_blocks[quants + 7u],
    ) >> shift) & three;
    let x_low = x_quants[2u * at];
    let x_high = x_quants[2u * at + 1u];
    let products = vec2<f32>(f32(packed_dot(low, x_low)), f32(packed_dot(high, x_high)));
    let sums = vec2<f32>(f32(packed_sum(x_low)), f32(packed_sum(x_high)));
    let factors = vec2<f32>(vec2<u32>(scales & 15u, (scales >> 8u) & 15u));
    let minimums = vec2<f32>(vec2<u32>((scales >> 4u) & 15u, (scales >> 12u) & 15u));
    return dot(d.x * factors * products - d.y * minimums * sums, x_scales[at]);
}
