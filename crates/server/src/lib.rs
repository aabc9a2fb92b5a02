//! HTTP: the `OpenAI` and Anthropic dialects over the engine.
//!
//! The way of a request: `access` lets it in, `answer` (or `completions`) converts its body with the
//! vendor's crate into a prompt and settings, the engine's scheduler answers it, and `events`
//! brings the tokens back into the shape that the client's API streams. All three chat APIs are one
//! handler that is generic over the vendor's request type; what differs between them stands in
//! `endpoint`.
//!
//! A client that goes away cancels its job: the job's cancel token is raised when the reply's body
//! is dropped.
//!
//! Refuses: prompt rendering, sampling, cache decisions, business logic inside handlers.
#![forbid(unsafe_code)]

mod access;
mod answer;
mod completions;
mod connection;
mod constraint;
mod endpoint;
mod error;
mod events;
mod measure;
mod page;
mod process;
mod replay;
mod routes;
mod sampling;
mod service;
mod status;
mod stored;
mod tokenizer;
mod trace;
mod visit;

pub use access::ApiKeys;
pub use process::{log_to_stderr, serve};
pub use service::{Loaded, Service, ServiceOptions};
pub use trace::Trace;
