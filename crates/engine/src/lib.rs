//! From a model file and a prompt to an answer: load, sessions, sampling and turns.
//!
//! The way through the room: [`ModelFile`] is an opened file, which can be inspected, asked for
//! its tokenizer, or loaded onto a backend; a [`Session`] is one timeline of tokens in a loaded
//! model; [`generate`] runs a turn on it — prefill, sample, stop — and reports [`Event`]s. The one
//! place that knows which backends there are is [`ModelFile::load`].
//!
//! The only room that knows both tokens and text. Refuses: wire formats, terminals, tensor shapes.
#![forbid(unsafe_code)]

mod bench;
mod cancel;
mod disk;
mod doctor;
mod error;
mod evaluate;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
mod gpu_absent;
mod importance;
mod inspect;
mod keep;
mod load;
mod machine;
mod penalties;
mod sampler;
mod scheduler;
mod session;
mod stop;
mod turn;

#[cfg(not(feature = "gpu"))]
use gpu_absent as gpu;

pub use backend::{KernelTime, KvRounding};
pub use model::{ActiveBytes, Geometry, Inference, LogitsWanted, MemoryPlan};

pub use bench::{BenchOptions, Frontier, bench};
pub use cancel::CancelToken;
pub use disk::DiskKv;
pub use doctor::{
    AdapterReport, Check, CpuReport, DeviceReport, Diagnosis, Fit, Plan, Thoroughness, diagnose,
};
pub use error::{Error, Result};
pub use evaluate::evaluate;
pub use importance::{ImportanceCollector, ImportanceMatrix, ImportanceSource, InputSquares};
pub use inspect::{Cost, DialectSource, Inspection, TensorGroup};
pub use load::{BackendChoice, DEFAULT_MAX_BATCH, LoadOptions, ModelFile};
pub use machine::{Machine, disk_read_bytes, private_bytes};
pub use penalties::{Occurrences, Penalties, penalize};
pub use sampler::{Candidate, SampleParams, Sampler, distribution};
pub use scheduler::{
    Busy, Constraint, Job, SampledToken, Scheduler, SchedulerOptions, Sink, SlotSnapshot,
    SlotState, Snapshot, TokenMask, Totals, Update,
};
pub use session::{Session, default_context, trained_context};
pub use stop::{Scan, StopStrings};
pub use turn::{Event, GenerateOptions, Section, Statistics, StopReason, Turn, generate};
