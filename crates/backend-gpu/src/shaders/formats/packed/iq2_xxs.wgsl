// Products of IQ2_XXS weights with int8 activations: points of the grid are bytes, negated by their
// sign bits four at a time.

// The grid in workgroup memory: lanes look up different points.
var<workgroup> weight_points: array<vec2<u32>, 256>;

// Fills the grid. All threads call together, before any product.
fn weight_begin(thread: u32) {
    for (var i = thread; i < 256u; i += WORKGROUP) {
        weight_points[i] = weight_grid[i];
    }
    workgroupBarrier();
}

// A byte of ones for each of four bits.
fn weight_mask(bits: u32) -> u32 {
    return (((bits & 15u) * 0x00204081u) & 0x01010101u) * 255u;
}

// Negates the bytes under the mask; none of them is zero, so nothing is carried.
fn weight_negated(bytes: u32, mask: u32) -> u32 {
    return (bytes ^ mask) + (mask & 0x01010101u);
}

// Eight signed weights.
fn weight_eight(words: vec2<u32>, i: u32) -> vec2<u32> {
    let point = weight_points[(words.x >> (8u * i)) & 255u];
    // Seven signs are stored, the eighth makes the number of negative weights even.
    let seven = (words.y >> (7u * i)) & 127u;
    let signs = seven | ((countOneBits(seven) & 1u) << 7u);
    return vec2<u32>(
        weight_negated(point.x, weight_mask(signs)),
        weight_negated(point.y, weight_mask(signs >> 4u)),
    );
}

// The product of group `index` with the activations from `first + 32 * group` on.
fn weight_product(index: u32, first: u32, group: u32, columns: u32) -> f32 {
    let at = first / 32u + group;
    let block = index / 8u;
    let d = unpack2x16float(weight_scales[block / 2u] >> (16u * (block & 1u))).x;
    let words = weight_quants[index];
    let low = vec4<u32>(weight_eight(words, 0u), weight_eight(words, 1u));
    let high = vec4<u32>(weight_eight(words, 2u), weight_eight(words, 3u));
    let scale = d * (0.5 + f32(words.y >> 28u)) * 0.25;
    let products = vec2<f32>(
        f32(packed_dot(low, x_quants[2u * at])),
        f32(packed_dot(high, x_quants[2u * at + 1u])),
    );
    return scale * dot(products, x_scales[at]);
}
