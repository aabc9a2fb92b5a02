// The product of 32 weights with f32 activations, for formats and devices without a better one.
fn weight_begin(thread: u32) {}

// The product of group `index` with the activations from `first + 32 * group` on.
fn weight_product(index: u32, first: u32, group: u32, columns: u32) -> f32 {
    return group_product(weight_group(index), first, group, columns);
}
