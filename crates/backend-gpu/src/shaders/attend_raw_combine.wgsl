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

const LANES: u32 = 8u;
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

// Largest scores and sums of weights of the shares, MAX_SPLITS at most.
var<workgroup> shares: array<vec2<f32>, MAX_SPLITS>;
var<workgroup> totals: array<f32, LANES>;
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
    let sink = sinks[head];
    for (var i = thread; i < p.n_splits; i += WORKGROUP) {
        shares[i] = weights[first + i];
    }
    workgroupBarrier();
    var largest = sink;
    for (var i = 0u; i < p.n_splits; i++) {
        largest = max(largest, shares[i].x);
    }
    if thread < FOURS * LANES {
        var sum = vec4<f32>(0.0);
        var total = 0.0;
        for (var i = thread / FOURS; i < p.n_splits; i += LANES) {
            let factor = exp(shares[i].x - largest);
            total += factor * shares[i].y;
            sum += factor * sums[(first + i) * HEAD_FOURS + first_four + thread % FOURS];
        }
        values[thread] = sum;
        if thread % FOURS == 0u {
            totals[thread / FOURS] = total;
        }
    }
    workgroupBarrier();
    if thread < FOURS {
        var total = exp(sink - largest);
        var sum = vec4<f32>(0.0);
        for (var i = 0u; i < LANES; i++) {
            total += totals[i];
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
