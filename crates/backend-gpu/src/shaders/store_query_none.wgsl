// Index queries that there are not.
fn round_query(head: u32, thread: u32) {}
