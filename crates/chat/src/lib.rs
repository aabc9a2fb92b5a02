//! Text, messages and tools: everything between a conversation and token ids.
//!
//! Thin on purpose. Tokenizing is done by Hugging Face's `tokenizers`; prompts, request
//! conversion and output parsing by DeepSeek's own `deepseek-recipe` crates. What is ours is the
//! seam between them: a tokenizer built from a GGUF vocabulary, prompts whose control tokens
//! cannot be forged by text, the April dialect, and byte-safe streaming.
//!
//! Data: a [`Tokenizer`] (immutable), a [`Prompt`] (text with marked control tokens), a
//! [`StreamDecoder`] (at most three bytes of state).
//!
//! Refuses: logits, HTTP wire types, tool execution.
#![forbid(unsafe_code)]

mod dialect;
mod error;
mod grammar;
mod parse;
mod prepare;
mod prompt;
mod request;
mod said;
mod tokenizer;
mod wishes;

pub use deepseek_recipe;
pub use deepseek_recipe_core;

pub use dialect::{Dialect, Effort, Thinking};
pub use error::{Error, Result};
pub use grammar::{
    AnswerFormat, AnswerRules, AnswerStart, Grammars, Guide, TokenBits, ToolRule, ToolRules,
};
pub use parse::{Output, OutputStart, ToolCall, parse_text, parse_tokens};
pub use prepare::prepare_request;
pub use prompt::{Exchange, KnownTurn, Prompt, Segment, render, render_chat, render_dialogue};
pub use request::{
    Api, RenderedRequest, Sampling, convert_request, convert_value, render_converted,
    render_request,
};
pub use said::{Listener, Said, SaidCall, tell_cut_call};
pub use tokenizer::{PromptTokens, StreamDecoder, Tokenizer, Vocabulary};
pub use wishes::convert_with_rules;
