// Pools a window of a compressor's inputs into `row_values`.
//
// Per channel a softmax over the window's scores weighs its values; a norm, a gain and a rotation
// follow. Inputs of the run are read from the batch, earlier ones from the state.

// Channels of an input: with overlap, those for the next window come first.
const INPUT_WIDTH: u32 = WIDTH * (1u + OVERLAP);

fn score_at(position: u32, channel: u32, n_slots: u32) -> f32 {
    if position < p.first_position {
        return state_scores[position % n_slots * INPUT_WIDTH + channel];
    }
    let row = p.first_row + position - p.first_position;
    return scores[row * INPUT_WIDTH + channel] + ape[position % p.ratio * INPUT_WIDTH + channel];
}

fn value_at(position: u32, channel: u32, n_slots: u32) -> f32 {
    if position < p.first_position {
        return state_values[position % n_slots * INPUT_WIDTH + channel];
    }
    return values[(p.first_row + position - p.first_position) * INPUT_WIDTH + channel];
}

// Weighted mean of a channel over a window, and over the one before where they overlap.
fn pooled(window: u32, channel: u32, n_slots: u32) -> f32 {
    let own = window * p.ratio;
    let n_previous = select(0u, p.ratio, OVERLAP == 1u && window > 0u);
    let first = own - n_previous;
    let n = n_previous + p.ratio;
    var largest = score_at(own, channel + INPUT_WIDTH - WIDTH, n_slots);
    for (var i = 0u; i < n; i++) {
        let at = select(channel + INPUT_WIDTH - WIDTH, channel, i < n_previous);
        largest = max(largest, score_at(first + i, at, n_slots));
    }
    var sum = 0.0;
    var weights = 0.0;
    for (var i = 0u; i < n; i++) {
        let at = select(channel + INPUT_WIDTH - WIDTH, channel, i < n_previous);
        let weight = exp(score_at(first + i, at, n_slots) - largest);
        sum += weight * value_at(first + i, at, n_slots);
        weights += weight;
    }
    return sum / weights;
}

// Makes the row of a window; its angles are those from `first_angle` on. All threads call together.
fn pool_row(window: u32, first_angle: u32, n_slots: u32, thread: u32) {
    var squares: array<f32, SUMS>;
    for (var i = thread; i < WIDTH; i += WORKGROUP) {
        let value = pooled(window, i, n_slots);
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
        turn_pair(pair, row_angles[first_angle + pair]);
    }
}
