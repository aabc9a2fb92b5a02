//! What the reference backend keeps: plain vectors, and weights as the file stores them.

use std::ops::Range;

use gguf::{Tensor, TensorType};

use crate::error::{Error, Result};
use crate::kv_row::KvLayout;

/// Activations `[n_rows, width]`, f32, row-major.
#[derive(Debug, Clone)]
pub struct Matrix {
    width: usize,
    n_rows: usize,
    values: Vec<f32>,
}

impl Matrix {
    pub(super) fn zeros(capacity: usize, width: usize) -> Self {
        Self { width, n_rows: capacity, values: vec![0.0; capacity * width] }
    }

    pub(super) fn set_rows(&mut self, n_rows: usize) {
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

    /// Row `i` of the rows in use.
    ///
    /// # Panics
    /// If `i` is not in use.
    pub fn row(&self, i: usize) -> &[f32] {
        assert!(i < self.n_rows);
        &self.values[i * self.width..][..self.width]
    }

    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f32] {
        assert!(i < self.n_rows);
        &mut self.values[i * self.width..][..self.width]
    }

    pub(super) fn write(&mut self, first_row: usize, values: &[f32]) {
        assert!(values.len().is_multiple_of(self.width), "whole rows are written");
        self.values[first_row * self.width..][..values.len()].copy_from_slice(values);
    }

    pub(super) fn read(&self, first_row: usize, values: &mut [f32]) {
        assert!(values.len().is_multiple_of(self.width), "whole rows are read");
        values.copy_from_slice(&self.values[first_row * self.width..][..values.len()]);
    }
}

/// A weight as the file stores it; rows are decoded when they are used.
#[derive(Debug)]
pub struct Weight {
    tensor: Tensor,
}

impl Weight {
    pub(super) fn new(tensor: &Tensor) -> Result<Self> {
        if matches!(tensor.kind, TensorType::Other(_)) {
            return Err(Error::UnsupportedType {
                tensor: tensor.name.clone(),
                kind: tensor.kind.to_string(),
                backend: "reference",
            });
        }
        Ok(Self { tensor: tensor.clone() })
    }

    /// Values per row: the contiguous dimension.
    pub(super) fn columns(&self) -> usize {
        self.tensor.columns()
    }

    /// Rows of all matrices of a stack together.
    pub(super) fn n_rows(&self) -> usize {
        self.tensor.rows()
    }

    /// Rows of one matrix of a stack.
    pub(super) fn rows_per_expert(&self) -> usize {
        self.tensor.dims[1] as usize
    }

    /// Row `i`, decoded.
    pub(super) fn row(&self, i: usize) -> Vec<f32> {
        let mut row = vec![0.0; self.columns()];
        self.tensor.kind.decode_row(self.tensor.row(i), &mut row);
        row
    }

    /// The whole weight, decoded: for vectors and small tables.
    pub(super) fn decode(&self) -> Vec<f32> {
        (0..self.n_rows()).flat_map(|i| self.row(i)).collect()
    }

    /// Row `i` of a table of integers.
    pub(super) fn integers(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        assert_eq!(self.tensor.kind, TensorType::I32, "tables of ids are I32");
        self.tensor.row(i).chunks_exact(4).map(|four| {
            i32::from_le_bytes(four.try_into().expect("chunks are four bytes")) as usize
        })
    }
}

/// KV rows as bytes.
#[derive(Debug)]
pub struct KvRows {
    layout: KvLayout,
    bytes: Vec<u8>,
}

impl KvRows {
    pub(super) fn new(layout: KvLayout, capacity: usize) -> Self {
        Self { layout, bytes: vec![0; capacity * layout.row_bytes()] }
    }

    pub(super) fn layout(&self) -> &KvLayout {
        &self.layout
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.len() / self.layout.row_bytes()
    }

    fn range(&self, rows: &Range<usize>) -> Range<usize> {
        rows.start * self.layout.row_bytes()..rows.end * self.layout.row_bytes()
    }

    pub(super) fn read(&self, rows: Range<usize>, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.bytes[self.range(&rows)]);
    }

    pub(super) fn write(&mut self, first_row: usize, bytes: &[u8]) {
        let start = first_row * self.layout.row_bytes();
        self.bytes[start..][..bytes.len()].copy_from_slice(bytes);
    }

    /// Rounds `row` and puts it at `index`.
    pub(super) fn store(&mut self, index: usize, row: &[f32]) {
        let range = self.range(&(index..index + 1));
        self.layout.pack(row, &mut self.bytes[range]);
    }

    /// The row at `index` as it was rounded.
    pub(super) fn load(&self, index: usize) -> Vec<f32> {
        let mut row = vec![0.0; self.layout.width];
        self.layout.unpack(&self.bytes[self.range(&(index..index + 1))], &mut row);
        row
    }
}

/// For each token of a batch, the compressed rows that it reads, ascending.
#[derive(Debug)]
pub struct Selection {
    pub(super) rows: Vec<Vec<usize>>,
}

/// For each token of a batch, `(expert, weight)` in the order in which they are added.
#[derive(Debug)]
pub struct Routing {
    pub(super) experts: Vec<Vec<(usize, f32)>>,
}

impl Routing {
    /// `(expert, weight)` of the token in row `row`, in the order in which they are added.
    pub fn experts(&self, row: usize) -> &[(usize, f32)] {
        &self.experts[row]
    }
}

impl Selection {
    /// Compressed rows that the token in row `row` reads, ascending.
    pub fn rows(&self, row: usize) -> &[usize] {
        &self.rows[row]
    }
}
