//! Writes GGUF files of version 3, streaming: only the header is ever held in memory.
//!
//! All tensors are declared first, since the directory precedes the data; then their bytes follow
//! in the same order. Data may come in pieces of any size; the writer counts it against the
//! declaration and fills the gaps up to the alignment with zeros.

use std::collections::HashSet;
use std::io::{Seek, SeekFrom, Write};

use crate::directory::{MAX_NAME_BYTES, tensor_bytes};
use crate::header::{MAGIC, MAX_HEADER_BYTES, VERSION, alignment_in};
use crate::metadata::{MAX_KEY_BYTES, type_id};
use crate::{Array, Error, Metadata, Result, TensorType, Value};

/// What a file will contain: metadata and the declarations of its tensors.
#[derive(Debug, Clone, Default)]
pub struct WriterBuilder {
    metadata: Metadata,
    tensors: Vec<Declaration>,
}

#[derive(Debug, Clone)]
struct Declaration {
    name: String,
    dims: Vec<u64>,
    kind: TensorType,
    bytes: u64,
}

impl WriterBuilder {
    /// A file without metadata and tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metadata pair. `general.alignment` sets the alignment of the data.
    ///
    /// # Errors
    /// If the key was added before, is empty or too long.
    pub fn metadata(&mut self, key: &str, value: impl Into<Value>) -> Result<&mut Self> {
        check_name("metadata key", key, MAX_KEY_BYTES)?;
        self.metadata.insert(key.to_owned(), value.into(), 0)?;
        Ok(self)
    }

    /// Declares the next tensor. `dims` are in GGUF order, the contiguous dimension first.
    ///
    /// # Errors
    /// If the tensor was declared before, or its name, dimensions or type are impossible.
    pub fn tensor(&mut self, name: &str, dims: &[u64], kind: TensorType) -> Result<&mut Self> {
        check_name("tensor name", name, MAX_NAME_BYTES)?;
        let tensor = || name.to_owned();
        if !(1..=4).contains(&dims.len()) {
            let found = dims.len() as u32;
            return Err(Error::DimensionCount { tensor: tensor(), offset: 0, found });
        }
        if !kind.is_known() {
            return Err(Error::Unencodable { kind });
        }
        let bytes = tensor_bytes(name, dims, kind, 0)?;
        self.tensors.push(Declaration { name: tensor(), dims: dims.to_owned(), kind, bytes });
        Ok(self)
    }

    /// Writes the header to `out`, which should be buffered.
    ///
    /// # Errors
    /// If a tensor is declared twice, `general.alignment` is impossible, the header is longer than
    /// [`MAX_HEADER_BYTES`], or writing fails.
    pub fn begin<W: Write>(self, mut out: W) -> Result<Writer<W>> {
        let alignment = alignment_in(&self.metadata)?;
        out.write_all(&self.header(alignment)?)?;
        Ok(Writer { out, alignment, tensors: self.tensors, next: 0, written_bytes: 0 })
    }

    /// Goes on with a file whose header and first `n_tensors` tensors [`begin`](Self::begin) and
    /// its writer have written: seeks to the end of the last of them.
    ///
    /// # Errors
    /// As [`begin`](Self::begin), or if seeking fails.
    ///
    /// # Panics
    /// If fewer tensors are declared.
    pub fn resume<W: Write + Seek>(self, mut out: W, n_tensors: usize) -> Result<Writer<W>> {
        let alignment = alignment_in(&self.metadata)?;
        let written = &self.tensors[..n_tensors];
        // The header of a readable file bounds every sum, and this one was checked when it began.
        let before = written.iter().rev().skip(1);
        let data: u64 = before.map(|tensor| tensor.bytes.next_multiple_of(alignment)).sum();
        let last = written.last().map_or(0, |tensor| tensor.bytes);
        out.seek(SeekFrom::Start(self.header(alignment)?.len() as u64 + data + last))?;
        Ok(Writer { out, alignment, tensors: self.tensors, next: n_tensors, written_bytes: last })
    }

