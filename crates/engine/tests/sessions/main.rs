//! Sessions, turns and measurements on a small random model.

mod agent;
mod bench;
mod measure;
mod scheduler;
mod small_model;
mod turns;
