//! Everything that can be wrong with a GGUF file, or with a request to read or write one.
//!
//! Names that come from a file are printed quoted and escaped, since a hostile file may put
//! terminal control codes into them.

use std::io;
use std::path::PathBuf;

use crate::TensorType;

/// The result of this crate's fallible functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What is wrong with a file or a request. Offsets count bytes from the start of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The first four bytes are not `GGUF`.
    #[error(
        "not a GGUF file (the first four bytes are {:02x} {:02x} {:02x} {:02x}, expected 47 47 55 46)",
        found[0], found[1], found[2], found[3]
    )]
    NotGguf {
        /// The first four bytes of the file.
        found: [u8; 4],
    },

    /// The file is written in a version of GGUF other than 3.
    #[error("the file is GGUF version {found}, but only version 3 (little endian) can be read")]
    Version {
        /// The version in the file.
        found: u32,
    },

    /// The file ends inside its header.
    #[error(
        "the file ends inside its header: {what} at byte {offset} needs {needed} bytes and only \
         {available} are left; the download may be incomplete"
    )]
    Truncated {
        /// What was being read.
        what: String,
        /// Where it begins.
        offset: u64,
        /// Bytes it takes.
        needed: u64,
        /// Bytes left in the file.
        available: u64,
    },

    /// The header goes on past the most bytes a header may have.
    #[error("{what} at byte {offset} lies beyond the {limit} bytes that a header may have")]
    HeaderTooLong {
        /// What was being read.
        what: String,
        /// Where it begins.
        offset: u64,
        /// The most bytes a header may have.
        limit: u64,
    },

    /// A count promises more items than the rest of the file could hold.
    #[error(
        "the {what} at byte {offset} is {count}, more than the {available} bytes after it could \
         hold; the file is damaged"
    )]
    Count {
        /// What is counted.
        what: &'static str,
        /// Where the count is stored.
        offset: u64,
        /// The count.
        count: u64,
        /// Bytes left in the file.
        available: u64,
    },

    /// A string is not valid UTF-8.
    #[error("{what} at byte {offset} is not valid UTF-8")]
    Utf8 {
        /// Which string.
        what: String,
        /// Where its bytes begin.
        offset: u64,
    },

    /// A metadata key or tensor name is empty or too long.
    #[error("the {what} at byte {offset} has {bytes} bytes, expected 1 to {limit}")]
    NameLength {
        /// `metadata key` or `tensor name`.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// Its length.
        bytes: u64,
        /// The greatest length accepted.
        limit: u64,
    },

    /// A metadata value has a type that GGUF does not define.
    #[error("metadata key {key:?} has the unknown value type {id} at byte {offset}")]
    ValueType {
        /// The key.
        key: String,
        /// Where the type is stored.
        offset: u64,
        /// The type found.
        id: u32,
    },

    /// A metadata value is an array of arrays.
    #[error(
        "metadata key {key:?} holds an array of arrays at byte {offset}, which is not supported"
    )]
    NestedArray {
        /// The key.
        key: String,
        /// Where the element type is stored.
        offset: u64,
    },

    /// A boolean is neither 0 nor 1.
    #[error(
        "metadata key {key:?} holds a boolean of value {found} at byte {offset}, expected 0 or 1"
    )]
    Bool {
        /// The key.
        key: String,
        /// Where the value is stored.
        offset: u64,
        /// The value found.
        found: u8,
    },

    /// A metadata key occurs twice.
    #[error("metadata key {key:?} occurs a second time at byte {offset}")]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where it occurs again.
        offset: u64,
    },

    /// `general.alignment` is not a usable alignment.
    #[error("general.alignment is {found}, expected a power of two from {min} to {max}")]
    Alignment {
        /// The alignment in the metadata.
        found: u64,
        /// The least alignment accepted.
        min: u64,
        /// The greatest alignment accepted.
        max: u64,
    },

    /// A tensor does not have one to four dimensions.
    #[error("tensor {tensor:?} has {found} dimensions at byte {offset}, expected 1 to 4")]
    DimensionCount {
        /// The tensor.
        tensor: String,
        /// Where the count is stored.
        offset: u64,
        /// The count found.
        found: u32,
    },

    /// A tensor has a dimension of zero, or its size overflows.
    #[error("tensor {tensor:?} at byte {offset} has the impossible dimensions {dims:?}")]
    Dimensions {
        /// The tensor.
        tensor: String,
        /// Where its directory entry begins.
        offset: u64,
        /// The dimensions found.
        dims: Vec<u64>,
    },

    /// The contiguous dimension of a tensor is not a whole number of blocks.
    #[error(
        "tensor {tensor:?} at byte {offset} has rows of {columns} weights, which {kind} cannot \
         store in blocks of {block_len}"
    )]
    BlockLength {
        /// The tensor.
        tensor: String,
        /// Where its directory entry begins.
        offset: u64,
        /// The tensor's type.
        kind: TensorType,
        /// Dimension 0.
        columns: u64,
        /// Weights per block.
        block_len: u64,
    },

    /// A tensor's data does not begin at a multiple of the alignment.
    #[error(
        "tensor {tensor:?} begins {found} bytes into the data, which is no multiple of the \
         alignment {alignment} (directory entry at byte {offset})"
    )]
    Misaligned {
        /// The tensor.
        tensor: String,
        /// Where its directory entry begins.
        offset: u64,
        /// The offset found, relative to the start of the data.
        found: u64,
        /// The alignment.
        alignment: u64,
    },

    /// A tensor's data does not lie inside the file.
    #[error(
        "tensor {tensor:?} needs {bytes} bytes from byte {start} on, but the file has \
         {file_bytes} bytes; the download may be incomplete (directory entry at byte {offset})"
    )]
    PastEnd {
        /// The tensor.
        tensor: String,
        /// Where its directory entry begins.
        offset: u64,
        /// Where the data begins.
        start: u64,
        /// Bytes of data.
        bytes: u64,
        /// Bytes in the file.
        file_bytes: u64,
    },

    /// A tensor occurs twice in the directory.
    #[error("tensor {tensor:?} occurs a second time at byte {offset}")]
    DuplicateTensor {
        /// The tensor.
        tensor: String,
        /// Where it occurs again.
        offset: u64,
    },

    /// A required metadata key is absent.
    #[error("metadata key {key:?} is missing")]
    MissingKey {
        /// The key.
        key: String,
    },

    /// A metadata value is of another type than the one asked for, or out of its range.
    #[error("metadata key {key:?} should be {expected}, but is {found}")]
    KeyType {
        /// The key.
        key: String,
        /// What was asked for.
        expected: &'static str,
        /// What the file has.
        found: String,
    },

    /// A tensor has a type that cannot be decoded to what was asked for.
    #[error("tensor {tensor:?} is of type {kind} and cannot be read as {wanted}")]
    Undecodable {
        /// The tensor.
        tensor: String,
        /// Its type.
        kind: TensorType,
        /// What was asked for, such as `f32`.
        wanted: &'static str,
    },

    /// Weights cannot be encoded in this type.
    #[error("weights cannot be encoded as {kind}")]
    Unencodable {
        /// The type asked for.
        kind: TensorType,
    },

    /// A weight is not finite, or too large for the scales of this type.
    #[error("a weight is {weight}, which {kind} cannot hold")]
    WeightRange {
        /// The type asked for.
        kind: TensorType,
        /// The weight, or the largest one of its block.
        weight: f32,
    },

    /// A tensor's data has another size than its dimensions and type say.
    #[error("tensor {tensor:?} has {found} bytes of data, expected {expected}")]
    DataBytes {
        /// The tensor.
        tensor: String,
        /// Bytes by dimensions and type.
        expected: u64,
        /// Bytes found.
        found: u64,
    },

    /// Tensor data was written in another order than declared.
    #[error(
        "tensor data must be written in the order declared: expected {expected:?}, got {found:?}"
    )]
    WriteOrder {
        /// The tensor whose turn it is; `None` after the last.
        expected: Option<String>,
        /// The tensor that was begun; `None` if the file was to be finished.
        found: Option<String>,
    },

    /// The path does not name a regular file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },

    /// The operating system refused to open or map the file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `open`, `inspect` or `map`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason given.
        source: io::Error,
    },

    /// Output could not be written.
    #[error("cannot write the GGUF file")]
    Write {
        /// The reason given.
        #[from]
        source: io::Error,
    },
}
