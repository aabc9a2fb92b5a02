//! `DeepSeek` V4 Flash, written once over a backend.
//!
//! The way through the room: [`Geometry`] is read from a file's metadata and checked;
//! `weights` proves that every tensor is there with the right shape and type, and binds it;
//! [`Model`] holds weights, activations and slots and runs batches through the layers; a slot is
//! one timeline of tokens with its KV, which can be cut at any token. Decode is prefill with one token. Engines use the model
//! through the object-safe [`Inference`].
//!
//! Refuses: text, stop strings, HTTP, files other than through `gguf`, other architectures.
#![forbid(unsafe_code)]

mod attention;
mod error;
mod feed_forward;
mod fill;
mod forward;
mod geometry;
mod inference;
mod plan;
mod slot;
mod snapshot;
mod tensors;
mod timeline;
mod weights;

pub use error::{Error, Mismatch, Result};
pub use forward::Model;
pub use geometry::{ARCHITECTURE, Geometry};
pub use inference::{DEFAULT_REWIND_TOKENS, Extend, Inference, LogitsWanted, Options};
pub use plan::{ActiveBytes, MemoryPlan};
pub use slot::{KvPart, SlotId};
pub use snapshot::BLOCK_TOKENS;
pub use tensors::{Role, TensorSpec, tensor_specs};
