//! Everything that can go wrong between text and token ids.

use std::path::PathBuf;

use crate::dialect::{Dialect, Effort};

/// The error of an outside library, kept as the source of ours.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// What this crate refuses: a vocabulary it cannot tokenize with, a request it cannot render, or
/// token ids that do not exist.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The `tokenizer.json` file could not be read.
    #[error("cannot read the tokenizer file {}", path.display())]
    ReadTokenizer {
        /// The file.
        path: PathBuf,
        /// Why it could not be read.
        source: std::io::Error,
    },
    /// The bytes are not a `tokenizer.json`.
    #[error("the tokenizer is not a Hugging Face tokenizer.json of a BPE model")]
    ParseTokenizer {
        /// Where the JSON differs from what is expected.
        source: serde_json::Error,
    },
    /// The `tokenizer.json` asks for something the V4 tokenizer does not do.
    #[error("the tokenizer's {part} is not that of DeepSeek V4")]
    ForeignTokenizer {
        /// The part of the file that differs.
        part: &'static str,
    },
    /// The GGUF file names another pre-tokenizer.
    #[error(
        "the file splits text with the pre-tokenizer `{found}`; this program takes `joyai-llm` \
         (tokenizer.ggml.pre), the one of DeepSeek V4"
    )]
    ForeignPreTokenizer {
        /// `tokenizer.ggml.pre` of the file.
        found: String,
    },
    /// `token_types` does not go with `tokens`.
    #[error("the vocabulary has {n_tokens} tokens but {n_token_types} token types")]
    TokenTypeCount {
        /// Number of tokens.
        n_tokens: usize,
        /// Number of token types.
        n_token_types: usize,
    },
    /// Ids of a `tokenizer.json` are not 0, 1, 2, … without a gap.
    #[error("token id {id} is outside the vocabulary of {n_tokens} tokens or used twice")]
    TokenIds {
        /// The offending id.
        id: u32,
        /// Number of tokens.
        n_tokens: usize,
    },
    /// Two tokens are spelled alike, so text could not be mapped to one id.
    #[error("token ids {first} and {second} are both spelled `{text}`")]
    DuplicateToken {
        /// The shared spelling.
        text: String,
        /// The lower id.
        first: u32,
        /// The higher id.
        second: u32,
    },
    /// The vocabulary cannot spell every text.
    #[error("the vocabulary has no token for the byte 0x{byte:02x}; a byte-level one has all 256")]
    MissingByte {
        /// A byte without a token.
        byte: u8,
    },
    /// A merge is not two tokens whose concatenation is a third.
    #[error("merge {index} (`{merge}`) does not join two tokens into a third one")]
    Merge {
        /// Rank of the merge.
        index: usize,
        /// The merge as stored.
        merge: String,
    },
    /// BOS or EOS is not a token of the vocabulary.
    #[error("the {role} token id {id} is outside the vocabulary of {n_tokens} tokens")]
    SpecialToken {
        /// `BOS` or `EOS`.
        role: &'static str,
        /// The id in the file.
        id: u32,
        /// Number of tokens.
        n_tokens: usize,
    },
    /// The tokenizer library refused what we built.
    #[error("the tokenizer could not be built")]
    BuildTokenizer {
        /// The library's reason.
        source: Source,
    },
    /// A token id to decode does not exist.
    #[error("token id {id} is outside the vocabulary of {vocab_size} tokens")]
    UnknownToken {
        /// The offending id.
        id: u32,
        /// Number of tokens.
        vocab_size: usize,
    },
    /// The vocabulary lacks control tokens that a prompt needs.
    #[error("the vocabulary cannot write V4 prompts: it has no {}", missing.join(", "))]
    MissingControlTokens {
        /// Spellings of the missing tokens.
        missing: Vec<String>,
    },
    /// The dialect has no such effort.
    #[error("the {dialect} prompt format has no reasoning effort `{effort}`; it has {}", dialect.efforts())]
    UnknownEffort {
        /// The dialect in use.
        dialect: Dialect,
        /// The effort that was asked for.
        effort: Effort,
    },
    /// A name on the command line or in a setting is not one we know.
    #[error("`{found}` is not a {kind}; use {expected}")]
    UnknownName {
        /// What the name should have named.
        kind: &'static str,
        /// The name as given.
        found: String,
        /// The names there are.
        expected: &'static str,
    },
    /// The request body is not JSON of its API.
    #[error("the request body is not a valid {api} request")]
    ParseRequest {
        /// The API that was asked for.
        api: crate::request::Api,
        /// The field that is wrong, such as `messages[0].role`; the whole body is `.`.
        field: String,
        /// Where the body differs.
        source: serde_json::Error,
    },
    /// The request asks for something the model or this program does not do.
    #[error("the request was refused")]
    Request {
        /// The vendor crate's reason, written for the client.
        source: deepseek_recipe::request::ConversionError,
    },
    /// The request asks for a form that answers cannot be held to.
    #[error("{place}: answers cannot be held to this: {problem}")]
    Rule {
        /// Where the form stands in the request.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A grammar could not be followed.
    #[error("the grammar of the answer cannot be followed: {problem}")]
    Grammar {
        /// What is wrong.
        problem: String,
    },
    /// Model output could not be parsed.
    #[error("the model output could not be decoded")]
    ParseOutput {
        /// The vendor crate's reason.
        source: deepseek_recipe::stream::StreamError,
    },
}
