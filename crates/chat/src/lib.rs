//! Text, messages and tools: everything between a conversation and token ids.
//!
//! Refuses: logits, HTTP wire types, tool execution.
#![forbid(unsafe_code)]
