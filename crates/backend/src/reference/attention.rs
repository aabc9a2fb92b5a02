//! Attention with one shared K = V row per position, a raw window, compressed rows and sinks.

use crate::ops::Attended;
use crate::params::{AttendParams, Run};

use super::Reference;
use super::linear::dot;
use super::memory::Matrix;

pub(super) fn attend(
    out: &mut Matrix,
    queries: &Matrix,
    attended: &Attended<'_, Reference>,
    params: &AttendParams,
    run: Run,
) {
    let head_dim = queries.width() / params.n_heads;
    assert_eq!(attended.window.layout().width, head_dim);
    let n_seen = run.first_position.min(params.window - 1) + run.n_rows;
    assert!(n_seen <= attended.window.capacity(), "the ring holds the run");
    let sinks = attended.sinks.decode();
    for (t, position) in run.positions() {
        let rows = visible_rows(attended, params, t, position);
        let heads = queries.row(t).chunks_exact(head_dim);
        for ((head, query), sink) in
            out.row_mut(t).chunks_exact_mut(head_dim).zip(heads).zip(&sinks)
        {
            attend_head(head, query, &rows, f64::from(*sink));
        }
    }
}

/// Window rows by position, then compressed rows by id.
fn visible_rows(
    attended: &Attended<'_, Reference>,
    params: &AttendParams,
    t: usize,
    position: usize,
) -> Vec<Vec<f32>> {
    let window = attended.window;
    let first = (position + 1).saturating_sub(params.window);
    let mut rows: Vec<_> = (first..=position).map(|p| window.load(p % window.capacity())).collect();
    if let Some(compressed) = &attended.compressed {
        if let Some(selection) = compressed.selection {
            rows.extend(selection.rows(t).iter().map(|w| compressed.rows.load(*w)));
        } else {
            let visible = (position + 1) / compressed.ratio;
            rows.extend((0..visible).map(|w| compressed.rows.load(w)));
        }
    }
    rows
}

/// Softmax-weighted sum of the rows; the sink takes part in the maximum and the denominator.
fn attend_head(out: &mut [f32], query: &[f32], rows: &[Vec<f32>], sink: f64) {
    let scale = 1.0 / (query.len() as f64).sqrt();
    let scores: Vec<f64> = rows.iter().map(|row| dot(query, row) * scale).collect();
    let max = scores.iter().copied().fold(sink, f64::max);
    let weights: Vec<f64> = scores.iter().map(|score| (score - max).exp()).collect();
    let denominator = weights.iter().sum::<f64>() + (sink - max).exp();
    for (i, value) in out.iter_mut().enumerate() {
        let sum: f64 = weights.iter().zip(rows).map(|(w, row)| w * f64::from(row[i])).sum();
        *value = (sum / denominator) as f32;
    }
}
