// The normed input stays as it is.
fn pack_normed(token: u32, channel: u32, thread: u32, value: f32) {}
