//! The ops on a GPU, one WGSL kernel set for Metal, Vulkan and DX12.
//!
//! Data: weights repacked for whole-word reads ([`Weight`]), f32 activations ([`Tensor`]), packed
//! KV rows ([`KvRows`]), all in device memory. The way through the room: an op's module chooses a
//! kernel variant and a grid, `pipelines` compiles the variant when it is first used, `encode`
//! records it, `device` tells what went wrong.
//!
//! Kernels are the files of `shaders/`, put together from parts: a weight format, a reduction, a
//! way to read activations, and the op. Results are the same bits for the same batch; a token's
//! bits depend on how many tokens share its batch, because products of up to eight tokens run
//! another kernel than products of more.
//!
//! Refuses: tokens, sessions, policy.
#![deny(unsafe_code)]

mod attention;
mod attention_matrices;
mod buffers;
#[cfg(test)]
mod catalogue;
mod device;
mod encode;
mod experts;
mod gpu;
mod hardware;
mod hyper_connection;
mod index;
mod kv;
mod linear;
mod measure;
mod memory;
mod norm;
mod packed;
mod pipelines;
mod profile;
mod rotation;
#[cfg(test)]
mod shader_tests;
mod store;
mod timing;
mod top_k;
mod weights;

pub use device::{Adapter, AdapterChoice, OpenError, Options, adapters};
pub use encode::Counts;
pub use gpu::Gpu;
pub use memory::{KvRows, Routing, Selection, Tensor, TokenIds};
pub use profile::{DeviceProfile, ProfileChoice};
pub use weights::Weight;

/// Name of the backend in messages.
const NAME: &str = "gpu";
