//! Turns: load a model, keep sessions, sample, stop.
#![forbid(unsafe_code)]
