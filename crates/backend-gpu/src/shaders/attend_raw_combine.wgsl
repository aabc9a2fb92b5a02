// Puts the partial sums of a head together, undoes the rotation that values carry, and rounds the
// result for the product behind it: a workgroup for PART channels of a head of a token. Each of
// LANES threads takes every LANES-th share.
struct Parameters {
    first_row: u32,
    n_heads: u32,
    n_splits: u32,
    // Rotated channel pairs at the end of a head.
    n_pairs: u32,
}
var<immediate> p: Parameters;

const LANES: u32 = 4u;
const FOURS: u32 = PART / 4u;
const HEAD_FOURS: u32 = WIDTH / 4u;

// [n, n_heads, HEAD_FOURS]
@group(0) @binding(0) var<storage, read_write> out: array<vec4<f32>>;
// [tokens of the run, n_heads, n_splits, HEAD_FOURS]
@group(0) @binding(1) var<storage, read> sums: array<vec4<f32>>;
// [tokens of the run, n_heads, n_splits]: largest score, sum of weights
@group(0) @binding(2) var<storage, read> weights: array<vec2<f32>>;
// [n_heads]
@group(0) @binding(3) var<storage, read> sinks: array<f32>;
// [n, n_pairs]: cosine and sine at the row's position
@group(0) @binding(4) var<storage, read> angles: array<vec2<f32>>;

// Factors of the shares, MAX_SPLITS at most.
var<workgroup> factors: array<f32, MAX_SPLITS>;
var<workgroup> values: array<vec4<f32>, FOURS * LANES>;

fn turned_back(row: u32, pair: u32, value: vec2<f32>) -> vec2<f32> {
    let first_rotated = WIDTH / 2u - p.n_pairs;
    if pair < first_rotated {
        return value;
    }
    let angle = angles[row * p.n_pairs + pair - first_rotated];
    return vec2<f32>(
        value.x * angle.x + value.y * angle.y,
        value.y * angle.x - value.x * angle.y,
    );
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let head = workgroup.x;
    let row = p.first_row + workgroup.y;
    let first = (workgroup.y * p.n_heads + head) * p.n_splits;
    let first_four = workgroup.z * FOURS;
    var largest = sinks[head];
    for (var i = 0u; i < p.n_splits; i++) {
        largest = max(largest, weights[first + i].x);
    }
    for (var i = thread; i < p.n_splits; i += WORKGROUP) {
        factors[i] = exp(weights[first + i].x - largest);
    }
    workgroupBarrier();
    if thread < FOURS * LANES {
        var sum = vec4<f32>(0.0);
        for (var i = thread / FOURS; i < p.n_splits; i += LANES) {
            sum += factors[i] * sums[(first + i) * HEAD_FOURS + first_four + thread % FOURS];
        }
        values[thread] = sum;
    }
    workgroupBarrier();
    if thread < FOURS {
        var total = exp(sinks[head] - largest);
        for (var i = 0u; i < p.n_splits; i++) {
            total += factors[i] * weights[first + i].y;
        }
        var sum = values[thread];
        for (var i = 1u; i < LANES; i++) {
            sum += values[i * FOURS + thread];
        }
        sum /= total;
        let pair = 2u * (first_four + thread);
        sum = vec4<f32>(
            turned_back(row, pair, sum.xy),
            turned_back(row, pair + 1u, sum.zw),
        );
        values[thread] = sum;
        out[(row * p.n_heads + head) * HEAD_FOURS + first_four + thread] = sum;
    }
    workgroupBarrier();
    round_values((row * p.n_heads + head) * HEAD_FOURS + first_four, thread);
}
