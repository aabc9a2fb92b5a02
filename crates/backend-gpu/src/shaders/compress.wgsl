// Pools the windows that close in a run, and stores their rows: a workgroup for each window.
//
// Per channel a softmax over the window's scores weighs its values; a norm, a gain and a rotation
// follow. Inputs of the run are read from the batch, earlier ones from the state, which the run
// has not touched yet (compress_remember.wgsl comes behind).
struct Parameters {
    first_row: u32,
    first_position: u32,
    // The first window that closes in the run.
    first_window: u32,
    // The first row that is bound.
    bound_from: u32,
    ratio: u32,
    n_slots: u32,
    // Rotated channel pairs at the end of the row.
    n_pairs: u32,
    norm_eps: f32,
}
var<immediate> p: Parameters;

// Channels of an input: with overlap, those for the next window come first.
const INPUT_WIDTH: u32 = WIDTH * (1u + OVERLAP);

// [n_slots, INPUT_WIDTH]
@group(0) @binding(1) var<storage, read> state_values: array<f32>;
@group(0) @binding(2) var<storage, read> state_scores: array<f32>;
// [n, INPUT_WIDTH]
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> scores: array<f32>;
// [ratio, INPUT_WIDTH]: added to scores by position
@group(0) @binding(5) var<storage, read> ape: array<f32>;
// [WIDTH]
@group(0) @binding(6) var<storage, read> gain: array<f32>;
// [windows, n_pairs]: cosine and sine at the window's first position
@group(0) @binding(7) var<storage, read> angles: array<vec2<f32>>;

fn score_at(position: u32, channel: u32) -> f32 {
    if position < p.first_position {
        return state_scores[position % p.n_slots * INPUT_WIDTH + channel];
    }
    let row = p.first_row + position - p.first_position;
    return scores[row * INPUT_WIDTH + channel] + ape[position % p.ratio * INPUT_WIDTH + channel];
}

fn value_at(position: u32, channel: u32) -> f32 {
    if position < p.first_position {
        return state_values[position % p.n_slots * INPUT_WIDTH + channel];
    }
    return values[(p.first_row + position - p.first_position) * INPUT_WIDTH + channel];
}

// Weighted mean of a channel over a window, and over the one before where they overlap.
fn pooled(window: u32, channel: u32) -> f32 {
    let own = window * p.ratio;
    let n_previous = select(0u, p.ratio, OVERLAP == 1u && window > 0u);
    let first = own - n_previous;
    let n = n_previous + p.ratio;
    var largest = score_at(own, channel + INPUT_WIDTH - WIDTH);
    for (var i = 0u; i < n; i++) {
        let at = select(channel + INPUT_WIDTH - WIDTH, channel, i < n_previous);
        largest = max(largest, score_at(first + i, at));
    }
    var sum = 0.0;
    var weights = 0.0;
    for (var i = 0u; i < n; i++) {
        let at = select(channel + INPUT_WIDTH - WIDTH, channel, i < n_previous);
        let weight = exp(score_at(first + i, at) - largest);
        sum += weight * value_at(first + i, at);
        weights += weight;
    }
    return sum / weights;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let window = p.first_window + workgroup.x;
    var squares: array<f32, SUMS>;
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        let value = pooled(window, i);
        row_values[i] = value;
        squares[0] += value * value;
    }
    team_sums(&squares, thread);
    let scale = 1.0 / sqrt(squares[0] / f32(WIDTH) + p.norm_eps);
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        row_values[i] *= scale * gain[i];
    }
    workgroupBarrier();
    for (var pair = thread; pair < p.n_pairs; pair += WORKGROUP) {
        let angle = angles[workgroup.x * p.n_pairs + pair];
        let at = WIDTH - 2u * (p.n_pairs - pair);
        let a = row_values[at];
        let b = row_values[at + 1u];
        row_values[at] = a * angle.x - b * angle.y;
        row_values[at + 1u] = a * angle.y + b * angle.x;
    }
    pack_row(window - p.bound_from, thread);
}
