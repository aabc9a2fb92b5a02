// From one sublayer to the next, first half: streams expanded in place, and sums over a slice of 64
// channels of each of four streams.
//
// The sums are products of the streams with the rows of the next site's function, and of the streams
// with each other: from those follows the norm of any collapse of the streams before it is made. A
// thread holds a channel of a stream; then a team of TEAM threads makes a sum.
struct Parameters {
    hidden_size: u32,
    n_rows: u32,
    // Groups of 32 a row of the function.
    n_groups: u32,
}
var<immediate> p: Parameters;

const SLICE: u32 = 64u;
// Vectors of four channels in a slice of a stream.
const FOURS: u32 = SLICE / 4u;
// Unordered pairs of streams, by their first and second one.
const PAIRS: u32 = 10u;
const FIRST_OF_PAIR: array<u32, 10> = array<u32, 10>(0u, 0u, 0u, 0u, 1u, 1u, 1u, 2u, 2u, 3u);
const SECOND_OF_PAIR: array<u32, 10> = array<u32, 10>(0u, 1u, 2u, 3u, 1u, 2u, 3u, 2u, 3u, 3u);

// [n, slices, n_rows + PAIRS]
@group(0) @binding(0) var<storage, read_write> slice_sums: array<f32>;
// [n, 4, hidden_size]
@group(0) @binding(1) var<storage, read_write> streams: array<f32>;
// [n, hidden_size]: output of the sublayer before
@group(0) @binding(2) var<storage, read> y: array<f32>;
// [n, 4 + 16]: post gates, then the combination (from, to)
@group(0) @binding(3) var<storage, read> gates: array<f32>;

// [4, SLICE]
var<workgroup> slice: array<f32, 4u * SLICE>;

// The channel of one stream, expanded where there is an output.
fn expanded(token: u32, stream: u32, channel: u32) -> f32 {
    let first = token * 4u * p.hidden_size + channel;
    if EXPANDS == 0u {
        return streams[first + stream * p.hidden_size];
    }
    let post = token * 20u;
    var sum = gates[post + stream] * y[token * p.hidden_size + channel];
    for (var a = 0u; a < 4u; a++) {
        sum += gates[post + 4u + 4u * a + stream] * streams[first + a * p.hidden_size];
    }
    return sum;
}

fn four_at(i: u32) -> vec4<f32> {
    return vec4<f32>(slice[i], slice[i + 1u], slice[i + 2u], slice[i + 3u]);
}

// A thread's share of the product of the slice with a row: 32 channels of one stream.
fn row_product(row: u32, lane: u32, first_channel: u32) -> f32 {
    let stream = lane / 2u;
    let half = lane % 2u;
    let group = (stream * p.hidden_size + first_channel) / 32u + half;
    let values = weight_group(row * p.n_groups + group);
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        sum += dot(values[i], four_at(stream * SLICE + 32u * half + 4u * i));
    }
    return sum;
}

// A thread's share of the product of two streams: eight channels.
fn pair_product(pair: u32, lane: u32) -> f32 {
    let a = FIRST_OF_PAIR[pair] * SLICE + 8u * lane;
    let b = SECOND_OF_PAIR[pair] * SLICE + 8u * lane;
    return dot(four_at(a), four_at(b)) + dot(four_at(a + 4u), four_at(b + 4u));
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let token = workgroup.y;
    let first_channel = workgroup.x * SLICE;
    let stream = thread / SLICE;
    let channel = first_channel + thread % SLICE;
    let value = expanded(token, stream, channel);
    slice[thread] = value;
    // Every thread has read its channel of all streams before any is written.
    storageBarrier();
    workgroupBarrier();
    if EXPANDS == 1u {
        streams[(token * 4u + stream) * p.hidden_size + channel] = value;
    }
    let n_sums = p.n_rows + PAIRS;
    let lane = thread % TEAM;
    for (var first = 0u; first < n_sums; first += WORKGROUP / TEAM) {
        let i = first + thread / TEAM;
        var sums: array<f32, SUMS>;
        if i < p.n_rows {
            sums[0] = row_product(i, lane, first_channel);
        } else if i < n_sums {
            sums[0] = pair_product(i - p.n_rows, lane);
        }
        team_sums(&sums, thread);
        if lane == 0u && i < n_sums {
            slice_sums[(token * grid.x + workgroup.x) * n_sums + i] = sums[0];
        }
    }
}
