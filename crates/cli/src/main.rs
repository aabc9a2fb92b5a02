//! The front door: one binary, `ironstar`.
#![forbid(unsafe_code)]

fn main() {}
