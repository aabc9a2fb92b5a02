//! The server over HTTP, with a model that says what it was told to say.

mod client;
mod conformance;
mod errors;
mod life;
mod page;
mod pieces;
mod scripted;
#[path = "../../examples/scripted/scripted_model.rs"]
mod scripted_model;
mod transcripts;
