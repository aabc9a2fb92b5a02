// From one sublayer to the next, first half: streams expanded in place, and sums over a slice of 64
// channels of each of four streams.
//
// The sums are products of the streams with the rows of the next site's function, and of the streams
// with each other: from those follows the norm of any collapse of the streams before it is made. A
// thread holds a channel of a stream, of TOKENS tokens in turn; then a team of TEAM threads makes a sum
// of each, for which a part of a row is read once.
struct Parameters {
    hidden_size: u32,
    n_rows: u32,
    // Groups of 32 a row of the function.
    n_groups: u32,
    n_tokens: u32,
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

// [TOKENS, 4 streams, 2 halves]: 32 channels each, and one vector more, so that halves begin in different
// banks.
var<workgroup> slices: array<vec4<f32>, TOKENS * SLICE_FOURS>;

const HALF_FOURS: u32 = SLICE / 8u + 1u;
const SLICE_FOURS: u32 = 8u * HALF_FOURS;

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

// Adds a thread's share of the products of the slices with a row: 32 channels of one stream.
fn add_row(row: u32, lane: u32, first_channel: u32, sums: ptr<function, array<f32, SUMS>>) {
    let stream = lane / 2u;
    let half = lane % 2u;
    let group = (stream * p.hidden_size + first_channel) / 32u + half;
    let values = weight_group(row * p.n_groups + group);
    for (var t = 0u; t < TOKENS; t++) {
        let at = t * SLICE_FOURS + lane * HALF_FOURS;
        for (var i = 0u; i < 8u; i++) {
            (*sums)[t] += dot(values[i], slices[at + i]);
        }
    }
}

// Adds a thread's share of the products of two streams: eight channels.
fn add_pair(pair: u32, lane: u32, sums: ptr<function, array<f32, SUMS>>) {
    let mine = lane / 4u * HALF_FOURS + 2u * (lane % 4u);
    for (var t = 0u; t < TOKENS; t++) {
        let a = t * SLICE_FOURS + 2u * FIRST_OF_PAIR[pair] * HALF_FOURS + mine;
        let b = t * SLICE_FOURS + 2u * SECOND_OF_PAIR[pair] * HALF_FOURS + mine;
        (*sums)[t] += dot(slices[a], slices[b]) + dot(slices[a + 1u], slices[b + 1u]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_token = workgroup.y * TOKENS;
    let first_channel = workgroup.x * SLICE;
    let stream = thread / SLICE;
    let channel = first_channel + thread % SLICE;
    let my_four = thread / 32u * HALF_FOURS + thread % 32u / 4u;
    for (var t = 0u; t < TOKENS; t++) {
        // Behind the last token, that one again.
        let token = min(first_token + t, p.n_tokens - 1u);
        slices[t * SLICE_FOURS + my_four][thread % 4u] = expanded(token, stream, channel);
    }
    // Every thread has read its channel of all streams before any is written.
    storageBarrier();
    workgroupBarrier();
    if EXPANDS == 1u {
        for (var t = 0u; t < TOKENS && first_token + t < p.n_tokens; t++) {
            let at = ((first_token + t) * 4u + stream) * p.hidden_size + channel;
            streams[at] = slices[t * SLICE_FOURS + my_four][thread % 4u];
        }
    }
    let n_sums = p.n_rows + PAIRS;
    let lane = thread % TEAM;
    for (var first = 0u; first < n_sums; first += WORKGROUP / TEAM) {
        let i = first + thread / TEAM;
        var sums: array<f32, SUMS>;
        if i < p.n_rows {
            add_row(i, lane, first_channel, &sums);
        } else if i < n_sums {
            add_pair(i - p.n_rows, lane, &sums);
        }
        team_sums(&sums, thread);
        if lane == 0u && i < n_sums {
            for (var t = 0u; t < TOKENS && first_token + t < p.n_tokens; t++) {
                slice_sums[((first_token + t) * grid.x + workgroup.x) * n_sums + i] = sums[t];
            }
        }
    }
}
