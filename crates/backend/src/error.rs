//! The one error a device can give.

/// What went wrong on a device. Shape errors are not here: they assert.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backend has no kernel for this tensor's type.
    #[error(
        "tensor {tensor} is stored as {kind}, which the {backend} backend cannot multiply with"
    )]
    UnsupportedType {
        /// Name as in the file.
        tensor: String,
        /// ggml's name of the type.
        kind: String,
        /// The backend that refused.
        backend: &'static str,
    },
    /// Memory for weights, activations or KV could not be had.
    #[error("{wanted_bytes} bytes for {purpose} could not be allocated")]
    OutOfMemory {
        /// What the memory was for.
        purpose: &'static str,
        /// How much was asked for.
        wanted_bytes: u64,
    },
    /// A device failed, was lost or did not answer.
    #[error("the {backend} device failed: {reason}")]
    Device {
        /// The backend whose device it is.
        backend: &'static str,
        /// What the driver said.
        reason: String,
    },
    /// Weight bytes could not be decoded.
    #[error("a weight could not be read")]
    Weight(#[from] gguf::Error),
}

/// Result of a fallible backend call.
pub type Result<T> = std::result::Result<T, Error>;
