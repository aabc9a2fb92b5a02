// Puts the last inputs of a run into the compressor's slots, position bias added: a thread for each
// channel.
struct Parameters {
    // Row and position of the first input that is kept.
    first_row: u32,
    first_position: u32,
    width: u32,
    ratio: u32,
    n_slots: u32,
}
var<immediate> p: Parameters;

// [n_slots, width]
@group(0) @binding(0) var<storage, read_write> state_values: array<f32>;
@group(0) @binding(1) var<storage, read_write> state_scores: array<f32>;
// [n, width]
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> scores: array<f32>;
// [ratio, width]
@group(0) @binding(4) var<storage, read> ape: array<f32>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = workgroup.x * 128u + thread;
    if i >= p.width {
        return;
    }
    let position = p.first_position + workgroup.y;
    let slot = position % p.n_slots * p.width + i;
    let at = (p.first_row + workgroup.y) * p.width + i;
    state_values[slot] = values[at];
    state_scores[slot] = scores[at] + ape[position % p.ratio * p.width + i];
}
