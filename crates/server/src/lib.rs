//! HTTP: the `OpenAI` and Anthropic dialects over the engine.
//!
//! This room is empty so far.
//!
//! Refuses: prompt rendering, sampling, cache decisions, business logic inside handlers.
#![forbid(unsafe_code)]
