// Rounds activations to int8, a thread for each block of sixteen.
struct Parameters {
    n_blocks: u32,
}
var<immediate> p: Parameters;

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> quants: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> scales: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) n_workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = (workgroup.y * n_workgroups.x + workgroup.x) * WORKGROUP + thread;
    if i < p.n_blocks {
        let block = rounded_block(x[4u * i], x[4u * i + 1u], x[4u * i + 2u], x[4u * i + 3u]);
        quants[i] = block.quants;
        scales[i] = block.scale;
    }
}
