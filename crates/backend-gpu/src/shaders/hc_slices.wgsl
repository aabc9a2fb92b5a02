// From one sublayer to the next, first half: streams expanded in place, and sums over a slice of 64
// channels of each of four streams.
//
// The sums are products of the streams with the rows of the next site's function, and of the streams
// with each other: from those follows the norm of any collapse of the streams before it is made. A
// thread expands four channels of a stream of one of TOKENS tokens; then a team of TEAM threads makes a
// sum of every token, for which a part of a row is read once.
struct Parameters {
    hidden_size: u32,
    // Groups of 32 a row of the function.
    n_groups: u32,
    n_tokens: u32,
}
var<immediate> p: Parameters;

const SLICE: u32 = 64u;
// Vectors of four channels in a slice of a stream.
const FOURS: u32 = SLICE / 4u;
// Rows of the function, and unordered pairs of streams, by their first and second one.
const N_ROWS: u32 = 24u;
const PAIRS: u32 = 10u;
const FIRST_OF_PAIR: array<u32, 10> = array<u32, 10>(0u, 0u, 0u, 0u, 1u, 1u, 1u, 2u, 2u, 3u);
const SECOND_OF_PAIR: array<u32, 10> = array<u32, 10>(0u, 1u, 2u, 3u, 1u, 2u, 3u, 2u, 3u, 3u);

// Teams behind those that have a row take pairs, the first of them two.
const PAIR_TEAMS: u32 = WORKGROUP / TEAM - N_ROWS;

// [n, slices, N_ROWS + PAIRS]
@group(0) @binding(0) var<storage, read_write> slice_sums: array<f32>;
// [n, 4, hidden_size]
@group(0) @binding(1) var<storage, read_write> streams: array<vec4<f32>>;
// [n, hidden_size]: output of the sublayer before
@group(0) @binding(2) var<storage, read> y: array<vec4<f32>>;
// [n, 4 + 16]: post gates, then the combination (from, to)
@group(0) @binding(3) var<storage, read> gates: array<f32>;

// [TOKENS, 4 streams, 2 halves]: 32 channels each, and one vector more, so that halves begin in different
// banks.
var<workgroup> slices: array<vec4<f32>, TOKENS * SLICE_FOURS>;

const HALF_FOURS: u32 = SLICE / 8u + 1u;
const SLICE_FOURS: u32 = 8u * HALF_FOURS;

// Four channels of one stream, expanded where there is an output.
fn expanded(token: u32, stream: u32, four: u32) -> vec4<f32> {
    let hidden_fours = p.hidden_size / 4u;
    let first = token * 4u * hidden_fours + four;
    if EXPANDS == 0u {
        return streams[first + stream * hidden_fours];
    }
    let post = token * 20u;
    var sum = gates[post + stream] * y[token * hidden_fours + four];
    for (var a = 0u; a < 4u; a++) {
        sum += gates[post + 4u + 4u * a + stream] * streams[first + a * hidden_fours];
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

// Adds a thread's share of the products of two streams, eight channels, to the sums from `to` on.
fn add_pair(pair: u32, lane: u32, to: u32, sums: ptr<function, array<f32, SUMS>>) {
    let mine = lane / 4u * HALF_FOURS + 2u * (lane % 4u);
    for (var t = 0u; t < TOKENS; t++) {
        let a = t * SLICE_FOURS + 2u * FIRST_OF_PAIR[pair] * HALF_FOURS + mine;
        let b = t * SLICE_FOURS + 2u * SECOND_OF_PAIR[pair] * HALF_FOURS + mine;
        (*sums)[to + t] += dot(slices[a], slices[b]) + dot(slices[a + 1u], slices[b + 1u]);
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
    // One token's slices are the work of 64 threads.
    let own = thread / (4u * FOURS);
    let stream = thread / FOURS % 4u;
    let four = first_channel / 4u + thread % FOURS;
    let has_own = own < TOKENS && first_token + own < p.n_tokens;
    var value = vec4<f32>(0.0);
    if has_own {
        value = expanded(first_token + own, stream, four);
    }
    if own < TOKENS {
        let half = thread % FOURS / (FOURS / 2u);
        let at = own * SLICE_FOURS + (2u * stream + half) * HALF_FOURS;
        slices[at + thread % (FOURS / 2u)] = value;
    }
    // Every thread has read its channels of all streams before any is written.
    storageBarrier();
    workgroupBarrier();
    if EXPANDS == 1u && has_own {
        streams[((first_token + own) * 4u + stream) * (p.hidden_size / 4u) + four] = value;
    }
    let team = thread / TEAM;
    let lane = thread % TEAM;
    let second_pair = team - N_ROWS + PAIR_TEAMS;
    var sums: array<f32, SUMS>;
    if team < N_ROWS {
        add_row(team, lane, first_channel, &sums);
    } else {
        add_pair(team - N_ROWS, lane, 0u, &sums);
        if second_pair < PAIRS {
            add_pair(second_pair, lane, TOKENS, &sums);
        }
    }
    team_sums(&sums, thread);
    if lane != 0u {
        return;
    }
    for (var t = 0u; t < TOKENS && first_token + t < p.n_tokens; t++) {
        let to = ((first_token + t) * grid.x + workgroup.x) * (N_ROWS + PAIRS);
        slice_sums[to + team] = sums[t];
        if team >= N_ROWS && second_pair < PAIRS {
            slice_sums[to + N_ROWS + second_pair] = sums[TOKENS + t];
        }
    }
}
