//! What answers are held to and how they come back, with the built-in model behind the server.
//!
//! Oracle: the crate `jsonschema`.

mod formats;
mod replay;
mod service;
mod tools;
