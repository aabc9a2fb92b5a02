//! The crate as its users see it, against truth made by others.

mod calls;
mod grammar;
mod injection;
mod parse;
mod prompts;
mod requests;
mod small_vocabulary;
mod support;
mod tokenizer;
mod wishes;
