//! Driving attention, and seeing a selection through it.
//!
//! A [`Backend::Selection`] cannot be read. It is seen through `attend` with queries of zeros, for
//! which every row counts the same, over compressed rows that are unit vectors: channel `c` of the
//! output is zero unless row `c` was chosen. Rows beyond the channels of one row are seen in
//! further rounds.

use std::error::Error;

use super::cases::Rope;
use super::check::{Arrangement, Case, Outcome, Output, by_batch};
use super::inputs::{Random, packed, plain};
use super::limits;
use super::tensors::{Place, collect, input, output, runs};
use crate::kv_row::{KvLayout, KvRounding};
use crate::ops::{Attended, Backend, Compressed};
use crate::params::{AttendParams, IndexParams, RawAttendParams, Run};

/// Heads of the attention that shows a selection.
const PROBE_HEADS: usize = 2;
const PROBE_HEAD_DIM: usize = 512;
const PROBE_ROPE_DIM: usize = 64;
/// Channels in which a one is stored exactly.
const PROBE_CHANNELS: usize = PROBE_HEAD_DIM - PROBE_ROPE_DIM;

/// The rows below `n_visible` that a selection names, for each of the `n` tokens of `runs`.
pub(super) fn selected_rows<B: Backend>(
    backend: &mut B,
    selection: &B::Selection,
    n: usize,
    n_visible: usize,
    runs: &[Run],
) -> Result<Vec<Vec<usize>>, Box<dyn Error>> {
    let layout = KvLayout::attention(PROBE_HEAD_DIM, PROBE_ROPE_DIM, KvRounding::Applied);
    let width = PROBE_HEADS * PROBE_HEAD_DIM;
    let sinks = backend.bind(&plain(&[PROBE_HEADS], &[0.0; PROBE_HEADS]))?;
    let mut window = backend.kv_rows(layout, n)?;
    backend.write_kv_rows(&mut window, 0, &packed(&layout, &vec![vec![0.0; PROBE_HEAD_DIM]; n]));
    let all: Vec<usize> = (0..n).collect();
    let queries = input(backend, &vec![vec![0.0; width]; n], &all, Place::Between)?;
    let mut found = vec![Vec::new(); n];
    for first in (0..n_visible).step_by(PROBE_CHANNELS) {
        let unit = |w: usize| {
            let mut row = vec![0.0; PROBE_HEAD_DIM];
            if (first..first + PROBE_CHANNELS).contains(&w) {
                row[w - first] = 1.0;
            }
            row
        };
        let mut rows = backend.kv_rows(layout, n_visible)?;
        let units: Vec<Vec<f32>> = (0..n_visible).map(unit).collect();
        backend.write_kv_rows(&mut rows, 0, &packed(&layout, &units));
        let mut out = output(backend, n, width, Place::Between)?;
        let compressed = Compressed { rows: &rows, ratio: 4, selection: Some(selection) };
        let attended = Attended { window: &window, compressed: Some(compressed), sinks: &sinks };
        let params = AttendParams { n_heads: PROBE_HEADS, window: 1 };
        for run in runs {
            backend.attend(&mut out, &queries, &attended, &params, *run);
        }
        let seen = collect(backend, &mut out, n, width, Place::Between)?;
        for (found, row) in found.iter_mut().zip(seen) {
            found.extend((0..PROBE_CHANNELS).filter(|c| row[*c] > 0.0).map(|c| first + c));
        }
    }
    Ok(found)
}

/// Which compressed rows a case reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompressedRows {
    /// A sliding layer: none.
    None,
    /// All that are visible.
    Visible { ratio: usize },
    /// The indexer's choice.
    Selected { ratio: usize, top_k: usize },
}

/// What scores and sinks look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scores {
    /// Of order one.
    Usual,
    /// A few rows hold all the weight.
    Peaked,
    /// All near -300, the sinks as well.
    VeryNegative,
    /// All near -300 with sinks near 0: next to nothing is left.
    VanishingRows,
    /// Sinks near +30 hold all the weight.
    DominantSinks,
    /// Queries of zeros: all rows count the same.
    Equal,
}

impl Scores {
    /// Length of the queries, common part of all rows, and mean of the sinks.
    fn shape(self) -> (f32, f32, f32) {
        match self {
            Self::Usual => (1.0, 0.0, 0.0),
            Self::Peaked => (30.0, 0.0, 0.0),
            Self::VeryNegative => (1.0, -300.0, -300.0),
            Self::VanishingRows => (1.0, -300.0, 0.0),
            Self::DominantSinks => (1.0, 0.0, 30.0),
            Self::Equal => (0.0, 0.0, 0.0),
        }
    }
}

/// `attend` of a run from `first_position` on, over a ring that is filled to the last row.
#[derive(Debug)]
pub(super) struct Attend {
    pub(super) layout: KvLayout,
    pub(super) n_heads: usize,
    pub(super) window: usize,
    pub(super) capacity: usize,
    pub(super) first_position: usize,
    pub(super) n_tokens: usize,
    pub(super) compressed: CompressedRows,
    pub(super) scores: Scores,
    /// Queries are normed and rotated on the way, and the result is rotated back: `attend_raw`.
    pub(super) raw: Option<Rope>,
}

impl Attend {
    /// Queries, sinks, and KV rows drawn from one distribution.
    ///
    /// The first channel carries the common part of the scores: queries hold `sqrt(head_dim)`
    /// there and rows the score itself.
    fn rows(&self, random: &mut Random, n: usize) -> Vec<Vec<f32>> {
        let (_, common, _) = self.scores.shape();
        let mut rows = random.rows(n, self.layout.width, 1.0);
        if common != 0.0 {
            for row in &mut rows {
                row[0] = common;
            }
        }
        rows
    }

