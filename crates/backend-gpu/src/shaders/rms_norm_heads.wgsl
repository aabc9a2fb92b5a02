// `x = x / sqrt(mean(x^2) + eps)` over each head in place, a workgroup for each head.
struct Parameters {
    head_dim: u32,
    n_heads: u32,
    eps: f32,
}
var<immediate> p: Parameters;

// [n, n_heads, head_dim]
@group(0) @binding(0) var<storage, read_write> x: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (workgroup.y * p.n_heads + workgroup.x) * p.head_dim;
    var squares: array<f32, SUMS>;
    for (var i = thread; i < p.head_dim; i += WORKGROUP) {
        squares[0] += x[first + i] * x[first + i];
    }
    team_sums(&squares, thread);
    let scale = 1.0 / sqrt(squares[0] / f32(p.head_dim) + p.eps);
    for (var i = thread; i < p.head_dim; i += WORKGROUP) {
        x[first + i] *= scale;
    }
}
