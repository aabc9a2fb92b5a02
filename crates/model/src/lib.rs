//! `DeepSeek` V4 Flash, written once over a backend.
#![forbid(unsafe_code)]
