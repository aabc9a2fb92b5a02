//! A tensor with its bytes, in a form that a backend can keep.
//!
//! [`TensorBytes`] shares the mapping (or the buffer) it points into, so a bound weight keeps its
//! file mapped for as long as it lives.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::directory::tensor_bytes;
use crate::map::Mapping;
use crate::{Error, Result, TensorType};

/// Bytes of a mapped file or of a buffer, shared and immutable; derefs to `[u8]`.
#[derive(Clone)]
pub struct TensorBytes {
    source: Source,
    range: Range<usize>,
}

#[derive(Clone)]
enum Source {
    File(Arc<Mapping>),
    Buffer(Arc<Vec<u8>>),
}

impl TensorBytes {
    /// Bytes `range` of a mapped file, which must lie inside it.
    pub(crate) fn from_mapping(mapping: Arc<Mapping>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= mapping.len(), "range inside the file");
        Self { source: Source::File(mapping), range }
    }

    /// Where the bytes lie in their file, as first byte and byte after the last; `None` for bytes
    /// that did not come from a file.
    ///
    /// Tensors of one file with equal ranges are the same bytes, so a backend can upload them once.
    /// Ranges of different files say nothing about each other: where several files are open, use
    /// the address (`as_ptr()`) and length instead.
    pub fn file_range(&self) -> Option<(u64, u64)> {
        match self.source {
            Source::File(_) => Some((self.range.start as u64, self.range.end as u64)),
            Source::Buffer(_) => None,
        }
    }

    /// Tells the operating system that the bytes `range` of these bytes will soon be read: where they
    /// are not in memory, it begins to read them from the disk and does not wait. Does nothing for
    /// bytes that are no part of a mapped file.
    ///
    /// # Panics
    /// If `range` does not lie inside these bytes.
    pub fn will_need(&self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.len(), "range inside the bytes");
        if let Source::File(mapping) = &self.source {
            mapping.will_need(self.range.start + range.start..self.range.start + range.end);
        }
    }

    /// Tells the operating system that the bytes `range` of these bytes were read and will hardly be
    /// again, so that a program that streams a file does not fill memory with it. They stay readable.
    /// Does nothing for bytes that are no part of a mapped file.
    ///
    /// # Panics
    /// If `range` does not lie inside these bytes.
    pub fn will_not_need(&self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.len(), "range inside the bytes");
        if let Source::File(mapping) = &self.source {
            mapping.will_not_need(self.range.start + range.start..self.range.start + range.end);
        }
    }

    /// The bytes `range` of these bytes, sharing their storage.
    ///
    /// # Panics
    /// If `range` does not lie inside these bytes.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len(), "slice inside the bytes");
        let start = self.range.start + range.start;
        Self { source: self.source.clone(), range: start..start + range.len() }
    }
}

impl From<Vec<u8>> for TensorBytes {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { source: Source::Buffer(Arc::new(bytes)), range }
    }
}

impl Deref for TensorBytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.source {
            Source::File(mapping) => &mapping[self.range.clone()],
            Source::Buffer(bytes) => &bytes[self.range.clone()],
        }
    }
}

impl AsRef<[u8]> for TensorBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for TensorBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::File(_) => "file",
            Source::Buffer(_) => "buffer",
        };
        write!(f, "TensorBytes({source} {:?})", self.range)
    }
}

/// A tensor: what the directory says about it, and its bytes.
///
/// Seen as a matrix it has [`rows`](Self::rows) rows of [`columns`](Self::columns) weights, where
/// the rows of all higher dimensions follow each other.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// The name, such as `blk.0.attn_q_a.weight`.
    pub name: String,
    /// One to four dimensions, none of them zero, the contiguous one first.
    pub dims: Vec<u64>,
    /// How the weights are stored.
    pub kind: TensorType,
    /// The weights: `rows` times `row_bytes` bytes; empty for [`TensorType::Other`].
    pub data: TensorBytes,
}

impl Tensor {
    /// A tensor of bytes that need not come from a file.
    ///
    /// # Errors
    /// If there are not one to four dimensions, one of them is zero, dimension 0 is not a whole
    /// number of blocks, or `data` has another size than dimensions and type say.
    pub fn new(
        name: impl Into<String>,
        dims: &[u64],
        kind: TensorType,
        data: impl Into<TensorBytes>,
    ) -> Result<Self> {
        let (name, data) = (name.into(), data.into());
        let n_dims = dims.len();
        if !(1..=4).contains(&n_dims) {
            return Err(Error::DimensionCount { tensor: name, offset: 0, found: n_dims as u32 });
        }
        let expected = tensor_bytes(&name, dims, kind, 0)?;
        if expected != data.len() as u64 {
            let found = data.len() as u64;
            return Err(Error::DataBytes { tensor: name, expected, found });
        }
        Ok(Self { name, dims: dims.to_owned(), kind, data })
    }

    /// Weights per row: dimension 0.
    ///
    /// # Panics
    /// If there are no dimensions.
    pub fn columns(&self) -> usize {
        self.dims[0] as usize
    }

    /// Number of rows: the product of all dimensions but the first.
    ///
    /// # Panics
    /// If there are no dimensions.
    pub fn rows(&self) -> usize {
        self.dims[1..].iter().product::<u64>() as usize
    }

    /// Bytes per row.
    ///
    /// # Panics
    /// If the type is [`TensorType::Other`].
    pub fn row_bytes(&self) -> usize {
        self.kind.row_bytes(self.columns())
    }

    /// The bytes of row `index`.
    ///
    /// # Panics
    /// If there is no such row, or the type is [`TensorType::Other`].
    pub fn row(&self, index: usize) -> &[u8] {
        let row_bytes = self.row_bytes();
        &self.data[index * row_bytes..][..row_bytes]
    }

    /// All weights as f32, row after row.
    ///
    /// # Errors
    /// If the type is [`TensorType::I32`] or [`TensorType::Other`].
    pub fn decode(&self) -> Result<Vec<f32>> {
        if !self.kind.is_float() {
            return Err(self.undecodable("f32"));
        }
        let mut weights = vec![0.0; self.columns() * self.rows()];
        self.kind.decode_row(&self.data, &mut weights);
        Ok(weights)
    }

    /// All values of an [`TensorType::I32`] tensor, row after row.
    ///
    /// # Errors
    /// If the type is another one.
    pub fn decode_i32(&self) -> Result<Vec<i32>> {
        if self.kind != TensorType::I32 {
            return Err(self.undecodable("i32"));
        }
        Ok(self.data.as_chunks().0.iter().map(|&value| i32::from_le_bytes(value)).collect())
    }

    fn undecodable(&self, wanted: &'static str) -> Error {
        Error::Undecodable { tensor: self.name.clone(), kind: self.kind, wanted }
    }
}
