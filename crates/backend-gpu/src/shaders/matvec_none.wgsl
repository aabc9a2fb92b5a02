// A weight that there is not.
fn weight_rows(block: u32, n_rows: u32, thread: u32) {}
