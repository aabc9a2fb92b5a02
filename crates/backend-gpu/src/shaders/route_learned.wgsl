// Chooses by score: every expert counts those in front of it, which are as many as its place.

// [N_EXPERTS]
@group(0) @binding(3) var<storage, read> bias: array<f32>;

// Experts whose threads run side by side.
const SIDE: u32 = 32u;
const N_KEYS: u32 = (N_EXPERTS + SIDE - 1u) / SIDE * SIDE;

// Scores as integers in the same order; behind the last expert, zeros.
var<workgroup> keys: array<u32, N_KEYS>;

// Scores that are no numbers come last, so that the places stay those of a permutation.
fn score_key(score: f32) -> u32 {
    let bits = bitcast<u32>(score);
    if (bits & 0x7fffffffu) > 0x7f800000u {
        return 0u;
    }
    return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

fn consider(expert: u32, probability: f32) {
    var score = probability;
    if HAS_BIAS == 1u {
        score += bias[expert];
    }
    keys[expert] = score_key(score);
}

// Experts in front of `expert`: better ones, and of equal ones the lower. All experts before its own
// side are lower and all behind it higher, so that most comparisons are plain.
fn n_in_front(expert: u32) -> u32 {
    let key = keys[expert];
    let own = expert / SIDE * SIDE;
    var n = 0u;
    for (var i = 0u; i < own; i += 4u) {
        let four = vec4<u32>(keys[i], keys[i + 1u], keys[i + 2u], keys[i + 3u]);
        n += dot(vec4<u32>(four >= vec4<u32>(key)), vec4<u32>(1u));
    }
    for (var i = own; i < own + SIDE; i++) {
        let other = keys[i];
        n += u32((other > key) | ((other == key) & (i < expert)));
    }
    for (var i = own + SIDE; i < N_KEYS; i += 4u) {
        let four = vec4<u32>(keys[i], keys[i + 1u], keys[i + 2u], keys[i + 3u]);
        n += dot(vec4<u32>(four > vec4<u32>(key)), vec4<u32>(1u));
    }
    return n;
}

// All threads call together, after they considered the experts.
fn choose(token: u32, thread: u32) {
    for (var i = N_EXPERTS + thread; i < N_KEYS; i += THREADS) {
        keys[i] = 0u;
    }
    workgroupBarrier();
    for (var e = thread; e < N_EXPERTS; e += THREADS) {
        let place = n_in_front(e);
        if place < N_CHOSEN {
            chosen[place] = e;
        }
    }
}
