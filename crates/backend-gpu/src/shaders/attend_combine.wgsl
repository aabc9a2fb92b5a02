// Puts the partial sums of a head together, in the order of its rows: a workgroup for each head of
// a token.
struct Parameters {
    first_row: u32,
    n_heads: u32,
    n_splits: u32,
}
var<immediate> p: Parameters;

// [n, n_heads, WIDTH]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [tokens of the run, n_heads, n_splits, 2 + WIDTH]: largest score, sum of weights, weighted sum
@group(0) @binding(1) var<storage, read> partials: array<f32>;
// [n_heads]
@group(0) @binding(2) var<storage, read> sinks: array<f32>;

const STRIDE: u32 = 2u + WIDTH;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let head = workgroup.x;
    let first = (workgroup.y * p.n_heads + head) * p.n_splits * STRIDE;
    var largest = sinks[head];
    for (var i = 0u; i < p.n_splits; i++) {
        largest = max(largest, partials[first + i * STRIDE]);
    }
    var total = exp(sinks[head] - largest);
    for (var i = 0u; i < p.n_splits; i++) {
        let at = first + i * STRIDE;
        total += partials[at + 1u] * exp(partials[at] - largest);
    }
    let out_first = ((p.first_row + workgroup.y) * p.n_heads + head) * WIDTH;
    for (var channel = thread; channel < WIDTH; channel += 128u) {
        var sum = 0.0;
        for (var i = 0u; i < p.n_splits; i++) {
            let at = first + i * STRIDE;
            sum += partials[at + 2u + channel] * exp(partials[at] - largest);
        }
        out[out_first + channel] = sum / total;
    }
}
