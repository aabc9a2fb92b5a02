// Makes a block of rows of one weight (see matvec.wgsl). All threads call together.
fn weight_rows(block: u32, n_rows: u32, thread: u32) {
    weight_begin(thread);
    let first_row = block * BLOCK_ROWS + thread / TEAM * ROWS;
    let lane = thread % TEAM;
    var sums: array<f32, SUMS>;
    // How often is known, so that reads of several steps are under way at once.
    for (var step = 0u; step < (GROUPS + TEAM - 1u) / TEAM; step++) {
        let group = step * TEAM + lane;
        if GROUPS % TEAM != 0u && group >= GROUPS {
            break;
        }
        for (var r = 0u; r < ROWS; r++) {
            // Behind the last row, that one again.
            let row = min(first_row + r, n_rows - 1u);
            let index = row * GROUPS + group;
            let part = row / p.rows_per_part * p.columns;
            for (var t = 0u; t < TOKENS; t++) {
                if t < p.n_tokens {
                    let first = t * p.x_width + part;
                    sums[r * TOKENS + t] += weight_product(index, first, group, p.columns);
                }
            }
        }
    }
    team_sums(&sums, thread);
    weight_store(first_row, n_rows, thread, &sums);
}
