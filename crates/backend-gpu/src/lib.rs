//! The ops on a GPU, one WGSL kernel set for Metal, Vulkan and DX12.
//!
//! This room is empty so far: the op vocabulary it will implement lives in `backend`.
//!
//! Refuses: tokens, sessions, policy.
#![deny(unsafe_code)]
