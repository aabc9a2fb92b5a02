//! The server over HTTP, with a model that says what it was told to say.

mod agents;
#[path = "../../examples/scripted/answers.rs"]
mod answers;
mod client;
mod conformance;
mod errors;
mod life;
#[cfg(unix)]
mod overhead;
mod page;
mod pieces;
#[path = "../../examples/scripted/script.rs"]
mod script;
mod scripted;
#[path = "../../examples/scripted/scripted_model.rs"]
mod scripted_model;
mod transcripts;
