//! The head of a file: magic, version, metadata, tensor directory, and where the data begins.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | magic `GGUF` |
//! | u32 | version, 3 |
//! | u64 | number of tensors |
//! | u64 | number of metadata pairs |
//! | … | the metadata pairs ([`Metadata`]) |
//! | … | the tensor directory ([`Directory`]) |
//! | … | padding to `general.alignment` |
//! | … | tensor data |
//!
//! All numbers are little endian. Source: the GGUF specification of the ggml project.

use crate::cursor::Cursor;
use crate::{Directory, Error, Metadata, Result, TensorInfo};

pub(crate) const MAGIC: [u8; 4] = *b"GGUF";
pub(crate) const VERSION: u32 = 3;
pub(crate) const ALIGNMENT_KEY: &str = "general.alignment";

/// Alignment of tensor data in bytes when `general.alignment` is absent.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// Least `general.alignment` accepted: the GGUF specification asks for a multiple of 8.
pub const MIN_ALIGNMENT: u64 = 8;

/// Greatest `general.alignment` accepted: the size of a huge page, beyond which padding only wastes.
pub const MAX_ALIGNMENT: u64 = 2 << 20;

/// The most bytes that metadata and directory may take together.
///
/// The vocabulary of a large model takes a few MiB. The limit bounds the memory that a hostile
/// file of any size can make the parser use.
pub const MAX_HEADER_BYTES: u64 = 256 << 20;

/// Everything a file says before its tensor data.
#[derive(Debug, Clone)]
pub struct Header {
    /// The GGUF version, always 3.
    pub version: u32,
    /// The metadata, in file order.
    pub metadata: Metadata,
    /// The tensor directory, in file order.
    pub tensors: Directory,
    /// Tensor data begins at multiples of this many bytes from `data_offset`; a power of two.
    pub alignment: u64,
    /// Where tensor data begins, in bytes from the start of the file.
    pub data_offset: u64,
}

impl Header {
    /// Reads the header of `file`, which must hold the whole file: every tensor of a known type is
    /// checked to lie inside it. The data itself is not touched.
    ///
    /// # Errors
    /// Whatever is wrong with the file, with the key or tensor concerned and the byte offset.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(file);
        let magic = cursor.array(&"magic")?;
        if magic != MAGIC {
            return Err(Error::NotGguf { found: magic });
        }
        let version = cursor.u32(&"version")?;
        if version != VERSION {
            return Err(Error::Version { found: version });
        }
        let n_tensors = cursor.count("number of tensors", Directory::MIN_ENTRY_BYTES)?;
        let n_pairs = cursor.count("number of metadata pairs", Metadata::MIN_PAIR_BYTES)?;
        let metadata = Metadata::parse(&mut cursor, n_pairs)?;
        let alignment = alignment_in(&metadata)?;
        let entries = Directory::parse(&mut cursor, n_tensors)?;
        let data_offset = cursor.offset().next_multiple_of(alignment);
        let tensors = entries.place(data_offset, alignment, file.len() as u64)?;
        Ok(Self { version, metadata, tensors, alignment, data_offset })
    }

    /// The directory entry of a tensor.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors.find(name)
    }
}

/// The alignment that the metadata asks for.
pub(crate) fn alignment_in(metadata: &Metadata) -> Result<u64> {
    let alignment = metadata.optional_u64(ALIGNMENT_KEY)?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() || !(MIN_ALIGNMENT..=MAX_ALIGNMENT).contains(&alignment) {
        return Err(Error::Alignment { found: alignment, min: MIN_ALIGNMENT, max: MAX_ALIGNMENT });
    }
    Ok(alignment)
}