    fn queries(&self, random: &mut Random) -> Vec<Vec<f32>> {
        let (length, common, _) = self.scores.shape();
        let head_dim = self.layout.width;
        let mut queries = random.rows(self.n_tokens, self.n_heads * head_dim, length);
        if common != 0.0 {
            for head in queries.iter_mut().flat_map(|row| row.chunks_exact_mut(head_dim)) {
                head[0] = (head_dim as f32).sqrt();
            }
        }
        queries
    }

    /// Rows visible to the last token, and one that is not.
    fn n_compressed(&self, ratio: usize) -> usize {
        (self.first_position + self.n_tokens) / ratio + 1
    }

    /// A choice by scores that are different small integers, so that no rounding changes it.
    fn select<B: Backend>(
        &self,
        backend: &mut B,
        random: &mut Random,
        (runs, place): (&[Run], Place),
        (ratio, top_k): (usize, usize),
    ) -> Result<B::Selection, Box<dyn Error>> {
        const DIM: usize = 32;
        let params = IndexParams { n_heads: 4, ratio, top_k };
        let layout = KvLayout::index(DIM, KvRounding::Off);
        let n_rows = self.n_compressed(ratio);
        let mut one = [0.0; DIM];
        one[0] = 1.0;
        let key = |score: usize| {
            let mut key = vec![0.0; DIM];
            key[0] = score as f32;
            key
        };
        let keys: Vec<Vec<f32>> = random.permutation(n_rows).into_iter().map(key).collect();
        let mut key_rows = backend.kv_rows(layout, n_rows)?;
        backend.write_kv_rows(&mut key_rows, 0, &packed(&layout, &keys));
        let n: usize = runs.iter().map(|run| run.n_rows).sum();
        let all: Vec<usize> = (0..n).collect();
        let queries = vec![one.repeat(params.n_heads); n];
        let queries = input(backend, &queries, &all, place)?;
        let head_weights = vec![vec![1.0; params.n_heads]; n];
        let head_weights = input(backend, &head_weights, &all, place)?;
        let mut selection = backend.selection(place.lead() + n, top_k)?;
        for run in runs {
            backend.index_select(&mut selection, &queries, &head_weights, &key_rows, &params, *run);
        }
        Ok(selection)
    }
}

impl Case for Attend {
    fn op(&self) -> &'static str {
        if self.raw.is_some() { "attend_raw" } else { "attend" }
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(13);
        let width = self.n_heads * self.layout.width;
        let queries = self.queries(random);
        let (_, _, sink) = self.scores.shape();
        let sinks: Vec<f32> = (0..self.n_heads).map(|_| sink + random.normal()).collect();
        let sinks = backend.bind(&plain(&[self.n_heads], &sinks))?;
        let mut window = backend.kv_rows(self.layout, self.capacity)?;
        let window_bytes = packed(&self.layout, &self.rows(random, self.capacity));
        backend.write_kv_rows(&mut window, 0, &window_bytes);
        let (ratio, top_k) = match self.compressed {
            CompressedRows::None => (usize::MAX, None),
            CompressedRows::Visible { ratio } => (ratio, None),
            CompressedRows::Selected { ratio, top_k } => (ratio, Some(top_k)),
        };
        let n_compressed = self.n_compressed(ratio);
        let mut rows = backend.kv_rows(self.layout, n_compressed)?;
        let row_bytes = packed(&self.layout, &self.rows(random, n_compressed));
        backend.write_kv_rows(&mut rows, 0, &row_bytes);

        let positions: Vec<usize> = (0..self.n_tokens).map(|i| self.first_position + i).collect();
        let params = AttendParams { n_heads: self.n_heads, window: self.window };
        // Norms and rotations take all rows in use.
        let place = if self.raw.is_some() { Place::Whole } else { Place::Between };
        by_batch(arrangement, |batch| {
            let runs = runs(batch, &positions, place);
            let selection = match top_k {
                Some(top_k) => {
                    let random = &mut Random::new(14);
                    Some(self.select(backend, random, (&runs, place), (ratio, top_k))?)
                }
                None => None,
            };
            let attended = || Attended {
                window: &window,
                compressed: (self.compressed != CompressedRows::None).then_some(Compressed {
                    rows: &rows,
                    ratio,
                    selection: selection.as_ref(),
                }),
                sinks: &sinks,
            };
            let mut queries = input(backend, &queries, batch, place)?;
            let mut out = output(backend, batch.len(), width, place)?;
            if let Some(rope) = self.raw {
                let attended: Vec<_> = runs.iter().map(|_| attended()).collect();
                let (head_dim, norm_eps) = (self.layout.width, 1e-6);
                let params = RawAttendParams { attend: params, head_dim, norm_eps };
                let rotation = rope.rotation();
                backend.attend_raw(&mut out, &mut queries, &attended, &rotation, &params, &runs);
            } else {
                for run in &runs {
                    backend.attend(&mut out, &queries, &attended(), &params, *run);
                }
            }
            let out = collect(backend, &mut out, batch.len(), width, place)?;
            let large_scores = !matches!(self.scores, Scores::Usual | Scores::Equal);
            let limit = limits::attention(large_scores, backend.attends_in_halves());
            Ok(vec![Output::floats("heads", out, limit)])
        })
    }
}
