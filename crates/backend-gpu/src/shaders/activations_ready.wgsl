// Activations need nothing done in front of a product.
fn activations_begin(thread: u32) {}
