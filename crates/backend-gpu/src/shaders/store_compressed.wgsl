// A compressor's tasks in store_all.wgsl.

// [n_slots, INPUT_WIDTH]
@group(0) @binding(1) var<storage, read_write> state_values: array<f32>;
@group(0) @binding(2) var<storage, read_write> state_scores: array<f32>;
// [n, INPUT_WIDTH]
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> scores: array<f32>;
// [ratio, INPUT_WIDTH]: added to scores by position
@group(0) @binding(5) var<storage, read> ape: array<f32>;
// [WIDTH]
@group(0) @binding(6) var<storage, read> gain: array<f32>;

// Stores the row of the window that the token closes.
fn close(row: u32, n_slots: u32, thread: u32) {
    pool_row(p.first_position / p.ratio, 0u, n_slots, thread);
    pack_row(row, thread);
}

// Keeps channel `i` of the token's inputs.
fn remember(i: u32, n_slots: u32) {
    if i < INPUT_WIDTH {
        let slot = p.first_position % n_slots * INPUT_WIDTH + i;
        let at = p.first_row * INPUT_WIDTH + i;
        state_values[slot] = values[at];
        state_scores[slot] = scores[at] + ape[p.first_position % p.ratio * INPUT_WIDTH + i];
    }
}
