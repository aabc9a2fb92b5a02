//! Attention with one shared K = V row per position.
//!
//! Rows are taken in blocks of [`BLOCK_ROWS`], counted from the first row of a token's logical
//! order (window by position, then compressed rows by id), with an online softmax across blocks.
//! What a token computes is therefore a function of its position and rows alone. A block is
//! decoded once for all heads of an item of work.

use backend::{AttendParams, Attended, Run};

use crate::Cpu;
use crate::dot::FloatFormat;
use crate::isa::Available;
use crate::linear::FloatRows;
use crate::memory::{KvRows, Matrix};
use crate::parts::{Parts, Worker};
use crate::vector;

/// Rows of a block.
pub(crate) const BLOCK_ROWS: usize = vector::MAX_WEIGHTED_ROWS;
/// Fewest heads that are worth decoding rows for.
const MIN_HEADS: usize = 8;

/// What one token reads.
struct View<'a> {
    window: &'a KvRows,
    first_position: usize,
    n_window: usize,
    compressed: Option<&'a KvRows>,
    /// Rows of `compressed`; `None` reads the first `n_compressed`.
    selected: Option<&'a [u32]>,
    n_compressed: usize,
}

impl<'a> View<'a> {
    fn new(
        attended: &'a Attended<'_, Cpu>,
        params: &AttendParams,
        t: usize,
        position: usize,
    ) -> Self {
        let first_position = (position + 1).saturating_sub(params.window);
        let mut view = Self {
            window: attended.window,
            first_position,
            n_window: position + 1 - first_position,
            compressed: None,
            selected: None,
            n_compressed: 0,
        };
        if let Some(compressed) = &attended.compressed {
            view.compressed = Some(compressed.rows);
            view.selected = compressed.selection.map(|selection| selection.of(t));
            let visible = (position + 1) / compressed.ratio;
            view.n_compressed = view.selected.map_or(visible, <[u32]>::len);
        }
        view
    }

    fn n_rows(&self) -> usize {
        self.n_window + self.n_compressed
    }

    /// The bytes of the row at place `i` of the logical order.
    fn row(&self, i: usize) -> &'a [u8] {
        if i < self.n_window {
            return self.window.row((self.first_position + i) % self.window.capacity());
        }
        let i = i - self.n_window;
        let rows = self.compressed.expect("compressed rows are counted only if there are any");
        rows.row(self.selected.map_or(i, |selected| selected[i] as usize))
    }
}

/// Attends with every run of a batch, side by side: a step of decode has a token of each of them.
pub(crate) fn attend(
    cpu: &mut Parts<'_>,
    out: &mut Matrix,
    queries: &Matrix,
    attended: &[Attended<'_, Cpu>],
    params: &AttendParams,
    runs: &[Run],
) {
    let (width, n_heads) = (queries.width(), params.n_heads);
    let head_dim = width / n_heads;
    assert_eq!(out.width(), width, "output width");
    assert_eq!(attended.len(), runs.len(), "every run attends");
    for (attended, run) in attended.iter().zip(runs) {
        assert_eq!(attended.window.layout().width, head_dim, "row width");
        let n_seen = run.first_position.min(params.window - 1) + run.n_rows;
        assert!(n_seen <= attended.window.capacity(), "the ring holds the run");
        assert_eq!(attended.sinks.values().len(), n_heads, "one sink per head");
    }
    // Few tokens are split by heads, so that all threads have something to do.
    let n_tokens: usize = runs.iter().map(|run| run.n_rows).sum();
    let parts = (2 * cpu.pool.n_threads()).div_ceil(n_tokens).min(n_heads.div_ceil(MIN_HEADS));
    let n_threads_of_one = if n_tokens == 1 { cpu.pool.n_threads() } else { parts };
    let heads = n_heads.div_ceil(n_threads_of_one.min(parts)).min(n_heads);
    let isa = cpu.isa;
    let (mut rest, mut n_passed) = (out.values_mut(), 0);
    let items = runs.iter().zip(attended).flat_map(move |(run, attended)| {
        let n_between = run.first_row.checked_sub(n_passed).expect("runs follow each other");
        n_passed = run.first_row + run.n_rows;
        rest.split_off_mut(..n_between * width).expect("rows of the batch");
        let rows = rest.split_off_mut(..run.n_rows * width).expect("rows of the batch");
        rows.chunks_exact_mut(width).enumerate().flat_map(move |(t, row)| {
            let parts = row.chunks_mut(heads * head_dim).enumerate();
            parts.map(move |(part, out)| (attended, run, t, part * heads, out))
        })
    });
    cpu.pool.for_each(cpu.workers, items, |worker, (attended, run, t, first_head, out)| {
        let view = View::new(attended, params, run.first_row + t, run.first_position + t);
        let n = out.len() / head_dim;
        let queries = &queries.row(run.first_row + t)[first_head * head_dim..][..out.len()];
        let sinks = &attended.sinks.values()[first_head..][..n];
        attend_heads(isa, worker, out, queries, &view, sinks);
    });
}

/// Some heads of one token.
fn attend_heads(
    isa: Available,
    worker: &mut Worker,
    out: &mut [f32],
    queries: &[f32],
    view: &View<'_>,
    sinks: &[f32],
) {
    let head_dim = out.len() / sinks.len();
    let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
    let Worker { scratch, rows, scores, up: state, .. } = worker;
    rows.resize(rows.len().max(BLOCK_ROWS * head_dim), 0.0);
    scores.resize(scores.len().max(BLOCK_ROWS * sinks.len()), 0.0);
    // Running maxima, then denominators: the sink is there before any row.
    state.clear();
    state.extend_from_slice(sinks);
    state.resize(2 * sinks.len(), 1.0);
    let (maxima, denominators) = state.split_at_mut(sinks.len());
    out.fill(0.0);
    for first in (0..view.n_rows()).step_by(BLOCK_ROWS) {
        let n = BLOCK_ROWS.min(view.n_rows() - first);
        for (i, row) in rows.chunks_exact_mut(head_dim).take(n).enumerate() {
            let i = first + i;
            let layout = if i < view.n_window {
                view.window
            } else {
                view.compressed.unwrap_or(view.window)
            };
            vector::unpack_kv_row(isa, layout.layout(), view.row(i), row);
        }
        let block = FloatRows {
            format: FloatFormat::F32,
            bytes: bytemuck::cast_slice(&rows[..n * head_dim]),
            row_bytes: 4 * head_dim,
        };
        let query = |h: usize| &queries[h * head_dim..][..head_dim];
        block.multiply(isa, scratch, sinks.len(), query, |h, r, values| {
            scores[h * BLOCK_ROWS + r..][..values.len()].copy_from_slice(values);
        });
        for (h, out) in out.chunks_exact_mut(head_dim).enumerate() {
            let scores = &mut scores[h * BLOCK_ROWS..][..n];
            let largest = scores.iter().fold(f32::NEG_INFINITY, |max, score| max.max(*score));
            let max = maxima[h].max(largest * scale);
            let shrink = vector::exp(maxima[h] - max);
            maxima[h] = max;
            let sum = vector::exp_weights(isa, scores, scale, max);
            denominators[h] = denominators[h].mul_add(shrink, sum);
            if shrink < 1.0 {
                vector::scale(isa, out, shrink);
            }
        }
        let rows = &rows[..n * head_dim];
        vector::add_weighted_rows(isa, out, scores, BLOCK_ROWS, rows, head_dim);
    }
    for (out, denominator) in out.chunks_exact_mut(head_dim).zip(denominators) {
        vector::scale(isa, out, 1.0 / *denominator);
    }
}
