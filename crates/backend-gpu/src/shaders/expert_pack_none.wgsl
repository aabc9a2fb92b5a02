// Hidden values stay as they are.
fn pack_hidden(
    hidden_row: u32,
    row_block: u32,
    first_row: u32,
    thread: u32,
    values: ptr<function, array<f32, ROWS>>,
) {}