    /// The bytes in front of the data, padded.
    fn header(&self, alignment: u64) -> Result<Vec<u8>> {
        let mut header = Vec::new();
        header.extend(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend((self.tensors.len() as u64).to_le_bytes());
        header.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in self.metadata.iter() {
            put_string(&mut header, key);
            put_value(&mut header, value);
        }
        put_directory(&mut header, &self.tensors, alignment)?;
        if header.len() as u64 > MAX_HEADER_BYTES {
            let what = "the end of the header".to_owned();
            let offset = header.len() as u64;
            return Err(Error::HeaderTooLong { what, offset, limit: MAX_HEADER_BYTES });
        }
        let padding = padding_after(header.len() as u64, alignment);
        header.resize(header.len() + padding, 0);
        Ok(header)
    }
}

/// Receives the data of the declared tensors, in order.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    alignment: u64,
    tensors: Vec<Declaration>,
    /// The tensor being written is the one before this.
    next: usize,
    /// Bytes of it that have been written.
    written_bytes: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the whole data of the next tensor.
    ///
    /// # Errors
    /// If it is another tensor's turn, the tensor has another size, or writing fails.
    pub fn tensor(&mut self, name: &str, data: &[u8]) -> Result<()> {
        self.begin_tensor(name)?;
        self.append(data)
    }

    /// Begins the next tensor, whose data follows through [`append`](Self::append).
    ///
    /// # Errors
    /// If it is another tensor's turn, the one before is not complete, or writing fails.
    pub fn begin_tensor(&mut self, name: &str) -> Result<()> {
        self.check_complete()?;
        let expected = self.tensors.get(self.next).map(|tensor| tensor.name.clone());
        if expected.as_deref() != Some(name) {
            return Err(Error::WriteOrder { expected, found: Some(name.to_owned()) });
        }
        self.pad()?;
        self.next += 1;
        self.written_bytes = 0;
        Ok(())
    }

    /// Adds data to the tensor begun last.
    ///
    /// # Errors
    /// If the tensor becomes longer than declared (nothing is written then), or writing fails.
    ///
    /// # Panics
    /// If no tensor was begun.
    pub fn append(&mut self, data: &[u8]) -> Result<()> {
        let current = self.current().expect("a tensor is begun before data is appended");
        let found = self.written_bytes + data.len() as u64;
        if found > current.bytes {
            return Err(size_mismatch(current, found));
        }
        self.out.write_all(data)?;
        self.written_bytes = found;
        Ok(())
    }

