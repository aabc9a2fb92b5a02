//! Bound weights: the file's own bytes, used in place.

use std::sync::OnceLock;

use backend::{Error, Result};
use gguf::{Tensor, TensorType};

use crate::dot::{FloatFormat, IntegerFormat};

/// How a weight's rows are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// With activations of eight bits.
    Integer(IntegerFormat),
    /// With f32 activations.
    Float(FloatFormat),
    /// Not at all: ids.
    Ids,
}

/// A weight as the file stores it.
#[derive(Debug)]
pub struct Weight {
    tensor: Tensor,
    format: Format,
    columns: usize,
    n_rows: usize,
    row_bytes: usize,
    /// All values, once somebody has asked: gains, scales, biases, position biases.
    values: OnceLock<Vec<f32>>,
}

impl Weight {
    pub(crate) fn new(tensor: &Tensor) -> Result<Self> {
        let format = match (IntegerFormat::of(tensor.kind), FloatFormat::of(tensor.kind)) {
            (Some(format), _) => Format::Integer(format),
            (_, Some(format)) => Format::Float(format),
            _ if tensor.kind == TensorType::I32 => Format::Ids,
            _ => {
                return Err(Error::UnsupportedType {
                    tensor: tensor.name.clone(),
                    kind: tensor.kind.to_string(),
                    backend: "cpu",
                });
            }
        };
        let (columns, n_rows) = (tensor.columns(), tensor.rows());
        let row_bytes = tensor.row_bytes();
        Ok(Self {
            tensor: tensor.clone(),
            format,
            columns,
            n_rows,
            row_bytes,
            values: OnceLock::new(),
        })
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Values per row: the contiguous dimension.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Rows of all matrices of a stack together.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Rows of one matrix of a stack.
    pub(crate) fn rows_per_expert(&self) -> usize {
        self.tensor.dims[1] as usize
    }

    pub(crate) fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// The bytes of `n` rows from `first` on.
    pub(crate) fn rows(&self, first: usize, n: usize) -> &[u8] {
        &self.tensor.data[first * self.row_bytes..(first + n) * self.row_bytes]
    }

    /// Asks for `n` rows from `first` on to be read from the disk, where they are not in memory.
    pub(crate) fn will_need(&self, first: usize, n: usize) {
        self.tensor.data.will_need(first * self.row_bytes..(first + n) * self.row_bytes);
    }

    /// Decodes row `i`.
    pub(crate) fn decode_row(&self, i: usize, out: &mut [f32]) {
        self.tensor.kind.decode_row(self.tensor.row(i), out);
    }

    /// All values of a vector or small table, decoded once.
    pub(crate) fn values(&self) -> &[f32] {
        self.values.get_or_init(|| {
            let mut values = vec![0.0; self.columns * self.n_rows];
            self.tensor.kind.decode_row(&self.tensor.data, &mut values);
            values
        })
    }

    /// Row `i` of a table of ids.
    pub(crate) fn ids(&self, i: usize) -> impl Iterator<Item = u32> + '_ {
        assert_eq!(self.format, Format::Ids, "{} is a table of ids", self.tensor.name);
        let row = self.tensor.row(i).as_chunks::<4>().0;
        row.iter().map(|four| i32::from_le_bytes(*four) as u32)
    }
}
