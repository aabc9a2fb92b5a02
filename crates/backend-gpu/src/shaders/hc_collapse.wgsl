// What mixing and the head share: gates from projections, and streams collapsed by pre gates.
struct Parameters {
    hidden_size: u32,
    // Rows of the mixing projection.
    n_rows: u32,
    n_iterations: u32,
    eps: f32,
    norm_eps: f32,
}
var<immediate> p: Parameters;

// [n, hidden_size]
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
// [n, N_STREAMS, hidden_size]
@group(0) @binding(1) var<storage, read> streams: array<f32>;
// [n, n_rows + 1]: products with the streams, then their square sum
@group(0) @binding(2) var<storage, read> projections: array<f32>;
// [n_rows]
@group(0) @binding(3) var<storage, read> base: array<f32>;
// [3] or [1]
@group(0) @binding(4) var<storage, read> scale: array<f32>;

// Beyond this an exponential's reciprocal is nothing against any gate, and infinity is avoided.
const LARGEST_EXPONENT: f32 = 80.0;

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-x, LARGEST_EXPONENT)));
}

// `1 / rms` of all streams of a token.
fn inverse_rms(token: u32) -> f32 {
    let squares = projections[token * (p.n_rows + 1u) + p.n_rows];
    return 1.0 / sqrt(squares / f32(N_STREAMS * p.hidden_size) + p.norm_eps);
}

// Logit of a gate: the normed projection, scaled by its group's scale.
fn gate_logit(token: u32, row: u32, inverse_rms: f32, group: u32) -> f32 {
    return projections[token * (p.n_rows + 1u) + row] * inverse_rms * scale[group] + base[row];
}

// `out[i] = sum over j of pre[j] * streams[j][i]`
fn collapse(token: u32, i: u32, inverse_rms: f32) {
    if i < p.hidden_size {
        var sum = 0.0;
        for (var j = 0u; j < N_STREAMS; j++) {
            let pre = sigmoid(gate_logit(token, j, inverse_rms, 0u)) + p.eps;
            sum += pre * streams[(token * N_STREAMS + j) * p.hidden_size + i];
        }
        out[token * p.hidden_size + i] = sum;
    }
}
