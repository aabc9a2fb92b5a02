//! What the bytes of a GGUF file are.
//!
//! Parses header, metadata and tensor directory from a byte slice, knows the tensor types this
//! model uses and the layout of each block format, and maps files. Everything it reads is hostile
//! until proven.
//!
//! Refuses: any knowledge of layers, attention or `DeepSeek`.
#![deny(unsafe_code)]
