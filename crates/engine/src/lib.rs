//! From a model file and a prompt to an answer: load, sessions, sampling and turns.
//!
//! The way through the room: [`ModelFile`] is an opened file, which can be inspected, asked for
//! its tokenizer, or loaded onto a backend; a [`Session`] is one timeline of tokens in a loaded
//! model; [`generate`] runs a turn on it — prefill, sample, stop — and reports [`Event`]s. The one
//! place that knows which backends there are is [`ModelFile::load`].
//!
//! The only room that knows both tokens and text. Refuses: wire formats, terminals, tensor shapes.
#![forbid(unsafe_code)]

mod cancel;
mod error;
mod evaluate;
mod importance;
mod inspect;
mod load;
mod sampler;
mod session;
mod stop;
mod turn;

pub use backend::KvRounding;
pub use model::{ActiveBytes, Geometry, Inference, LogitsWanted, MemoryPlan};

pub use cancel::CancelToken;
pub use error::{Error, Result};
pub use evaluate::evaluate;
pub use importance::{ImportanceCollector, ImportanceMatrix, ImportanceSource, InputSquares};
pub use inspect::{Cost, DialectSource, Inspection, TensorGroup};
pub use load::{BackendChoice, DEFAULT_MAX_BATCH, LoadOptions, ModelFile};
pub use sampler::{Candidate, SampleParams, Sampler, distribution};
pub use session::{Session, default_context, trained_context};
pub use stop::{Scan, StopStrings};
pub use turn::{Event, GenerateOptions, Section, Statistics, StopReason, Turn, generate};
