//! The model on small random files: binding, and what a timeline promises.

mod binding;
mod gpu;
mod rewind;
mod support;
mod timeline;
