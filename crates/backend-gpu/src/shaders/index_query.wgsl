// Rounds index queries as the keys they meet: transform and FP4, back to f32. A workgroup for each
// head of a token.
struct Parameters {
    first_row: u32,
    n_heads: u32,
}
var<immediate> p: Parameters;

// [tokens of the run, n_heads, WIDTH]
@group(0) @binding(0) var<storage, read_write> rounded: array<f32>;
// [n, n_heads, WIDTH]
@group(0) @binding(1) var<storage, read> queries: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = ((p.first_row + workgroup.y) * p.n_heads + workgroup.x) * WIDTH;
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        row_values[i] = queries[first + i];
    }
    transform_row(thread);
    let out = (workgroup.y * p.n_heads + workgroup.x) * WIDTH;
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        let exponent = group_exponents[i / 32u];
        let value = e2m1_value(e2m1_code(row_values[i], exponent));
        rounded[out + i] = value * power_of_two(u32(exponent + 127));
    }
}
