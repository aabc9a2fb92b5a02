// Pools the windows that close in a run, and stores their rows: a workgroup for each window.
//
// The run has not touched the state yet (compress_remember.wgsl comes behind).
struct Parameters {
    first_row: u32,
    first_position: u32,
    // The first window that closes in the run.
    first_window: u32,
    // The first row that is bound.
    bound_from: u32,
    ratio: u32,
    n_slots: u32,
    // Rotated channel pairs at the end of the row.
    n_pairs: u32,
    norm_eps: f32,
}
var<immediate> p: Parameters;

// [n_slots, INPUT_WIDTH]
@group(0) @binding(1) var<storage, read> state_values: array<f32>;
@group(0) @binding(2) var<storage, read> state_scores: array<f32>;
// [n, INPUT_WIDTH]
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> scores: array<f32>;
// [ratio, INPUT_WIDTH]: added to scores by position
@group(0) @binding(5) var<storage, read> ape: array<f32>;
// [WIDTH]
@group(0) @binding(6) var<storage, read> gain: array<f32>;
// [windows, n_pairs]: cosine and sine at the window's first position
@group(0) @binding(7) var<storage, read> row_angles: array<vec2<f32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let window = p.first_window + workgroup.x;
    pool_row(window, workgroup.x * p.n_pairs, p.n_slots, thread);
    pack_row(window - p.bound_from, thread);
}
