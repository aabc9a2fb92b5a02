// Chooses the experts of a token and their weights, from router logits: a workgroup for each token.
//
// A logit becomes `p = sqrt(softplus(logit))`. The largest `p + bias` are chosen, of equal ones
// the lower expert, one after the other; or a table says which. Weights are `p`, normalised over
// the chosen ones and scaled.
struct Parameters {
    scale: f32,
}
var<immediate> p: Parameters;

// [n, N_CHOSEN]
@group(0) @binding(0) var<storage, read_write> experts: array<u32>;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
// [n, N_EXPERTS]
@group(0) @binding(2) var<storage, read> logits: array<f32>;

const THREADS: u32 = 256u;

var<workgroup> probabilities: array<f32, N_EXPERTS>;
var<workgroup> chosen: array<u32, N_CHOSEN>;

// `ln(1 + e)` for `e` from 0 to 1, also where `1 + e` is 1: twice the area tangent of e / (2 + e).
fn ln_1p(e: f32) -> f32 {
    let z = e / (2.0 + e);
    let s = z * z;
    let odd = 1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * (1.0 / 7.0 + s * (1.0 / 9.0
        + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s * (1.0 / 15.0)))))));
    return 2.0 * z * odd;
}

fn softplus(x: f32) -> f32 {
    return max(x, 0.0) + ln_1p(exp(-abs(x)));
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let token = workgroup.x;
    for (var e = thread; e < N_EXPERTS; e += THREADS) {
        let probability = sqrt(softplus(logits[token * N_EXPERTS + e]));
        probabilities[e] = probability;
        consider(e, probability);
    }
    choose(token, thread);
    workgroupBarrier();
    if thread < N_CHOSEN {
        var sum = 0.0;
        for (var i = 0u; i < N_CHOSEN; i++) {
            sum += probabilities[chosen[i]];
        }
        let at = token * N_CHOSEN + thread;
        experts[at] = chosen[thread];
        weights[at] = probabilities[chosen[thread]] / sum * p.scale;
    }
}
