//! What the bytes of a GGUF file are.
//!
//! Parses header, metadata and tensor directory from a byte slice ([`Header::parse`]), knows the
//! tensor types this model uses and the layout of each block format ([`TensorType`], [`blocks`]),
//! maps files ([`MappedFile`]) and writes them ([`WriterBuilder`]). Everything it reads is hostile
//! until proven: lengths are checked before anything is allocated, arithmetic is checked, and
//! whatever is wrong with a file ends in an [`Error`] that names the key or tensor and the byte
//! offset.
//!
//! Refuses: any knowledge of layers, attention or `DeepSeek`; GGUF versions other than 3.
#![deny(unsafe_code)]

mod cursor;
mod directory;
mod encode;
mod error;
mod header;
mod map;
mod metadata;
mod tensor;
mod tensor_type;
mod write;

pub mod blocks;

pub use directory::{Directory, TensorInfo};
pub use error::{Error, Result};
pub use header::{DEFAULT_ALIGNMENT, Header, MAX_ALIGNMENT, MAX_HEADER_BYTES, MIN_ALIGNMENT};
pub use map::MappedFile;
pub use metadata::{Array, Metadata, Value};
pub use tensor::{Tensor, TensorBytes};
pub use tensor_type::TensorType;
pub use write::{Writer, WriterBuilder};
