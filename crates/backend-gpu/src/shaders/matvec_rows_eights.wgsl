// Makes a block of rows of one weight of plain floats (see matvec.wgsl): a thread takes every TEAM-th
// eight columns, so that what neighbours read lies side by side. All threads call together.
fn weight_rows(block: u32, n_rows: u32, thread: u32) {
    let first_row = block * BLOCK_ROWS + thread / TEAM * ROWS;
    var sums: array<f32, SUMS>;
    for (var step = 0u; step < (4u * GROUPS + TEAM - 1u) / TEAM; step++) {
        let i = step * TEAM + thread % TEAM;
        if 4u * GROUPS % TEAM != 0u && i >= 4u * GROUPS {
            break;
        }
        for (var r = 0u; r < ROWS; r++) {
            // Behind the last row, that one again.
            let row = min(first_row + r, n_rows - 1u);
            let eight = weight_eight(row * 4u * GROUPS + i);
            let part = row / p.rows_per_part * p.columns;
            for (var t = 0u; t < TOKENS; t++) {
                if t < p.n_tokens {
                    let at = (t * p.x_width + part) / 4u + 2u * i;
                    sums[r * TOKENS + t] += dot(eight[0], x_four(at)) + dot(eight[1], x_four(at + 1u));
                }
            }
        }
    }
    team_sums(&sums, thread);
    weight_store(first_row, n_rows, thread, &sums);
}
