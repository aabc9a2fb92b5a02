//! Prefixes that outlive the process: a content-addressed tree of KV blocks on disk.
//!
//! This room is empty so far.
//!
//! Refuses: interpreting the payload, knowing that tokens mean anything, deciding when to save.
#![forbid(unsafe_code)]
