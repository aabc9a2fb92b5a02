//! Making KV: raw rows, compressed rows, and the indexer's choice among them.

use backend::kv_row::{FP4_GROUP, KvRounding};
use backend::{CompressParams, CompressorState, Direction, IndexParams, Rotation, Run};
use gguf::blocks::small_floats::e8m0_to_f32;

use crate::isa::{Available, per_isa};
use crate::memory::{Choice, KvRows, Matrix, Selection};
use crate::norm::rms_scale;
use crate::parts::{Parts, Worker};
use crate::vector::{self, sum_lanes};

/// Index heads that are scored side by side.
const HEAD_LANES: usize = 16;
/// Keys of one item of work where one token's keys are shared among threads.
const KEYS_PER_CHUNK: usize = 2048;

pub(crate) fn store_kv(window: &mut KvRows, kv: &Matrix, run: Run) {
    assert!(run.n_rows <= window.capacity(), "a run fits the ring");
    for (row, position) in run.positions() {
        window.store(position % window.capacity(), kv.row(row));
    }
}

/// The weights of a compressor beside its projections.
pub(crate) struct Compressor<'a> {
    /// `[ratio, width]`, added to scores by position.
    pub(crate) ape: &'a [f32],
    /// `[row width]`.
    pub(crate) gain: &'a [f32],
    pub(crate) rotation: &'a Rotation,
    pub(crate) params: &'a CompressParams,
}

/// Feeds a run to a compressor, token by token; rows that close are stored.
#[expect(clippy::too_many_arguments, reason = "state, inputs and weights of one formula")]
pub(crate) fn compress(
    isa: Available,
    scratch: &mut Vec<f32>,
    rows: &mut KvRows,
    state: &mut CompressorState<Matrix>,
    values: &Matrix,
    scores: &Matrix,
    compressor: &Compressor<'_>,
    run: Run,
) {
    let params = compressor.params;
    let n_slots = state.values.n_rows();
    let n_windows = if params.overlap { 2 } else { 1 };
    assert!(n_slots.is_multiple_of(params.ratio) && n_slots >= n_windows * params.ratio, "slots");
    assert_eq!(values.width(), state.values.width(), "compressor width");
    let width = values.width();
    for (row, position) in run.positions() {
        let slot = position % n_slots;
        let bias = &compressor.ape[position % params.ratio * width..][..width];
        state.values.row_mut(slot).copy_from_slice(values.row(row));
        let slot_scores = state.scores.row_mut(slot);
        slot_scores.copy_from_slice(scores.row(row));
        vector::add(isa, slot_scores, bias);
        let window = position / params.ratio;
        if (position + 1) % params.ratio == 0 && window >= params.n_stored_rows {
            pool(isa, scratch, state, params, window);
            let scale = rms_scale(isa, scratch, params.norm_eps);
            for (value, gain) in scratch.iter_mut().zip(compressor.gain) {
                *value *= scale * gain;
            }
            compressor.rotation.rotate(scratch, window * params.ratio, Direction::Forward);
            rows.store(window, scratch);
        }
    }
}

/// Pools a window that has just closed: per channel, a softmax over its tokens' scores.
///
/// With overlap, the first half of the channels of the previous window's tokens takes part beside
/// the second half of this window's; window 0 has no previous one.
fn pool(
    isa: Available,
    out: &mut Vec<f32>,
    state: &CompressorState<Matrix>,
    params: &CompressParams,
    window: usize,
) {
    /// Tokens that a row may pool.
    const MAX_ENTRIES: usize = 256;
    let (n_slots, width) = (state.values.n_rows(), state.values.width());
    let dim = if params.overlap { width / 2 } else { width };
    let first = window * params.ratio;
    let mut values: [&[f32]; MAX_ENTRIES] = [&[]; MAX_ENTRIES];
    let mut scores = values;
    let mut n = 0;
    let mut enter = |positions: std::ops::Range<usize>, channel: usize| {
        for position in positions {
            let slot = position % n_slots;
            values[n] = &state.values.row(slot)[channel..channel + dim];
            scores[n] = &state.scores.row(slot)[channel..channel + dim];
            n += 1;
        }
    };
    if params.overlap {
        enter(first.saturating_sub(params.ratio)..first, 0);
    }
    enter(first..first + params.ratio, width - dim);
    out.resize(dim, 0.0);
    vector::pool_channels(isa, out, &values[..n], &scores[..n]);
}

/// The queries of one token as integers, eight bits each, heads side by side.
#[derive(Debug, Default)]
pub(crate) struct IndexQuery {
    /// `[dim][padded heads]`: twice the rounded values.
    codes: Vec<i8>,
    /// `[dim / 32][padded heads]`.
    scales: Vec<f32>,
    /// `[padded heads]`: weights of the heads; zero for heads that do not exist.
    weights: Vec<f32>,
    /// One head on its way.
    packed: Vec<u8>,
}

