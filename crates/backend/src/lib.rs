//! What each op of this model means.
//!
//! The room holds the vocabulary between the model and a device: about 25 ops, each one
//! mathematical step of `DeepSeek` V4, named as the model names it. [`Backend`] is the contract,
//! [`reference`](mod@reference) the readable definition of every op, and [`conformance`] the cases
//! that each implementation passes. It is the first stop for anyone who asks "what exactly is
//! `hc_mix`?".
//!
//! Data: activations are f32 matrices `[n_tokens, width]` ([`Backend::Tensor`]); weights are GGUF
//! tensors as stored ([`Backend::Weight`]); KV lives in packed rows ([`Backend::KvRows`]) whose
//! bytes [`kv_row`] defines once for all backends.
//!
//! Three rules hold for every implementation:
//!
//! * **Ops record, [`Backend::finish`] and reads wait.** A device failure surfaces there as an
//!   [`Error`]. A shape mismatch in an op call is a programmer error and asserts: shapes were
//!   proven when weights were bound.
//! * **Borrowing is the aliasing contract.** Outputs are `&mut`, inputs `&`; an op in place takes
//!   one `&mut`.
//! * **Batch size is data.** There is no decode twin of a prefill op.
//!
//! Refuses: speed, threads, devices.
#![forbid(unsafe_code)]

pub mod conformance;
mod error;
pub mod kv_row;
pub mod observe;
mod ops;
mod params;
pub mod reference;
mod rotation;

pub use error::{Error, Result};
pub use kv_row::{KvLayout, KvRounding};
pub use ops::{
    Attended, Backend, Compressed, CompressedPlace, CompressorInputs, CompressorState,
    ExpertWeights, HcSite, HcWeights, IndexInputs, KernelTime, KvInputs, KvPlace, RouterChoice,
};
pub use params::{
    AttendParams, CompressParams, HcParams, IndexParams, RawAttendParams, RouterParams, Run,
};
pub use rotation::{Direction, Rotation, YarnParams};
