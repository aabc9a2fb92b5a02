//! A backend that watches another one: how large the inputs of each weight's columns are.
//!
//! [`Observed`] runs every op on the backend inside it and, on the side, adds up the squares of
//! what each matrix is multiplied with, by column, and for a stack of experts by expert. The
//! results are unchanged. What is inside a fused op, the hidden values in front of `down`, is
//! computed again: experts are chosen by the plain definition, and their gate and up matrices are
//! run one expert at a time.
//!
//! Data: [`Observer`] shares the sums with whoever started the run; [`InputSums`] are those of one
//! weight. They are what an importance matrix is made of.
//!
//! Refuses: speed. Every product waits for its input.

mod ops;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gguf::Tensor;

use crate::error::{Error, Result};
use crate::ops::{Backend, ExpertWeights, RouterChoice};
use crate::params::RouterParams;
use crate::reference::{Reference, Routing};

/// Sums of squares of the inputs of one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSums {
    /// Columns of the weight.
    pub columns: usize,
    /// `[n_matrices, columns]`.
    pub sums: Vec<f32>,
    /// `[n_matrices]`: inputs that were summed.
    pub counts: Vec<u64>,
}

/// A share in the sums, by the name of the weight.
#[derive(Debug, Clone, Default)]
pub struct Observer(Arc<Mutex<BTreeMap<String, InputSums>>>);

impl Observer {
    /// Takes what has been summed so far.
    pub fn take(&self) -> BTreeMap<String, InputSums> {
        // Sums are whole after each addition, so a panic elsewhere spoils nothing.
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds inputs of matrix `index` of a weight; `values` is whole rows of its columns.
    fn add(&self, tensor: &Tensor, index: usize, values: &[f32]) {
        let columns = tensor.columns();
        let n_matrices = n_matrices(tensor);
        let mut weights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = weights.entry(tensor.name.clone()).or_insert_with(|| InputSums {
            columns,
            sums: vec![0.0; n_matrices * columns],
            counts: vec![0; n_matrices],
        });
        let mut squares = vec![0.0_f64; columns];
        for row in values.chunks_exact(columns) {
            for (square, &value) in squares.iter_mut().zip(row) {
                *square += f64::from(value) * f64::from(value);
            }
        }
        for (sum, square) in entry.sums[index * columns..].iter_mut().zip(squares) {
            *sum += square as f32;
        }
        entry.counts[index] += (values.len() / columns) as u64;
    }
}

/// Matrices of a stack; 1 for a plain matrix.
fn n_matrices(tensor: &Tensor) -> usize {
    tensor.dims.get(2).map_or(1, |&n| n as usize)
}

/// A backend whose products are observed.
pub struct Observed<B: Backend> {
    inner: B,
    observer: Observer,
    /// What went wrong on the side, until an op can say so.
    failed: Option<Error>,
}

/// Activations of an [`Observed`] backend.
pub struct ObservedTensor<T> {
    /// Empty only while an op of the inner backend holds it by another name.
    inner: Option<T>,
    n_rows: usize,
    width: usize,
}

/// A weight of an [`Observed`] backend.
pub struct ObservedWeight<W> {
    inner: W,
    tensor: Tensor,
}

/// Token ids of an [`Observed`] backend.
pub struct ObservedTokens<T> {
    inner: T,
    ids: Vec<u32>,
}

/// Routing of an [`Observed`] backend.
pub struct ObservedRouting<R> {
    inner: R,
    /// The same by the plain definition, which can be looked into.
    plain: Routing,
}

impl<T> ObservedTensor<T> {
    fn get(&self) -> &T {
        self.inner.as_ref().expect("a tensor is only away during an op that borrows it")
    }

    fn get_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("a tensor is only away during an op that borrows it")
    }
}

impl<B: Backend> Observed<B> {
    /// Watches `inner`; the sums go to `observer`.
    pub fn new(inner: B, observer: Observer) -> Self {
        Self { inner, observer, failed: None }
    }

    /// Keeps the first failure of an observation.
    fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    fn rows(&mut self, x: &ObservedTensor<B::Tensor>) -> Option<Vec<f32>> {
        let mut values = vec![0.0; x.n_rows * x.width];
        let read = self.inner.read(x.get(), 0, &mut values);
        self.note(read).map(|()| values)
    }

    /// Adds the inputs of a product.
    fn observe(&mut self, x: &ObservedTensor<B::Tensor>, weights: &[&Tensor]) {
        if let Some(values) = self.rows(x) {
            for tensor in weights {
                self.observer.add(tensor, 0, &values);
            }
        }
    }