impl IndexQuery {
    /// Rounds the queries of a token as keys are rounded.
    fn fill(&mut self, queries: &[f32], head_weights: &[f32], keys: &KvRows) {
        let dim = keys.layout().width;
        let n_padded = head_weights.len().next_multiple_of(HEAD_LANES);
        self.codes.clear();
        self.codes.resize(dim * n_padded, 0);
        self.scales.clear();
        self.scales.resize(dim / FP4_GROUP * n_padded, 0.0);
        self.weights.clear();
        self.weights.resize(n_padded, 0.0);
        self.packed.resize(keys.row_bytes(), 0);
        let scale = 1.0 / ((dim * head_weights.len()) as f64).sqrt();
        for (h, (query, weight)) in queries.chunks_exact(dim).zip(head_weights).enumerate() {
            keys.layout().pack(query, &mut self.packed);
            let (codes, scales) = self.packed.split_at(dim / 2);
            for i in 0..dim {
                self.codes[i * n_padded + h] =
                    DOUBLED[usize::from(codes[i / 2] >> (4 * (i % 2)) & 15)];
            }
            for (g, byte) in scales.iter().enumerate() {
                self.scales[g * n_padded + h] = e8m0_to_f32(*byte);
            }
            // A quarter, because both codes are doubled.
            self.weights[h] = (f64::from(*weight) * scale * 0.25) as f32;
        }
    }
}

/// Twice the values of the E2M1 codes.
const DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

per_isa! {
    /// Scores of index rows: `sum over heads of weight * max(0, query . key)`.
    ///
    /// Groups of 32 products are exact integers; heads go to 16 partial sums.
    fn score_keys(query: &IndexQuery, keys: &[u8], dim: usize, out: &mut [f32]) {
        let n_padded = query.weights.len();
        let row_bytes = dim / 2 + dim / FP4_GROUP;
        for (key, out) in keys.chunks_exact(row_bytes).zip(out) {
            let (codes, scales) = key.split_at(dim / 2);
            let mut lanes = [0.0_f32; HEAD_LANES];
            for first in (0..n_padded).step_by(HEAD_LANES) {
                let mut dots = [0.0_f32; HEAD_LANES];
                for (g, scale) in scales.iter().enumerate() {
                    let scale = e8m0_to_f32(*scale);
                    let mut sums = [0_i16; HEAD_LANES];
                    for (i, code) in codes[g * FP4_GROUP / 2..][..FP4_GROUP / 2].iter().enumerate() {
                        let pair = [DOUBLED[usize::from(code & 15)], DOUBLED[usize::from(code >> 4)]];
                        for (j, value) in pair.into_iter().enumerate() {
                            let at = (g * FP4_GROUP + 2 * i + j) * n_padded + first;
                            let query: &[i8; HEAD_LANES] =
                                query.codes[at..].first_chunk().expect("padded heads");
                            for (sum, q) in sums.iter_mut().zip(query) {
                                *sum += i16::from(*q) * i16::from(value);
                            }
                        }
                    }
                    let scales: &[f32; HEAD_LANES] =
                        query.scales[g * n_padded + first..].first_chunk().expect("padded heads");
                    for ((dot, sum), s) in dots.iter_mut().zip(&sums).zip(scales) {
                        *dot = f32::from(*sum).mul_add(s * scale, *dot);
                    }
                }
                let weights = &query.weights[first..];
                for ((lane, dot), weight) in lanes.iter_mut().zip(&dots).zip(weights) {
                    *lane = weight.mul_add(dot.max(0.0), *lane);
                }
            }
            *out = sum_lanes(lanes);
        }
    }
}

/// Scores of keys that were not rounded.
fn score_plain_keys(
    queries: &[f32],
    head_weights: &[f32],
    keys: &KvRows,
    first: usize,
    out: &mut [f32],
) {
    let dim = keys.layout().width;
    let scale = 1.0 / ((dim * head_weights.len()) as f64).sqrt();
    let mut key = vec![0.0; dim];
    for (i, out) in out.iter_mut().enumerate() {
        keys.layout().unpack(keys.row(first + i), &mut key);
        let mut sum = 0.0;
        for (query, weight) in queries.chunks_exact(dim).zip(head_weights) {
            let dot: f64 = query.iter().zip(&key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum();
            sum += f64::from(*weight) * scale * dot.max(0.0);
        }
        *out = sum as f32;
    }
}

/// One token's queries, ready to be scored with.
struct Scorer<'a> {
    isa: Available,
    query: &'a IndexQuery,
    queries: &'a [f32],
    head_weights: &'a [f32],
    keys: &'a KvRows,
}

