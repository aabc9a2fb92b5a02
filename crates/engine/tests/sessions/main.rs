//! Sessions, turns and measurements on a small random model.

mod bench;
mod scheduler;
mod small_model;
mod turns;