    /// Flushes and returns the output once all tensors are complete.
    ///
    /// # Errors
    /// If data is missing, or writing fails.
    pub fn finish(mut self) -> Result<W> {
        self.check_complete()?;
        if let Some(missing) = self.tensors.get(self.next) {
            let expected = Some(missing.name.clone());
            return Err(Error::WriteOrder { expected, found: None });
        }
        self.pad()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn current(&self) -> Option<&Declaration> {
        self.next.checked_sub(1).map(|index| &self.tensors[index])
    }

    fn check_complete(&self) -> Result<()> {
        match self.current() {
            Some(tensor) if self.written_bytes != tensor.bytes => {
                Err(size_mismatch(tensor, self.written_bytes))
            }
            _ => Ok(()),
        }
    }

    /// Fills the gap after the tensor begun last, which is complete.
    fn pad(&mut self) -> Result<()> {
        let padding = padding_after(self.written_bytes, self.alignment);
        self.out.write_all(&vec![0; padding])?;
        Ok(())
    }
}

fn size_mismatch(tensor: &Declaration, found: u64) -> Error {
    Error::DataBytes { tensor: tensor.name.clone(), expected: tensor.bytes, found }
}

fn check_name(what: &'static str, name: &str, limit: u64) -> Result<()> {
    let bytes = name.len() as u64;
    if bytes == 0 || bytes > limit {
        return Err(Error::NameLength { what, offset: 0, bytes, limit });
    }
    Ok(())
}

/// Bytes from `length` to the next multiple of `alignment`, which is at most `MAX_ALIGNMENT`.
fn padding_after(length: u64, alignment: u64) -> usize {
    ((alignment - length % alignment) % alignment) as usize
}

fn put_directory(out: &mut Vec<u8>, tensors: &[Declaration], alignment: u64) -> Result<()> {
    let mut names = HashSet::new();
    let mut relative = 0_u64;
    for tensor in tensors {
        if !names.insert(tensor.name.as_str()) {
            let offset = out.len() as u64;
            return Err(Error::DuplicateTensor { tensor: tensor.name.clone(), offset });
        }
        put_string(out, &tensor.name);
        out.extend((tensor.dims.len() as u32).to_le_bytes());
        out.extend(tensor.dims.iter().flat_map(|dim| dim.to_le_bytes()));
        out.extend(tensor.kind.id().to_le_bytes());
        out.extend(relative.to_le_bytes());
        let end = relative.checked_add(tensor.bytes);
        relative =
            end.and_then(|end| end.checked_next_multiple_of(alignment)).ok_or_else(|| {
                let (tensor, dims) = (tensor.name.clone(), tensor.dims.clone());
                Error::Dimensions { tensor, offset: 0, dims }
            })?;
    }
    Ok(())
}

fn put_string(out: &mut Vec<u8>, string: &str) {
    out.extend((string.len() as u64).to_le_bytes());
    out.extend(string.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(item) => put_scalar(out, type_id::U8, item.to_le_bytes()),
        Value::I8(item) => put_scalar(out, type_id::I8, item.to_le_bytes()),
        Value::U16(item) => put_scalar(out, type_id::U16, item.to_le_bytes()),
        Value::I16(item) => put_scalar(out, type_id::I16, item.to_le_bytes()),
        Value::U32(item) => put_scalar(out, type_id::U32, item.to_le_bytes()),
        Value::I32(item) => put_scalar(out, type_id::I32, item.to_le_bytes()),
        Value::F32(item) => put_scalar(out, type_id::F32, item.to_le_bytes()),
        Value::Bool(item) => put_scalar(out, type_id::BOOL, [u8::from(*item)]),
        Value::String(item) => {
            out.extend(type_id::STRING.to_le_bytes());
            put_string(out, item);
        }
        Value::Array(array) => {
            out.extend(type_id::ARRAY.to_le_bytes());
            put_array(out, array);
        }
        Value::U64(item) => put_scalar(out, type_id::U64, item.to_le_bytes()),
        Value::I64(item) => put_scalar(out, type_id::I64, item.to_le_bytes()),
        Value::F64(item) => put_scalar(out, type_id::F64, item.to_le_bytes()),
    }
}

fn put_scalar<const N: usize>(out: &mut Vec<u8>, id: u32, bytes: [u8; N]) {
    out.extend(id.to_le_bytes());
    out.extend(bytes);
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    match array {
        Array::U8(items) => put_items(out, type_id::U8, items, |item| item.to_le_bytes()),
        Array::I8(items) => put_items(out, type_id::I8, items, |item| item.to_le_bytes()),
        Array::U16(items) => put_items(out, type_id::U16, items, |item| item.to_le_bytes()),
        Array::I16(items) => put_items(out, type_id::I16, items, |item| item.to_le_bytes()),
        Array::U32(items) => put_items(out, type_id::U32, items, |item| item.to_le_bytes()),
        Array::I32(items) => put_items(out, type_id::I32, items, |item| item.to_le_bytes()),
        Array::F32(items) => put_items(out, type_id::F32, items, |item| item.to_le_bytes()),
        Array::Bool(items) => put_items(out, type_id::BOOL, items, |item| [u8::from(*item)]),
        Array::String(items) => {
            out.extend(type_id::STRING.to_le_bytes());
            out.extend((items.len() as u64).to_le_bytes());
            for item in items {
                put_string(out, item);
            }
        }
        Array::U64(items) => put_items(out, type_id::U64, items, |item| item.to_le_bytes()),
        Array::I64(items) => put_items(out, type_id::I64, items, |item| item.to_le_bytes()),
        Array::F64(items) => put_items(out, type_id::F64, items, |item| item.to_le_bytes()),
    }
}

fn put_items<T, const N: usize>(
    out: &mut Vec<u8>,
    id: u32,
    items: &[T],
    to_le_bytes: impl Fn(&T) -> [u8; N],
) {
    out.extend(id.to_le_bytes());
    out.extend((items.len() as u64).to_le_bytes());
    out.extend(items.iter().flat_map(to_le_bytes));
}
