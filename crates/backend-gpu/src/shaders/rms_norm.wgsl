// `out = x / sqrt(mean(x^2) + eps) * gain`, a workgroup for each row.
struct Parameters {
    width: u32,
    eps: f32,
}
var<immediate> p: Parameters;

// [n, width]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [n, width]
@group(0) @binding(1) var<storage, read> x: array<f32>;
// [width]
@group(0) @binding(2) var<storage, read> gain: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = workgroup.x * p.width;
    var squares: array<f32, SUMS>;
    for (var i = thread; i < p.width; i += WORKGROUP) {
        squares[0] += x[first + i] * x[first + i];
    }
    team_sums(&squares, thread);
    let scale = 1.0 / sqrt(squares[0] / f32(p.width) + p.eps);
    for (var i = thread; i < p.width; i += WORKGROUP) {
        out[first + i] = x[first + i] * scale * gain[i];
    }
}
