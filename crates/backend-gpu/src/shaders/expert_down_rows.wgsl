// A lane's share of a value of the routed experts (see expert_down.wgsl), in any format.
fn weight_share(token: u32, row: u32, lane: u32) -> f32 {
    let first_choice = token * (p.n_chosen + SHARED);
    var sum = 0.0;
    for (var i = 0u; i < p.n_chosen; i++) {
        let index = (experts[token * p.n_chosen + i] * p.n_rows + row) * GROUPS;
        let first = (first_choice + i) * p.columns;
        for (var group = lane; group < GROUPS; group += TEAM) {
            sum += weight_product(index + group, first, group, p.columns);
        }
    }
    return sum;
}
