// A sum over `x` for each thread: what reading costs when nothing else is done. A workgroup reads
// `VECTORS * WORKGROUP` vectors in a row, its threads side by side.
struct Parameters {
    n_vectors: u32,
}
var<immediate> p: Parameters;

// [workgroups * WORKGROUP]
@group(0) @binding(0) var<storage, read_write> sums: array<u32>;
// [n_vectors]
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = workgroup.x * (VECTORS * WORKGROUP) + thread;
    var sum = vec4<u32>(0u);
    for (var i = 0u; i < VECTORS; i += 1u) {
        let vector = first + i * WORKGROUP;
        if (vector < p.n_vectors) {
            sum += x[vector];
        }
    }
    sums[workgroup.x * WORKGROUP + thread] = sum.x + sum.y + sum.z + sum.w;
}
