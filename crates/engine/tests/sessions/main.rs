//! Sessions, turns and measurements on a small random model.

mod bench;
mod small_model;
mod turns;