    /// Routes by the plain definition and adds the router's inputs.
    fn observe_route(
        &mut self,
        plain: &mut Routing,
        x: &ObservedTensor<B::Tensor>,
        gate: &Tensor,
        choice: &RouterChoice<'_, Self>,
        params: &RouterParams,
    ) {
        let Some(values) = self.rows(x) else { return };
        self.observer.add(gate, 0, &values);
        let routed = plain_route(plain, (&values, x.width), gate, choice, params);
        self.note(routed);
    }

    /// Adds the inputs of all three matrices of the experts that tokens are routed to.
    fn observe_experts(
        &mut self,
        x: &ObservedTensor<B::Tensor>,
        routing: &Routing,
        experts: &ExpertWeights<'_, ObservedWeight<B::Weight>>,
        limit: f32,
    ) {
        let Some(values) = self.rows(x) else { return };
        for expert in 0..n_matrices(&experts.gate.tensor) {
            let (mut inputs, mut weights) = (Vec::new(), Vec::new());
            for (t, x) in values.chunks_exact(x.width).enumerate() {
                let chosen = routing.experts(t).iter().filter(|(chosen, _)| *chosen == expert);
                for (_, weight) in chosen {
                    inputs.extend_from_slice(x);
                    weights.push(*weight);
                }
            }
            if !weights.is_empty() {
                let observed = self.observe_expert(experts, expert, &inputs, &weights, limit);
                self.note(observed);
            }
        }
    }

    /// One expert: `inputs` are the rows routed to it, `weights` what each is weighed with.
    fn observe_expert(
        &mut self,
        experts: &ExpertWeights<'_, ObservedWeight<B::Weight>>,
        expert: usize,
        inputs: &[f32],
        weights: &[f32],
        limit: f32,
    ) -> Result<()> {
        let [gate, up] = [experts.gate, experts.up].map(|stack| one_of(&stack.tensor, expert));
        let gated = self.product(inputs, &gate)?;
        let upped = self.product(inputs, &up)?;
        let width = gate.rows();
        let hidden: Vec<f32> = gated
            .chunks_exact(width)
            .zip(upped.chunks_exact(width))
            .zip(weights)
            .flat_map(|((gate, up), weight)| {
                let hidden = move |(&gate, &up): (&f32, &f32)| {
                    let gate = gate.min(limit);
                    gate / (1.0 + (-gate).exp()) * up.clamp(-limit, limit) * weight
                };
                gate.iter().zip(up).map(hidden)
            })
            .collect();
        self.observer.add(&experts.gate.tensor, expert, inputs);
        self.observer.add(&experts.up.tensor, expert, inputs);
        self.observer.add(&experts.down.tensor, expert, &hidden);
        Ok(())
    }

    /// `inputs @ matrix^T` on the inner backend, with a matrix that is bound for this product only.
    fn product(&mut self, inputs: &[f32], matrix: &Tensor) -> Result<Vec<f32>> {
        let n_rows = inputs.len() / matrix.columns();
        let weight = self.inner.bind(matrix)?;
        let mut x = self.inner.zeros(n_rows, matrix.columns())?;
        self.inner.write(&mut x, 0, inputs);
        let mut out = self.inner.zeros(n_rows, matrix.rows())?;
        self.inner.matmul(&mut out, &x, &weight);
        let mut values = vec![0.0; n_rows * matrix.rows()];
        self.inner.read(&out, 0, &mut values)?;
        Ok(values)
    }
}

/// Matrix `index` of a stack, sharing its bytes.
fn one_of(stack: &Tensor, index: usize) -> Tensor {
    let n_rows = stack.dims[1] as usize;
    let bytes = n_rows * stack.row_bytes();
    Tensor {
        name: stack.name.clone(),
        dims: stack.dims[..2].to_vec(),
        kind: stack.kind,
        data: stack.data.slice(index * bytes..(index + 1) * bytes),
    }
}

/// Routes the rows of `x` on the reference backend.
fn plain_route<B: Backend>(
    out: &mut Routing,
    (x, width): (&[f32], usize),
    gate: &Tensor,
    choice: &RouterChoice<'_, Observed<B>>,
    params: &RouterParams,
) -> Result<()> {
    let mut reference = Reference;
    let mut rows = reference.zeros(x.len() / width, width)?;
    reference.write(&mut rows, 0, x);
    let gate = reference.bind(gate)?;
    match choice {
        RouterChoice::Learned { bias } => {
            let bias = bias.map(|bias| reference.bind(&bias.tensor)).transpose()?;
            let choice = RouterChoice::Learned { bias: bias.as_ref() };
            reference.route(out, &rows, &gate, &choice, params);
        }
        RouterChoice::Hashed { table, tokens } => {
            let table = reference.bind(&table.tensor)?;
            let choice = RouterChoice::Hashed { table: &table, tokens: &tokens.ids };
            reference.route(out, &rows, &gate, &choice, params);
        }
    }
    Ok(())
}
