// From one sublayer to the next, second half: gates from the sums over slices, and the collapsed
// streams, normed (see hc_slices.wgsl).
//
// A thread makes a channel. Its workgroup knows the norm before: of `sum of pre[j] * stream[j]` the
// square sum is `sum of pre[i] * pre[j] * (stream[i] . stream[j])`. One more workgroup behind the
// others makes the post gates and the combination, on one thread.
struct Parameters {
    hidden_size: u32,
    n_iterations: u32,
    eps: f32,
    norm_eps: f32,
}
var<immediate> p: Parameters;

const PAIRS: u32 = 10u;
// Products with the function's rows: pre gates, post gates, combination.
const N_ROWS: u32 = 24u;
const N_SUMS: u32 = N_ROWS + PAIRS;
// Sums of a slice by twos, and the threads that each take slices of two sums.
const LANES: u32 = N_SUMS / 2u;
const PARTS: u32 = 256u / LANES;

// [n, hidden_size]
@group(0) @binding(0) var<storage, read_write> normed: array<f32>;
// [n, 4 + 16]: post gates, then the combination (from, to)
@group(0) @binding(1) var<storage, read_write> gates: array<f32>;
// [n, 4, hidden_size]
@group(0) @binding(2) var<storage, read> streams: array<f32>;
// [n, N_SLICES, N_SUMS]
@group(0) @binding(3) var<storage, read> slice_sums: array<vec2<f32>>;
// [N_ROWS]
@group(0) @binding(4) var<storage, read> base: array<f32>;
// [3]
@group(0) @binding(5) var<storage, read> scale: array<f32>;
// [hidden_size]
@group(0) @binding(6) var<storage, read> gain: array<f32>;

var<workgroup> parts: array<vec2<f32>, PARTS * LANES>;
var<workgroup> sums: array<f32, N_SUMS>;
var<workgroup> biases: array<f32, N_ROWS>;
var<workgroup> scales: array<f32, 3>;

// Beyond this an exponential's reciprocal is nothing against any gate, and infinity is avoided.
const LARGEST_EXPONENT: f32 = 80.0;

fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(min(-x, vec4<f32>(LARGEST_EXPONENT))));
}

// Adds the slices up, and brings along what the gates need. All threads call together.
fn add_slices(token: u32, thread: u32) {
    if thread < N_ROWS {
        biases[thread] = base[thread];
    }
    if thread < 3u {
        scales[thread] = scale[thread];
    }
    if thread < PARTS * LANES {
        var sum = vec2<f32>(0.0);
        for (var slice = thread / LANES; slice < N_SLICES; slice += PARTS) {
            sum += slice_sums[(token * N_SLICES + slice) * LANES + thread % LANES];
        }
        parts[thread] = sum;
    }
    workgroupBarrier();
    if thread < LANES {
        var sum = vec2<f32>(0.0);
        for (var part = 0u; part < PARTS; part++) {
            sum += parts[part * LANES + thread];
        }
        sums[2u * thread] = sum.x;
        sums[2u * thread + 1u] = sum.y;
    }
    workgroupBarrier();
}

// Logits of four gates: the normed projections, scaled by their group's scale.
fn logits(first: u32, inverse_rms: f32, group: u32) -> vec4<f32> {
    let z = vec4<f32>(sums[first], sums[first + 1u], sums[first + 2u], sums[first + 3u]);
    let b = vec4<f32>(
        biases[first], biases[first + 1u], biases[first + 2u], biases[first + 3u],
    );
    return z * (inverse_rms * scales[group]) + b;
}

// Square sum of the streams, weighted by `w`; with equal streams a product of others may fall below
// zero by rounding.
fn square_sum(w: vec4<f32>) -> f32 {
    let own = vec4<f32>(sums[N_ROWS], sums[N_ROWS + 4u], sums[N_ROWS + 7u], sums[N_ROWS + 9u]);
    let of_first = vec3<f32>(sums[N_ROWS + 1u], sums[N_ROWS + 2u], sums[N_ROWS + 3u]);
    let of_second = vec2<f32>(sums[N_ROWS + 5u], sums[N_ROWS + 6u]);
    let mixed = w.x * dot(of_first, w.yzw) + w.y * dot(of_second, w.zw)
        + w.z * w.w * sums[N_ROWS + 8u];
    return max(dot(own, w * w) + 2.0 * mixed, 0.0);
}

// Rows of the combination: a softmax each, then columns and rows normalised in turn. All others wait
// for this thread, so it divides as little as it can.
fn combination(inverse_rms: f32) -> mat4x4<f32> {
    var m: array<vec4<f32>, 4>;
    for (var a = 0u; a < 4u; a++) {
        let row = logits(8u + 4u * a, inverse_rms, 2u);
        let e = exp(row - max(max(row.x, row.y), max(row.z, row.w)));
        m[a] = e / dot(e, vec4<f32>(1.0)) + p.eps;
    }
    for (var iteration = 0u; iteration < p.n_iterations; iteration++) {
        if iteration > 0u {
            for (var a = 0u; a < 4u; a++) {
                m[a] *= 1.0 / ((m[a].x + m[a].y) + (m[a].z + m[a].w) + p.eps);
            }
        }
        let inverse = 1.0 / ((m[0] + m[1]) + (m[2] + m[3]) + p.eps);
        for (var a = 0u; a < 4u; a++) {
            m[a] *= inverse;
        }
    }
    return mat4x4<f32>(m[0], m[1], m[2], m[3]);
}

fn write_gates(token: u32, inverse_rms: f32) {
    let first = token * 20u;
    let post = 2.0 * sigmoid(logits(4u, inverse_rms, 1u));
    let comb = combination(inverse_rms);
    for (var i = 0u; i < 4u; i++) {
        gates[first + i] = post[i];
        for (var j = 0u; j < 4u; j++) {
            gates[first + 4u + 4u * i + j] = comb[i][j];
        }
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let token = workgroup.y;
    let makes_gates = workgroup.x * 256u >= p.hidden_size;
    let channel = workgroup.x * 256u + thread;
    // Asked for before the sums are known, so that nobody waits for them after.
    var own: vec4<f32>;
    var own_gain = 0.0;
    if !makes_gates {
        for (var j = 0u; j < 4u; j++) {
            own[j] = streams[(token * 4u + j) * p.hidden_size + channel];
        }
        own_gain = gain[channel];
    }
    add_slices(token, thread);
    let squares = sums[N_ROWS] + sums[N_ROWS + 4u] + sums[N_ROWS + 7u] + sums[N_ROWS + 9u];
    let inverse_rms = 1.0 / sqrt(squares / f32(4u * p.hidden_size) + p.norm_eps);
    if makes_gates {
        if thread == 0u {
            write_gates(token, inverse_rms);
        }
        return;
    }
    let pre = sigmoid(logits(0u, inverse_rms, 0u)) + p.eps;
    let norm = 1.0 / sqrt(square_sum(pre) / f32(p.hidden_size) + p.norm_eps);
    let value = dot(pre, own) * norm * own_gain;
    normed[token * p.hidden_size + channel] = value;
    pack_normed(token, channel, thread, value);
}
