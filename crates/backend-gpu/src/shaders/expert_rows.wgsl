// Gates and ups of a team's rows (see expert_gate_up.wgsl), in any format.

// All threads call together, before any rows.
fn weight_rows_begin(thread: u32) {
    weight_gate_begin(thread);
    weight_up_begin(thread);
}

// Adds this lane's share of rows of `expert` to the sums: gates, then ups.
fn weight_rows(
    expert: u32,
    first_row: u32,
    lane: u32,
    first: u32,
    sums: ptr<function, array<f32, SUMS>>,
) {
    for (var group = lane; group < p.n_groups; group += TEAM) {
        for (var r = 0u; r < ROWS; r++) {
            let row = min(first_row + r, p.n_rows - 1u);
            let index = (expert * p.n_rows + row) * p.n_groups + group;
            (*sums)[r] += weight_gate_product(index, first, group, p.columns);
            (*sums)[ROWS + r] += weight_up_product(index, first, group, p.columns);
        }
    }
}
