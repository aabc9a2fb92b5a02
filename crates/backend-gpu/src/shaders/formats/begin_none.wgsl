// The format looks nothing up.
fn weight_begin(thread: u32) {}
