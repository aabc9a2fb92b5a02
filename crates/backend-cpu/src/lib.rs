//! The ops on CPU vector units and threads.
//!
//! Works on weights in place, in the mapped file; matrix products with quantised weights take
//! activations of eight bits (`activation`), all others f32. Kernels are chosen once, when the
//! backend is made ([`Isa`]).
//!
//! **Batch-invariant bits.** What an op computes for a token does not depend on how many tokens
//! are in the batch, which row the token has, how a prompt was cut, on the number of threads or
//! on the instruction set. Every sum has one order (`dot`, `vector`), activations are rounded
//! token by token, attention runs in blocks counted from a token's first row (`attention`),
//! experts are added in the order of a token's routing (`experts`), and threads share outputs,
//! never a sum.
//!
//! After the first tokens of a size, ops allocate nothing: scratch grows to what it needs and
//! stays.
//!
//! Refuses: deciding anything about the model. `unsafe` is only in the pool and in kernels of
//! instruction sets, and where those are called.
#![deny(unsafe_code)]

mod activation;
mod attention;
mod bandwidth;
mod cpu;
mod dot;
mod experts;
mod hyper_connection;
mod isa;
mod kv;
mod linear;
mod memory;
mod norm;
mod parts;
mod pool;
mod scratch;
mod vector;
mod weight;

pub use cpu::{Cpu, Options};
pub use isa::Isa;
pub use memory::{KvRows, Matrix, Routing, Selection, TokenIds};
pub use scratch::{Dimensions, scratch_bytes};
pub use weight::Weight;
