// Gates and ups of a team's two rows (see expert_gate_up.wgsl), both IQ2_XXS, with int8 activations.
//
// A lane takes two groups of 32 weights at once, whose words are one load (formats/iq2_xxs.wgsl says
// what they hold). What bounds this kernel is integer work, so there is as little as possible.
@group(0) @binding(0) var<storage, read> weight_gate_quants: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> weight_gate_scales: array<u32>;
@group(0) @binding(2) var<storage, read> weight_grid: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> weight_up_quants: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read> weight_up_scales: array<u32>;

// The grid in workgroup memory: lanes look up different points.
var<workgroup> weight_points: array<vec2<u32>, 256>;

const N_PAIRS: u32 = GROUPS / 2u;

// Two groups' activations: four blocks of sixteen, and their scales.
struct Activations {
    quants: array<vec4<u32>, 4>,
    scales: array<vec2<f32>, 2>,
}

// All threads call together, before any rows.
fn weight_rows_begin(thread: u32) {
    for (var i = thread; i < 256u; i += WORKGROUP) {
        weight_points[i] = weight_grid[i];
    }
    workgroupBarrier();
}

// The product of eight weights with their activations: all of a point's magnitudes, less those with
// a minus twice.
fn weight_eight(point: vec2<u32>, seven: u32, x: vec2<u32>) -> i32 {
    // Seven signs are stored, the eighth makes the number of negative weights even. Four copies of
    // the seven, each seven bits further, hold a sign in the lowest bit of every byte, and four
    // bits up another; the eighth goes where the copies end.
    let spread = seven * 0x00204081u + (countOneBits(seven) << 28u);
    let low = point.x & ((spread & 0x01010101u) * 255u);
    let high = point.y & (((spread >> 4u) & 0x01010101u) * 255u);
    let all = dot4I8Packed(point.x, x.x) + dot4I8Packed(point.y, x.y);
    return all - 2 * (dot4I8Packed(low, x.x) + dot4I8Packed(high, x.y));
}

// The product of sixteen weights: two bytes of points, twice seven signs.
fn weight_sixteen(points: u32, signs: u32, x: vec4<u32>) -> f32 {
    let a = weight_points[points & 255u];
    let b = weight_points[(points >> 8u) & 255u];
    return f32(
        weight_eight(a, signs & 127u, x.xy) + weight_eight(b, (signs >> 7u) & 127u, x.zw),
    );
}

// The product of two groups with one F16 scale.
fn weight_pair(words: vec4<u32>, d: f32, x: Activations) -> f32 {
    let first = vec2<f32>(
        weight_sixteen(words.x, words.y, x.quants[0]),
        weight_sixteen(words.x >> 16u, words.y >> 14u, x.quants[1]),
    );
    let second = vec2<f32>(
        weight_sixteen(words.z, words.w, x.quants[2]),
        weight_sixteen(words.z >> 16u, words.w >> 14u, x.quants[3]),
    );
    return 0.25 * d * ((0.5 + f32(words.y >> 28u)) * dot(first, x.scales[0])
        + (0.5 + f32(words.w >> 28u)) * dot(second, x.scales[1]));
}

// The scale of block `i`, of the two in a word.
fn weight_scale(two: u32, i: u32) -> f32 {
    return unpack2x16float(two >> (16u * (i & 1u))).x;
}

// Adds this lane's share of rows of `expert` to the sums: gates, then ups.
fn weight_rows(
    expert: u32,
    first_row: u32,
    lane: u32,
    first: u32,
    sums: ptr<function, array<f32, SUMS>>,
) {
    // Behind the last row, that one again.
    let a = expert * p.n_rows + min(first_row, p.n_rows - 1u);
    let b = expert * p.n_rows + min(first_row + 1u, p.n_rows - 1u);
    for (var step = 0u; step < (N_PAIRS + TEAM - 1u) / TEAM; step++) {
        let pair = step * TEAM + lane;
        if N_PAIRS % TEAM != 0u && pair >= N_PAIRS {
            break;
        }
        let gate_a = weight_gate_quants[a * N_PAIRS + pair];
        let gate_b = weight_gate_quants[b * N_PAIRS + pair];
        let up_a = weight_up_quants[a * N_PAIRS + pair];
        let up_b = weight_up_quants[b * N_PAIRS + pair];
        // Four pairs share a scale.
        let i = (a * N_PAIRS + pair) / 4u;
        let j = (b * N_PAIRS + pair) / 4u;
        let scales = vec4<f32>(
            weight_scale(weight_gate_scales[i / 2u], i),
            weight_scale(weight_gate_scales[j / 2u], j),
            weight_scale(weight_up_scales[i / 2u], i),
            weight_scale(weight_up_scales[j / 2u], j),
        );
        let at = first / 32u + 2u * pair;
        let x = Activations(
            array<vec4<u32>, 4>(
                x_quants[2u * at], x_quants[2u * at + 1u], x_quants[2u * at + 2u],
                x_quants[2u * at + 3u],
            ),
            array<vec2<f32>, 2>(x_scales[at], x_scales[at + 1u]),
        );
        (*sums)[0] += weight_pair(gate_a, scales.x, x);
        (*sums)[1] += weight_pair(gate_b, scales.y, x);
        (*sums)[2] += weight_pair(up_a, scales.z, x);
        (*sums)[3] += weight_pair(up_b, scales.w, x);
    }
}
