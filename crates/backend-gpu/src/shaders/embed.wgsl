// Looks up a row of the embedding table for each token and copies it to every stream.
//
// One thread decodes 32 values.
struct Parameters {
    n_streams: u32,
    columns: u32,
    n_groups: u32,
}
var<immediate> p: Parameters;

// [n_tokens, n_streams, columns]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [n_tokens]
@group(0) @binding(1) var<storage, read> tokens: array<u32>;

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let group = workgroup.x * 32u + thread;
    if group >= p.n_groups {
        return;
    }
    let values = weight_group(tokens[workgroup.y] * p.n_groups + group);
    let n = min(32u, p.columns - 32u * group);
    for (var stream = 0u; stream < p.n_streams; stream++) {
        let first = (workgroup.y * p.n_streams + stream) * p.columns + 32u * group;
        for (var i = 0u; i < n; i++) {
            out[first + i] = values[i / 4u][i % 4u];
        }
    }
}
