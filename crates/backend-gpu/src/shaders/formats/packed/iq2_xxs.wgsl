// Products of IQ2_XXS weights with int8 activations: points of the grid are bytes, and signs
// choose bytes four at a time.

// The grid in workgroup memory: lanes look up different points.
var<workgroup> weight_points: array<vec2<u32>, 256>;

// Fills the grid. All threads call together, before any product.
fn weight_begin(thread: u32) {
    for (var i = thread; i < 256u; i += WORKGROUP) {
        weight_points[i] = weight_grid[i];
    }
    workgroupBarrier();
}

// The product of eight weights with their activations: all of a point's magnitudes, less those with
// a minus twice.
fn weight_eight(point: vec2<u32>, seven: u32, x: vec2<u32>) -> i32 {
    // Seven signs are stored, the eighth makes the number of negative weights even. Four copies of
    // the seven, each seven bits further, hold a sign in the lowest bit of every byte, and four
    // bits up another; the eighth goes where the copies end.
    let spread = seven * 0x00204081u + (countOneBits(seven) << 28u);
    let low = point.x & ((spread & 0x01010101u) * 255u);
    let high = point.y & (((spread >> 4u) & 0x01010101u) * 255u);
    let all = dot4I8Packed(point.x, x.x) + dot4I8Packed(point.y, x.y);
    return all - 2 * (dot4I8Packed(low, x.x) + dot4I8Packed(high, x.y));
}

// The product of the sixteen weights from point `i` on.
fn weight_sixteen(words: vec2<u32>, i: u32, x: vec4<u32>) -> f32 {
    let a = weight_points[(words.x >> (8u * i)) & 255u];
    let b = weight_points[(words.x >> (8u * i + 8u)) & 255u];
    let a_signs = (words.y >> (7u * i)) & 127u;
    let b_signs = (words.y >> (7u * i + 7u)) & 127u;
    return f32(weight_eight(a, a_signs, x.xy) + weight_eight(b, b_signs, x.zw));
}

// The product of group `index` with the activations from `first + 32 * group` on.
fn weight_product(index: u32, first: u32, group: u32, columns: u32) -> f32 {
    let at = first / 32u + group;
    let block = index / 8u;
    let d = unpack2x16float(weight_scales[block / 2u] >> (16u * (block & 1u))).x;
    let words = weight_quants[index];
    let scale = d * (0.5 + f32(words.y >> 28u)) * 0.25;
    let products = vec2<f32>(
        weight_sixteen(words, 0u, x_quants[2u * at]),
        weight_sixteen(words, 2u, x_quants[2u * at + 1u]),
    );
    return scale * dot(products, x_scales[at]);
}
