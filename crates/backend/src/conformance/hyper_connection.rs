//! Driving the hyper-connection ops.

use gguf::TensorType;

use super::check::{Arrangement, Case, Outcome, Output, by_batch};
use super::inputs::{Activations, Random, plain, weight};
use super::limits;
use super::tensors::{Place, collect, input, output};
use crate::ops::{Backend, HcWeights};
use crate::params::HcParams;

/// Which of the three ops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Mix,
    Expand,
    Head,
}

/// A hyper-connection op over four streams.
#[derive(Debug)]
pub(super) struct HyperConnection {
    pub(super) op: Op,
    pub(super) kind: TensorType,
    pub(super) hidden_size: usize,
    pub(super) n_tokens: usize,
    pub(super) activations: Activations,
    /// Scale of the gates' projections: 1 is usual, 30 saturates every gate.
    pub(super) scale: f32,
}

const PARAMS: HcParams = HcParams { n_streams: 4, n_iterations: 20, eps: 1e-6, norm_eps: 1e-6 };

impl HyperConnection {
    /// Magnitude of a collapsed or expanded stream.
    fn unit(&self) -> f32 {
        if let Activations::Normal(rms) = self.activations { rms } else { 1.0 }
    }

    fn collapse<B: Backend>(
        &self,
        backend: &mut B,
        streams: &[Vec<f32>],
        random: &mut Random,
        arrangement: &Arrangement,
    ) -> Outcome {
        let n = PARAMS.n_streams;
        let gates_width = PARAMS.gates_width();
        let n_z = if self.op == Op::Mix { n + gates_width } else { n };
        let dims = [n * self.hidden_size, n_z];
        let function = backend.bind(&weight(random, self.kind, &dims, 1.0))?;
        let base = backend.bind(&plain(&[n_z], &random.normals(n_z, 1.0)))?;
        let scales = [self.scale, self.scale * 0.7, self.scale * 1.3];
        let scales = if self.op == Op::Mix { &scales[..] } else { &scales[..1] };
        let scale = backend.bind(&plain(&[scales.len()], scales))?;
        let weights = HcWeights { function: &function, base: &base, scale: &scale };
        let limit = limits::hyper_connection;
        by_batch(arrangement, |batch| {
            let n_rows = batch.len();
            let streams = input(backend, streams, batch, Place::Whole)?;
            let mut out = output(backend, n_rows, self.hidden_size, Place::Whole)?;
            if self.op == Op::Head {
                backend.hc_head(&mut out, &streams, &weights, &PARAMS);
                let out = collect(backend, &mut out, n_rows, self.hidden_size, Place::Whole)?;
                return Ok(vec![Output::floats("collapsed", out, limit(self.unit()))]);
            }
            let mut gates = output(backend, n_rows, gates_width, Place::Whole)?;
            backend.hc_mix(&mut out, &mut gates, &streams, &weights, &PARAMS);
            let out = collect(backend, &mut out, n_rows, self.hidden_size, Place::Whole)?;
            let gates = collect(backend, &mut gates, n_rows, gates_width, Place::Whole)?;
            Ok(vec![
                Output::floats("collapsed", out, limit(self.unit())),
                Output::floats("gates", gates, limit(0.25)),
            ])
        })
    }

    fn expand<B: Backend>(
        &self,
        backend: &mut B,
        streams: &[Vec<f32>],
        random: &mut Random,
        arrangement: &Arrangement,
    ) -> Outcome {
        let y = self.activations.rows(random, self.n_tokens, self.hidden_size);
        // Any gates will do: a comb that is neither symmetric nor normalised shows a transpose.
        let gates = random.rows(self.n_tokens, PARAMS.gates_width(), 1.0);
        let width = PARAMS.n_streams * self.hidden_size;
        by_batch(arrangement, |batch| {
            let mut streams = input(backend, streams, batch, Place::Whole)?;
            let y = input(backend, &y, batch, Place::Whole)?;
            let gates = input(backend, &gates, batch, Place::Whole)?;
            backend.hc_expand(&mut streams, &y, &gates, &PARAMS);
            let rows = collect(backend, &mut streams, batch.len(), width, Place::Whole)?;
            Ok(vec![Output::floats("streams", rows, limits::hyper_connection(self.unit()))])
        })
    }
}

impl Case for HyperConnection {
    fn op(&self) -> &'static str {
        match self.op {
            Op::Mix => "hc_mix",
            Op::Expand => "hc_expand",
            Op::Head => "hc_head",
        }
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(6);
        let width = PARAMS.n_streams * self.hidden_size;
        let streams = self.activations.rows(random, self.n_tokens, width);
        match self.op {
            Op::Expand => self.expand(backend, &streams, random, arrangement),
            Op::Mix | Op::Head => self.collapse(backend, &streams, random, arrangement),
        }
    }
}
