//! The tensor directory: name, dimensions, type and place of every tensor.
//!
//! An entry is the name as a string, the number of dimensions as u32, the dimensions as u64 (the
//! contiguous one first), the type as u32, and the offset from the start of the data as u64.
//!
//! Tensors may overlap: a file can show one range under several names. Tensors of a type that this
//! crate does not know are listed, so that a file with a few exotic tensors can still be inspected.

use std::collections::HashMap;
use std::ops::Deref;

use crate::cursor::Cursor;
use crate::{Error, Result, TensorType};

/// Longest tensor name accepted. ggml itself stops at 64; the limit keeps messages readable.
pub(crate) const MAX_NAME_BYTES: u64 = 1024;

const MAX_DIMS: u32 = 4;

/// One tensor of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The name, such as `blk.0.attn_q_a.weight`.
    pub name: String,
    /// One to four dimensions, none of them zero, the contiguous one first.
    pub dims: Vec<u64>,
    /// How the weights are stored.
    pub kind: TensorType,
    /// Where the data begins, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes of data. 0 for [`TensorType::Other`], whose size is unknown, and only there.
    pub bytes: u64,
}

/// All tensors of a file, in file order; derefs to a slice of [`TensorInfo`].
#[derive(Debug, Clone)]
pub struct Directory {
    tensors: Vec<TensorInfo>,
    by_name: HashMap<String, usize>,
}

impl Directory {
    /// Bytes of the shortest entry: a name of one byte and one dimension.
    pub(crate) const MIN_ENTRY_BYTES: u64 = 8 + 1 + 4 + 8 + 4 + 8;

    /// Reads `n_tensors` entries. Where they lie in the file is not known until the directory ends.
    pub(crate) fn parse(cursor: &mut Cursor<'_>, n_tensors: u64) -> Result<Entries> {
        let mut entries = Entries { entries: Vec::new(), by_name: HashMap::new() };
        for _ in 0..n_tensors {
            let entry = Entry::parse(cursor)?;
            let index = entries.entries.len();
            if entries.by_name.insert(entry.name.clone(), index).is_some() {
                return Err(Error::DuplicateTensor { tensor: entry.name, offset: entry.listed_at });
            }
            entries.entries.push(entry);
        }
        Ok(entries)
    }

    /// The tensor of this name.
    pub fn find(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }
}

impl Deref for Directory {
    type Target = [TensorInfo];

    fn deref(&self) -> &[TensorInfo] {
        &self.tensors
    }
}

impl<'a> IntoIterator for &'a Directory {
    type Item = &'a TensorInfo;
    type IntoIter = std::slice::Iter<'a, TensorInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.iter()
    }
}

/// Directory entries whose place in the file has not been checked yet.
pub(crate) struct Entries {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
}

impl Entries {
    /// Checks that every tensor lies inside the file, given where the data begins.
    pub(crate) fn place(
        self,
        data_offset: u64,
        alignment: u64,
        file_bytes: u64,
    ) -> Result<Directory> {
        let place = |entry: Entry| entry.place(data_offset, alignment, file_bytes);
        let tensors = self.entries.into_iter().map(place).collect::<Result<_>>()?;
        Ok(Directory { tensors, by_name: self.by_name })
    }
}

struct Entry {
    name: String,
    dims: Vec<u64>,
    kind: TensorType,
    bytes: u64,
    /// Offset of the data from the start of all data.
    relative: u64,
    /// Where this entry begins in the file.
    listed_at: u64,
}

impl Entry {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self> {
        let listed_at = cursor.offset();
        let name = cursor.name("tensor name", MAX_NAME_BYTES)?.to_owned();
        let dims_offset = cursor.offset();
        let n_dims = cursor.u32(&format_args!("number of dimensions of tensor {name:?}"))?;
        if !(1..=MAX_DIMS).contains(&n_dims) {
            return Err(Error::DimensionCount { tensor: name, offset: dims_offset, found: n_dims });
        }
        let what = format_args!("dimensions of tensor {name:?}");
        let dims = (0..n_dims).map(|_| cursor.u64(&what)).collect::<Result<Vec<_>>>()?;
        let id = cursor.u32(&format_args!("type of tensor {name:?}"))?;
        let kind = TensorType::from_id(id);
        let relative = cursor.u64(&format_args!("offset of tensor {name:?}"))?;
        let bytes = tensor_bytes(&name, &dims, kind, listed_at)?;
        Ok(Self { name, dims, kind, bytes, relative, listed_at })
    }

    fn place(self, data_offset: u64, alignment: u64, file_bytes: u64) -> Result<TensorInfo> {
        let Self { name, dims, kind, bytes, relative, listed_at } = self;
        if !relative.is_multiple_of(alignment) {
            return Err(Error::Misaligned {
                tensor: name,
                offset: listed_at,
                found: relative,
                alignment,
            });
        }
        let start = data_offset.saturating_add(relative);
        if start.checked_add(bytes).is_none_or(|end| end > file_bytes) {
            return Err(Error::PastEnd {
                tensor: name,
                offset: listed_at,
                start,
                bytes,
                file_bytes,
            });
        }
        Ok(TensorInfo { name, dims, kind, offset: start, bytes })
    }
}

/// Bytes that a tensor takes; 0 if its type is unknown. `offset` is only reported.
pub(crate) fn tensor_bytes(name: &str, dims: &[u64], kind: TensorType, offset: u64) -> Result<u64> {
    let impossible =
        || Error::Dimensions { tensor: name.to_owned(), offset, dims: dims.to_owned() };
    let n_weights = dims.iter().try_fold(1_u64, |product, &dim| product.checked_mul(dim));
    let n_weights = n_weights.filter(|&product| product > 0).ok_or_else(impossible)?;
    if !kind.is_known() {
        return Ok(0);
    }
    let block_len = kind.block_len() as u64;
    if !dims[0].is_multiple_of(block_len) {
        return Err(Error::BlockLength {
            tensor: name.to_owned(),
            offset,
            kind,
            columns: dims[0],
            block_len,
        });
    }
    (n_weights / block_len).checked_mul(kind.block_bytes() as u64).ok_or_else(impossible)
}
