//! Driving the hyper-connection ops.

use gguf::TensorType;

use super::check::{Arrangement, Case, Outcome, Output, by_batch};
use super::inputs::{Activations, Random, plain, weight};
use super::limits;
use super::tensors::{Place, collect, input, output};
use crate::ops::{Backend, HcSite, HcWeights};
use crate::params::HcParams;

/// Which of the ops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Mix,
    Expand,
    Head,
    Enter,
    Next,
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

    /// From the streams to a sublayer's normed input, with `Next` from the sublayer before it.
    fn enter<B: Backend>(
        &self,
        backend: &mut B,
        streams: &[Vec<f32>],
        random: &mut Random,
        arrangement: &Arrangement,
    ) -> Outcome {
        let n = PARAMS.n_streams;
        let gates_width = PARAMS.gates_width();
        let n_z = n + gates_width;
        let dims = [n * self.hidden_size, n_z];
        let function = backend.bind(&weight(random, self.kind, &dims, 1.0))?;
        let base = backend.bind(&plain(&[n_z], &random.normals(n_z, 1.0)))?;
        let scales = [self.scale, self.scale * 0.7, self.scale * 1.3];
        let scale = backend.bind(&plain(&[scales.len()], &scales))?;
        let gain = random.normals(self.hidden_size, 1.0);
        let gain = backend.bind(&plain(&[self.hidden_size], &gain))?;
        let weights = HcWeights { function: &function, base: &base, scale: &scale };
        let site = HcSite { weights, gain: &gain };
        let y = self.activations.rows(random, self.n_tokens, self.hidden_size);
        let old = random.rows(self.n_tokens, gates_width, 1.0);
        by_batch(arrangement, |batch| {
            let n_rows = batch.len();
            let mut streams = input(backend, streams, batch, Place::Whole)?;
            let mut gates = input(backend, &old, batch, Place::Whole)?;
            let mut mixed = output(backend, n_rows, self.hidden_size, Place::Whole)?;
            let mut normed = output(backend, n_rows, self.hidden_size, Place::Whole)?;
            if self.op == Op::Enter {
                backend.hc_enter(&mut normed, &mut mixed, &mut gates, &streams, &site, &PARAMS);
            } else {
                let y = input(backend, &y, batch, Place::Whole)?;
                let (streams, gates) = (&mut streams, &mut gates);
                backend.hc_next(streams, &y, &mut normed, &mut mixed, gates, &site, &PARAMS);
            }
            let normed = collect(backend, &mut normed, n_rows, self.hidden_size, Place::Whole)?;
            let gates = collect(backend, &mut gates, n_rows, gates_width, Place::Whole)?;
            let streams =
                collect(backend, &mut streams, n_rows, n * self.hidden_size, Place::Whole)?;
            Ok(vec![
                Output::floats("normed", normed, limits::hyper_connection(1.0)),
                Output::floats("gates", gates, limits::hyper_connection(0.25)),
                Output::floats("streams", streams, limits::hyper_connection(self.unit())),
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
            Op::Enter => "hc_enter",
            Op::Next => "hc_next",
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
            Op::Enter | Op::Next => self.enter(backend, &streams, random, arrangement),
        }
    }
}
