// Chooses by score.

// [N_EXPERTS]
@group(0) @binding(3) var<storage, read> bias: array<f32>;

const TAKEN: f32 = -3.4e38;

var<workgroup> scores: array<f32, N_EXPERTS>;
var<workgroup> best_scores: array<f32, 64>;
var<workgroup> best_experts: array<u32, 64>;

fn is_better(score: f32, expert: u32, than_score: f32, than_expert: u32) -> bool {
    return score > than_score || (score == than_score && expert < than_expert);
}

fn choose(token: u32, thread: u32) {
    for (var e = thread; e < N_EXPERTS; e += 64u) {
        scores[e] = probabilities[e];
        if HAS_BIAS == 1u {
            scores[e] += bias[e];
        }
    }
    for (var i = 0u; i < N_CHOSEN; i++) {
        workgroupBarrier();
        // Also for scores that are no numbers, an expert that there is.
        var best = TAKEN;
        var expert = N_EXPERTS - 1u;
        for (var e = thread; e < N_EXPERTS; e += 64u) {
            if is_better(scores[e], e, best, expert) {
                best = scores[e];
                expert = e;
            }
        }
        best_scores[thread] = best;
        best_experts[thread] = expert;
        for (var half = 32u; half > 0u; half /= 2u) {
            workgroupBarrier();
            if thread < half {
                let other = thread + half;
                if is_better(
                    best_scores[other], best_experts[other],
                    best_scores[thread], best_experts[thread],
                ) {
                    best_scores[thread] = best_scores[other];
                    best_experts[thread] = best_experts[other];
                }
            }
        }
        if thread == 0u {
            chosen[i] = best_experts[0];
            scores[best_experts[0]] = TAKEN;
        }
    }
}