impl Scorer<'_> {
    /// Scores of the keys from `first` on.
    fn score(&self, first: usize, out: &mut [f32]) {
        match self.keys.layout().rounding {
            KvRounding::Applied => {
                let bytes = self.keys.rows(first..first + out.len());
                score_keys(self.isa, self.query, bytes, self.keys.layout().width, out);
            }
            KvRounding::Off => {
                score_plain_keys(self.queries, self.head_weights, self.keys, first, out);
            }
        }
    }
}

/// Chooses for each token of a run the index rows with the largest scores (c.9).
#[expect(clippy::too_many_arguments, reason = "state, inputs and weights of one formula")]
pub(crate) fn index_select(
    cpu: &mut Parts<'_>,
    shared: &mut IndexScratch,
    out: &mut Selection,
    queries: &Matrix,
    head_weights: &Matrix,
    keys: &KvRows,
    params: &IndexParams,
    run: Run,
) {
    assert_eq!(queries.width(), params.n_heads * keys.layout().width, "query width");
    assert_eq!(head_weights.width(), params.n_heads, "one weight per head");
    assert_eq!(out.top_k(), params.top_k, "room for the choice");
    let isa = cpu.isa;
    let visible = |position: usize| (position + 1) / params.ratio;
    let choices = out.choices_mut(run.first_row..run.first_row + run.n_rows);
    let items = run.positions().zip(choices).filter_map(|((row, position), mut choice)| {
        if visible(position) > params.top_k {
            return Some((row, visible(position), choice));
        }
        choose_all(visible(position), &mut choice);
        None
    });
    let prepare = |query: &mut IndexQuery, row: usize| {
        if keys.layout().rounding == KvRounding::Applied {
            query.fill(queries.row(row), head_weights.row(row), keys);
        }
    };
    let queries_of = |row| (queries.row(row), head_weights.row(row));
    if run.n_rows >= cpu.pool.n_threads() {
        cpu.pool.for_each(cpu.workers, items, |worker, (row, visible, mut choice)| {
            let Worker { query, scores, ranked, .. } = worker;
            prepare(query, row);
            make_room(scores, ranked, keys);
            let (queries, head_weights) = queries_of(row);
            let scorer = Scorer { isa, query, queries, head_weights, keys };
            scorer.score(0, &mut scores[..visible]);
            choose_best(&scores[..visible], ranked, &mut choice);
        });
        return;
    }
    let IndexScratch { query, scores, ranked } = shared;
    for (row, visible, mut choice) in items {
        prepare(query, row);
        make_room(scores, ranked, keys);
        let (queries, head_weights) = queries_of(row);
        let scorer = Scorer { isa, query, queries, head_weights, keys };
        let chunks = scores[..visible].chunks_mut(KEYS_PER_CHUNK).enumerate();
        cpu.pool.for_each(cpu.workers, chunks, |_, (i, out)| scorer.score(i * KEYS_PER_CHUNK, out));
        choose_best(&scores[..visible], ranked, &mut choice);
    }
}

/// Room for the scores of as many keys as there will ever be, so that a longer context does not
/// allocate.
fn make_room(scores: &mut Vec<f32>, ranked: &mut Vec<u64>, keys: &KvRows) {
    scores.resize(scores.len().max(keys.capacity()), 0.0);
    ranked.clear();
    ranked.reserve(keys.capacity());
}

/// The choice where there are no more rows than may be read.
fn choose_all(visible: usize, choice: &mut Choice<'_>) {
    *choice.count = visible as u32;
    for (row, i) in choice.rows[..visible].iter_mut().zip(0..) {
        *row = i;
    }
}

/// The rows with the largest scores, equal ones by lower id, in ascending order.
fn choose_best(scores: &[f32], ranked: &mut Vec<u64>, choice: &mut Choice<'_>) {
    let top_k = choice.rows.len();
    ranked.clear();
    ranked.extend(scores.iter().zip(0_u32..).map(|(score, i)| rank(*score, i)));
    ranked.select_nth_unstable(top_k - 1);
    for (row, rank) in choice.rows.iter_mut().zip(&*ranked) {
        *row = *rank as u32;
    }
    choice.rows.sort_unstable();
    *choice.count = top_k as u32;
}

/// A number that is lower for a better row: a larger score in the total order of floats, then a
/// lower id.
fn rank(score: f32, id: u32) -> u64 {
    let bits = score.to_bits();
    // Ascending with the score: negative numbers are turned around, below positive ones.
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!ascending) << 32 | u64::from(id)
}

/// Scratch of [`index_select`] for one token at a time.
#[derive(Debug, Default)]
pub(crate) struct IndexScratch {
    query: IndexQuery,
    scores: Vec<f32>,
    ranked: Vec<u64>,
}
