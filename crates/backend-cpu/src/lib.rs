//! The ops, fast, on CPU vector units and threads.
#![deny(unsafe_code)]
