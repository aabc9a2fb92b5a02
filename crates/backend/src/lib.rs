//! What each op means.
#![forbid(unsafe_code)]
