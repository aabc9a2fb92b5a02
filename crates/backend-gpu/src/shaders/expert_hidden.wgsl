// Hidden values from gate and up values, in place of the gate: a thread for each.
struct Parameters {
    width: u32,
    limit: f32,
}
var<immediate> p: Parameters;

// [choices, width]
@group(0) @binding(0) var<storage, read_write> gate: array<f32>;
@group(0) @binding(1) var<storage, read> up: array<f32>;
// [choices]
@group(0) @binding(2) var<storage, read> weights: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = workgroup.x * 256u + thread;
    if i < p.width {
        let at = workgroup.y * p.width + i;
        gate[at] = swiglu(gate[at], up[at], p.limit) * weights[workgroup.y];
    }
}
