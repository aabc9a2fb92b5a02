//! Driving the norms and the rotation.

use super::cases::Rope;
use super::check::{Arrangement, Case, Outcome, Output, by_batch};
use super::inputs::{Activations, Random, plain};
use super::limits;
use super::tensors::{Place, collect, input, output, runs};
use crate::ops::Backend;
use crate::rotation::Direction;

/// `rms_norm`, or `rms_norm_heads` where `n_heads` is given.
#[derive(Debug)]
pub(super) struct RmsNorm {
    pub(super) n_heads: Option<usize>,
    /// Width of what is normed: a row, or a head.
    pub(super) width: usize,
    pub(super) n_tokens: usize,
    pub(super) activations: Activations,
}

const NORM_EPS: f32 = 1e-6;

impl Case for RmsNorm {
    fn op(&self) -> &'static str {
        if self.n_heads.is_some() { "rms_norm_heads" } else { "rms_norm" }
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(4);
        let width = self.width * self.n_heads.unwrap_or(1);
        let rows = self.activations.rows(random, self.n_tokens, width);
        let gain = backend.bind(&plain(&[self.width], &random.normals(self.width, 1.0)))?;
        by_batch(arrangement, |batch| {
            let mut x = input(backend, &rows, batch, Place::Whole)?;
            let rows = if self.n_heads.is_some() {
                backend.rms_norm_heads(&mut x, self.width, NORM_EPS);
                collect(backend, &mut x, batch.len(), width, Place::Whole)?
            } else {
                let mut out = output(backend, batch.len(), width, Place::Whole)?;
                backend.rms_norm(&mut out, &x, &gain, NORM_EPS);
                collect(backend, &mut out, batch.len(), width, Place::Whole)?
            };
            Ok(vec![Output::floats("normed", rows, limits::NORM)])
        })
    }
}

/// `rope_tail` of tokens at these positions.
#[derive(Debug)]
pub(super) struct RopeTail {
    pub(super) n_heads: usize,
    pub(super) head_dim: usize,
    pub(super) rope: Rope,
    pub(super) direction: Direction,
    pub(super) positions: Vec<usize>,
}

impl Case for RopeTail {
    fn op(&self) -> &'static str {
        "rope_tail"
    }

    fn n_rows(&self) -> usize {
        self.positions.len()
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let width = self.n_heads * self.head_dim;
        let x = Random::new(5).rows(self.n_rows(), width, 1.0);
        let rotation = self.rope.rotation();
        let n_kept = self.head_dim - rotation.rope_dim();
        by_batch(arrangement, |batch| {
            let mut x = input(backend, &x, batch, Place::Whole)?;
            let runs = runs(batch, &self.positions, Place::Whole);
            backend.rope_tail(&mut x, self.head_dim, &rotation, self.direction, &runs);
            let rows = collect(backend, &mut x, batch.len(), width, Place::Whole)?;
            let part = |take: fn(&[f32], usize) -> &[f32]| {
                let heads = |row: &Vec<f32>| {
                    row.chunks_exact(self.head_dim).flat_map(|h| take(h, n_kept).to_vec()).collect()
                };
                rows.iter().map(heads).collect::<Vec<Vec<f32>>>()
            };
            let kept = part(|head, n_kept| &head[..n_kept]);
            let rotated = part(|head, n_kept| &head[n_kept..]);
            Ok(vec![
                Output::floats("channels in front", kept, limits::COPY),
                Output::floats("rotated channels", rotated, limits::rotation(1.0)),
            ])
        })
    }
}
