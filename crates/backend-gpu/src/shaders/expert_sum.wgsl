// Adds the results of a token's experts in their order: a thread for each value.
struct Parameters {
    width: u32,
    n_chosen: u32,
    // Whether to add to what `out` holds.
    adds: u32,
}
var<immediate> p: Parameters;

// [n, width]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [n, n_chosen, width]
@group(0) @binding(1) var<storage, read> down: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = workgroup.x * 256u + thread;
    if i >= p.width {
        return;
    }
    let token = workgroup.y;
    var sum = 0.0;
    for (var choice = 0u; choice < p.n_chosen; choice++) {
        sum += down[(token * p.n_chosen + choice) * p.width + i];
    }
    let at = token * p.width + i;
    if p.adds == 1u {
        sum += out[at];
    }
    out[at] = sum;
}
