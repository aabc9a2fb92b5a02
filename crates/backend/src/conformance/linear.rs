//! Driving the embedding and the matrix products.

use gguf::TensorType;

use super::check::{Arrangement, Case, Outcome, Output, by_batch};
use super::inputs::{Activations, Random, plain, weight};
use super::limits;
use super::tensors::{Place, collect, input, output};
use crate::ops::Backend;

/// `embed` of these ids.
#[derive(Debug)]
pub(super) struct Embed {
    pub(super) kind: TensorType,
    pub(super) hidden_size: usize,
    pub(super) n_streams: usize,
    pub(super) vocab_size: usize,
    pub(super) ids: Vec<u32>,
}

impl Case for Embed {
    fn op(&self) -> &'static str {
        "embed"
    }

    fn n_rows(&self) -> usize {
        self.ids.len()
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let dims = [self.hidden_size, self.vocab_size];
        let table = backend.bind(&weight(&mut Random::new(1), self.kind, &dims, 1.0))?;
        let width = self.n_streams * self.hidden_size;
        // More room than ids, and used again for each batch: ids are replaced, not added.
        let mut tokens = backend.token_ids(self.n_rows() + 3)?;
        by_batch(arrangement, |batch| {
            let ids: Vec<u32> = batch.iter().map(|i| self.ids[*i]).collect();
            backend.write_tokens(&mut tokens, &ids);
            let mut out = output(backend, batch.len(), width, Place::Whole)?;
            backend.embed(&mut out, &tokens, &table);
            let rows = collect(backend, &mut out, batch.len(), width, Place::Whole)?;
            Ok(vec![Output::floats("streams", rows, limits::EMBED)])
        })
    }
}

/// `matmul` and `matmuls`: one input, one or more weights.
#[derive(Debug)]
pub(super) struct Matmul {
    pub(super) kinds: Vec<TensorType>,
    /// Rows of the first weight; each further one has three rows more than the one before.
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) n_tokens: usize,
    pub(super) activations: Activations,
}

impl Matmul {
    fn unit(&self) -> f32 {
        match self.activations {
            Activations::Normal(rms) => rms,
            Activations::Zero => 1.0,
            Activations::Spiked => 100.0 / (self.columns as f32).sqrt(),
        }
    }
}

const PRODUCT_NAMES: [&str; 4] = ["product", "product 1", "product 2", "product 3"];

impl Case for Matmul {
    fn op(&self) -> &'static str {
        if self.kinds.len() == 1 { "matmul" } else { "matmuls" }
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(2);
        let x = self.activations.rows(random, self.n_tokens, self.columns);
        let rows = |i: usize| self.rows + 3 * i;
        let mut weights = Vec::new();
        for (i, kind) in self.kinds.iter().enumerate() {
            weights.push(backend.bind(&weight(random, *kind, &[self.columns, rows(i)], 1.0))?);
        }
        by_batch(arrangement, |batch| {
            let x = input(backend, &x, batch, Place::Whole)?;
            let mut outs = Vec::new();
            for i in 0..weights.len() {
                outs.push(output(backend, batch.len(), rows(i), Place::Whole)?);
            }
            if let [out] = &mut outs[..] {
                backend.matmul(out, &x, &weights[0]);
            } else {
                let mut pairs: Vec<_> = outs.iter_mut().zip(&weights).collect();
                backend.matmuls(&mut pairs, &x);
            }
            let mut outputs = Vec::new();
            for (i, mut out) in outs.into_iter().enumerate() {
                let rows = collect(backend, &mut out, batch.len(), rows(i), Place::Whole)?;
                let limit = limits::product(self.kinds[i], self.activations, self.unit());
                outputs.push(Output::floats(PRODUCT_NAMES[i], rows, limit));
            }
            Ok(outputs)
        })
    }
}

/// `grouped_matmul`.
#[derive(Debug)]
pub(super) struct GroupedMatmul {
    pub(super) kind: TensorType,
    pub(super) n_groups: usize,
    pub(super) rank: usize,
    pub(super) columns: usize,
    pub(super) n_tokens: usize,
}

impl Case for GroupedMatmul {
    fn op(&self) -> &'static str {
        "grouped_matmul"
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(3);
        let x = random.rows(self.n_tokens, self.n_groups * self.columns, 1.0);
        let width = self.n_groups * self.rank;
        let weight = backend.bind(&weight(random, self.kind, &[self.columns, width], 1.0))?;
        by_batch(arrangement, |batch| {
            let x = input(backend, &x, batch, Place::Whole)?;
            let mut out = output(backend, batch.len(), width, Place::Whole)?;
            backend.grouped_matmul(&mut out, &x, &weight, self.n_groups);
            let rows = collect(backend, &mut out, batch.len(), width, Place::Whole)?;
            let limit = limits::product(self.kind, Activations::Normal(1.0), 1.0);
            Ok(vec![Output::floats("product", rows, limit)])
        })
    }
}

/// `norm_matmuls`: products of normed rows.
#[derive(Debug)]
pub(super) struct NormMatmuls(pub(super) Matmul);

impl Case for NormMatmuls {
    fn op(&self) -> &'static str {
        "norm_matmuls"
    }

    fn n_rows(&self) -> usize {
        self.0.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let Matmul { kinds, rows, columns, n_tokens, activations } = &self.0;
        let random = &mut Random::new(15);
        let x = activations.rows(random, *n_tokens, *columns);
        let gain: Vec<f32> = random.normals(*columns, 0.1).iter().map(|g| 1.0 + g).collect();
        let gain = backend.bind(&plain(&[*columns], &gain))?;
        let rows = |i: usize| rows + 3 * i;
        let mut weights = Vec::new();
        for (i, kind) in kinds.iter().enumerate() {
            weights.push(backend.bind(&weight(random, *kind, &[*columns, rows(i)], 1.0))?);
        }
        by_batch(arrangement, |batch| {
            let x = input(backend, &x, batch, Place::Whole)?;
            let mut normed = output(backend, batch.len(), *columns, Place::Whole)?;
            let mut outs = Vec::new();
            for i in 0..weights.len() {
                outs.push(output(backend, batch.len(), rows(i), Place::Whole)?);
            }
            let mut products: Vec<_> = outs.iter_mut().zip(&weights).collect();
            backend.norm_matmuls(&mut products, &mut normed, &x, &gain, 1e-6);
            let mut results = Vec::new();
            for (i, (out, kind)) in outs.iter_mut().zip(kinds).enumerate() {
                let found = collect(backend, out, batch.len(), rows(i), Place::Whole)?;
                let limit = limits::product(*kind, *activations, 1.0);
                results.push(Output::floats(PRODUCT_NAMES[i], found, limit));
            }
            Ok(results)
        })
    }
}
