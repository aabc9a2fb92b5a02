// Rotates the last channels of each head in place, a thread for each pair of channels.
struct Parameters {
    n_heads: u32,
    head_dim: u32,
    n_pairs: u32,
    // 1, or -1 to undo a rotation.
    direction: f32,
}
var<immediate> p: Parameters;

// [n, n_heads, head_dim]
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
// [n, n_pairs]: cosine and sine at the row's position
@group(0) @binding(1) var<storage, read> angles: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = workgroup.x * 64u + thread;
    if i >= p.n_heads * p.n_pairs {
        return;
    }
    let row = workgroup.y;
    let head = i / p.n_pairs;
    let pair = i % p.n_pairs;
    let angle = angles[row * p.n_pairs + pair];
    let sine = angle.y * p.direction;
    let at = (row * p.n_heads + head + 1u) * p.head_dim - 2u * (p.n_pairs - pair);
    let a = x[at];
    let b = x[at + 1u];
    x[at] = a * angle.x - b * sine;
    x[at + 1u] = a * sine + b * angle.x;
}
