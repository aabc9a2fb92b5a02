// Nobody asks for rounded values.
fn round_values(first: u32, thread: u32) {}
