//! Making KV: raw rows, compressed rows, and the indexer's choice among them.

use crate::kv_row::round_index_query;
use crate::ops::CompressorState;
use crate::params::{CompressParams, IndexParams, Run};

use super::linear::dot;
use super::memory::{KvRows, Matrix};

pub(super) fn store_kv(window: &mut KvRows, kv: &Matrix, run: Run) {
    assert!(run.n_rows <= window.capacity(), "a run fits the ring");
    for (row, position) in run.positions() {
        window.store(position % window.capacity(), kv.row(row));
    }
}

/// Puts one token's projections into its slot, position bias added to the scores.
pub(super) fn remember(
    state: &mut CompressorState<Matrix>,
    values: &[f32],
    scores: &[f32],
    ape: &[f32],
    params: &CompressParams,
    position: usize,
) {
    let n_slots = state.values.n_rows();
    let windows = if params.overlap { 2 } else { 1 };
    assert!(n_slots.is_multiple_of(params.ratio) && n_slots >= windows * params.ratio);
    let slot = position % n_slots;
    let bias = &ape[position % params.ratio * scores.len()..][..scores.len()];
    state.values.row_mut(slot).copy_from_slice(values);
    for ((out, score), bias) in state.scores.row_mut(slot).iter_mut().zip(scores).zip(bias) {
        *out = score + bias;
    }
}

/// Pools a window that has just closed: per channel, a softmax over its tokens' scores.
///
/// With overlap, the first half of the channels of the previous window's tokens takes part beside
/// the second half of this window's; window 0 has no previous one.
pub(super) fn pool(
    state: &CompressorState<Matrix>,
    params: &CompressParams,
    window: usize,
) -> Vec<f32> {
    let (n_slots, width) = (state.values.n_rows(), state.values.width());
    let dim = if params.overlap { width / 2 } else { width };
    let first = window * params.ratio;
    let mut entries: Vec<(usize, usize)> = Vec::new();
    if params.overlap {
        let previous = first.saturating_sub(params.ratio)..first;
        entries.extend(previous.map(|position| (position % n_slots, 0)));
    }
    let own = first..first + params.ratio;
    entries.extend(own.map(|position| (position % n_slots, width - dim)));
    (0..dim)
        .map(|channel| {
            let at =
                |of: &Matrix, (slot, half): (usize, usize)| f64::from(of.row(slot)[half + channel]);
            let max =
                entries.iter().map(|e| at(&state.scores, *e)).fold(f64::NEG_INFINITY, f64::max);
            let (mut sum, mut weights) = (0.0, 0.0);
            for entry in &entries {
                let weight = (at(&state.scores, *entry) - max).exp();
                sum += weight * at(&state.values, *entry);
                weights += weight;
            }
            (sum / weights) as f32
        })
        .collect()
}

/// Rows that the token at `position` reads, ascending.
pub(super) fn index_select(
    queries: &[f32],
    head_weights: &[f32],
    keys: &KvRows,
    params: &IndexParams,
    position: usize,
) -> Vec<usize> {
    let visible = (position + 1) / params.ratio;
    let mut rows: Vec<usize> = (0..visible).collect();
    if visible <= params.top_k {
        return rows;
    }
    let scores = index_scores(queries, head_weights, keys, params, visible);
    rows.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    rows.truncate(params.top_k);
    rows.sort_unstable();
    rows
}

/// Scores of the first `visible` index rows: per head, the product with the key where positive.
pub(crate) fn index_scores(
    queries: &[f32],
    head_weights: &[f32],
    keys: &KvRows,
    params: &IndexParams,
    visible: usize,
) -> Vec<f32> {
    let dim = keys.layout().width;
    let mut queries = queries.to_vec();
    for query in queries.chunks_exact_mut(dim) {
        round_index_query(keys.layout(), query);
    }
    // Positive, so it cannot change the choice; kept because the scores are defined with it.
    let scale = 1.0 / ((dim * params.n_heads) as f64).sqrt();
    (0..visible)
        .map(|w| {
            let key = keys.load(w);
            let heads = queries.chunks_exact(dim).zip(head_weights);
            let sum: f64 =
                heads.map(|(q, weight)| f64::from(*weight) * scale * dot(q, &key).max(0.0)).sum();
            // Closed heads of negative weight give -0, which has to tie with 0.
            sum as f32 + 0.0
        })
        .collect()
}
