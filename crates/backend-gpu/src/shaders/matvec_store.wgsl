// Stores a team's rows.
fn weight_store(
    first_row: u32,
    n_rows: u32,
    thread: u32,
    sums: ptr<function, array<f32, SUMS>>,
) {
    if thread % TEAM != 0u {
        return;
    }
    for (var r = 0u; r < ROWS; r++) {
        for (var t = 0u; t < TOKENS; t++) {
            if first_row + r < n_rows && t < p.n_tokens {
                weight_out[t * n_rows + first_row + r] = (*sums)[r * TOKENS + t];
            }
        }
    }
}
