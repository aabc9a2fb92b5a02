//! What the backend keeps for a model: activations, KV rows, choices.

use std::ops::Range;

use backend::kv_row::KvLayout;
use backend::{Error, Result};
use bytemuck::Zeroable;
use bytemuck::allocation::try_zeroed_vec;

/// `n` zeros that the operating system provides only when they are touched.
///
/// # Errors
/// If the address space is short.
fn lazy_zeros<T: Zeroable>(n: Option<usize>, purpose: &'static str) -> Result<Vec<T>> {
    let wanted_bytes = n.and_then(|n| n.checked_mul(size_of::<T>())).unwrap_or(usize::MAX) as u64;
    let zeros = n.and_then(|n| try_zeroed_vec(n).ok());
    zeros.ok_or(Error::OutOfMemory { purpose, wanted_bytes })
}

/// Activations `[n_rows, width]`, f32, row-major.
#[derive(Debug)]
pub struct Matrix {
    values: Vec<f32>,
    n_rows: usize,
    width: usize,
}

impl Matrix {
    pub(crate) fn zeros(capacity: usize, width: usize) -> Result<Self> {
        let values = lazy_zeros(capacity.checked_mul(width), "activations")?;
        Ok(Self { values, n_rows: capacity, width })
    }

    pub(crate) fn set_rows(&mut self, n_rows: usize) {
        assert!(n_rows * self.width <= self.values.len(), "rows fit the capacity");
        self.n_rows = n_rows;
    }

    /// Rows in use.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Values per row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows in use.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values[..self.n_rows * self.width]
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.n_rows * self.width]
    }

    pub(crate) fn row(&self, i: usize) -> &[f32] {
        assert!(i < self.n_rows, "row {i} of {}", self.n_rows);
        &self.values[i * self.width..][..self.width]
    }

    pub(crate) fn row_mut(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.n_rows, "row {i} of {}", self.n_rows);
        &mut self.values[i * self.width..][..self.width]
    }

    pub(crate) fn write(&mut self, first_row: usize, values: &[f32]) {
        assert!(values.len().is_multiple_of(self.width), "whole rows are written");
        self.values[first_row * self.width..][..values.len()].copy_from_slice(values);
    }

    pub(crate) fn read(&self, first_row: usize, values: &mut [f32]) {
        assert!(values.len().is_multiple_of(self.width), "whole rows are read");
        values.copy_from_slice(&self.values[first_row * self.width..][..values.len()]);
    }
}

/// KV rows, exactly as [`backend::kv_row`] packs them.
#[derive(Debug)]
pub struct KvRows {
    layout: KvLayout,
    row_bytes: usize,
    bytes: Vec<u8>,
}

impl KvRows {
    pub(crate) fn new(layout: KvLayout, capacity: usize) -> Result<Self> {
        let row_bytes = layout.row_bytes();
        let bytes = lazy_zeros(capacity.checked_mul(row_bytes), "KV rows")?;
        Ok(Self { layout, row_bytes, bytes })
    }

    pub(crate) fn layout(&self) -> &KvLayout {
        &self.layout
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.len() / self.row_bytes
    }

    pub(crate) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The bytes of `rows`.
    pub(crate) fn rows(&self, rows: Range<usize>) -> &[u8] {
        &self.bytes[rows.start * self.row_bytes..rows.end * self.row_bytes]
    }

    /// The bytes of row `i`.
    pub(crate) fn row(&self, i: usize) -> &[u8] {
        self.rows(i..i + 1)
    }

    pub(crate) fn write(&mut self, first_row: usize, bytes: &[u8]) {
        self.bytes[first_row * self.row_bytes..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Rounds `row` and puts it at `index`.
    pub(crate) fn store(&mut self, index: usize, row: &[f32]) {
        self.layout.pack(row, &mut self.bytes[index * self.row_bytes..][..self.row_bytes]);
    }
}

/// Token ids of a batch.
#[derive(Debug)]
pub struct TokenIds(pub(crate) Vec<u32>);

/// For each token of a batch, the compressed rows that it reads, ascending.
#[derive(Debug)]
pub struct Selection {
    top_k: usize,
    /// `[capacity, top_k]`.
    rows: Vec<u32>,
    /// `[capacity]`.
    counts: Vec<u32>,
}

/// The choice of one token, to be made.
pub(crate) struct Choice<'a> {
    pub(crate) rows: &'a mut [u32],
    pub(crate) count: &'a mut u32,
}

impl Selection {
    pub(crate) fn new(capacity: usize, top_k: usize) -> Self {
        Self { top_k, rows: vec![0; capacity * top_k], counts: vec![0; capacity] }
    }

    pub(crate) fn top_k(&self) -> usize {
        self.top_k
    }

    /// The choice of token `t`.
    pub(crate) fn of(&self, t: usize) -> &[u32] {
        &self.rows[t * self.top_k..][..self.counts[t] as usize]
    }

    /// The choices of some tokens, to be made.
    pub(crate) fn choices_mut(
        &mut self,
        tokens: Range<usize>,
    ) -> impl Iterator<Item = Choice<'_>> + Send {
        let rows = self.rows[tokens.start * self.top_k..tokens.end * self.top_k]
            .chunks_exact_mut(self.top_k);
        let counts = &mut self.counts[tokens];
        rows.zip(counts).map(|(rows, count)| Choice { rows, count })
    }
}

/// For each token of a batch, its experts and their weights in the order of adding.
#[derive(Debug)]
pub struct Routing {
    n_experts_per_token: usize,
    /// `[capacity, n_experts_per_token]`.
    experts: Vec<(u32, f32)>,
}

impl Routing {
    pub(crate) fn new(capacity: usize, n_experts_per_token: usize) -> Self {
        Self { n_experts_per_token, experts: vec![(0, 0.0); capacity * n_experts_per_token] }
    }

    pub(crate) fn n_experts_per_token(&self) -> usize {
        self.n_experts_per_token
    }

    /// `(expert, weight)` of the first `n` tokens, `n_experts_per_token` each.
    pub(crate) fn experts(&self, n: usize) -> &[(u32, f32)] {
        &self.experts[..n * self.n_experts_per_token]
    }

    pub(crate) fn experts_mut(&mut self, n: usize) -> &mut [(u32, f32)] {
        &mut self.experts[..n * self.n_experts_per_token]
    }
}
