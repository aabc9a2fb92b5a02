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
    // How often is known, so that reads of several steps are under way at once.
    for (var step = 0u; step < (GROUPS + TEAM - 1u) / TEAM; step++) {
        let group = step * TEAM + lane;
        if GROUPS % TEAM != 0u && group >= GROUPS {
            break;
        }
        for (var r = 0u; r < ROWS; r++) {
            let row = min(first_row + r, p.n_rows - 1u);
            let index = (expert * p.n_rows + row) * GROUPS + group;
            (*sums)[r] += weight_gate_product(index, first, group, p.columns);
            (*sums)[ROWS + r] += weight_up_product(index, first, group, p.columns);
        }
    }
}
