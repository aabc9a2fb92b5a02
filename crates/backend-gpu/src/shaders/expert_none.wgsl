// A matrix that there is not.
fn weight_begin(thread: u32) {}

fn weight_product(index: u32, first: u32, group: u32, columns: u32) -> f32 {
    return 0.0;
}
