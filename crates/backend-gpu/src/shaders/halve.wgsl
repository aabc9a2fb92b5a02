// Activations rounded to f16 for matrix units, four a thread.
struct Parameters {
    n_fours: u32,
}
var<immediate> p: Parameters;

enable f16;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> halves: array<vec4<f16>>;

// The largest f16.
const LARGEST: vec4<f32> = vec4<f32>(65504.0);

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (workgroup.y * grid.x + workgroup.x) * WORKGROUP + thread;
    if i < p.n_fours {
        halves[i] = vec4<f16>(clamp(x[i], -LARGEST, LARGEST));
    }
}
