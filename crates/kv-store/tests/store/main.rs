//! Properties of a store, and what becomes of it when files, disks and processes fail.
//!
//! Payloads here are a function of the tokens before them, so that a wrong hit cannot hide.

mod budget;
mod conversation;
mod damage;
mod disk;
mod faults;
mod processes;
mod saving;
mod transfer;
