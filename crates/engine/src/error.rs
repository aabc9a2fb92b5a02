//! What can keep a model from loading or a turn from running, in sentences for the user.

use std::path::PathBuf;

/// Why something could not be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not readable as GGUF.
    #[error("cannot read the model {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: gguf::Error,
    },
    /// The file is no importance matrix.
    #[error("{} is no importance matrix: {problem}", path.display())]
    ImportanceMatrix {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file is GGUF, but not a model that can be run.
    #[error("cannot load the model {}", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: model::Error,
    },
    /// The file's vocabulary cannot be used.
    #[error("cannot use the vocabulary of {}", path.display())]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: chat::Error,
    },
    /// The file's vocabulary is not stored as expected, or not at all.
    #[error("cannot read the vocabulary of {}", path.display())]
    VocabularyMetadata {
        /// The file.
        path: PathBuf,
        /// Which key is wrong, and how.
        source: gguf::Error,
    },
    /// The vocabulary has more or fewer tokens than the model.
    #[error(
        "the vocabulary has {n_tokens} tokens (tokenizer.ggml.tokens), but the model has {vocab_size} (deepseek4.vocab_size)"
    )]
    VocabularySize {
        /// Tokens in the vocabulary.
        n_tokens: usize,
        /// Tokens of the model.
        vocab_size: u64,
    },
    /// This build has no such backend.
    #[error("this program has no {backend} backend yet; it has reference and cpu")]
    NoBackend {
        /// The one that was asked for.
        backend: &'static str,
    },
    /// A prompt without a token.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The prompt leaves no room for an answer.
    #[error(
        "the prompt has {n_tokens} tokens, but the context of {capacity} has room for {room} and an answer"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        n_tokens: usize,
        /// Tokens that would leave room for one more.
        room: usize,
        /// Tokens that the session holds at most.
        capacity: usize,
    },
    /// A context that no position encoding of the model reaches.
    #[error("a context of {wanted} tokens is not between 2 and the {trained} that the model knows")]
    Context {
        /// What was asked for.
        wanted: usize,
        /// The model's own limit.
        trained: usize,
    },
    /// A sampling parameter outside its range.
    #[error("{name} is {value}, expected {expected}")]
    SampleParameter {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: f32,
        /// The range.
        expected: &'static str,
    },
    /// A stop string that every text contains.
    #[error("a stop string is empty")]
    EmptyStopString,
    /// Logits that cannot be sampled from.
    #[error("the model produced no usable logits: the one of token {token} is {value}")]
    Logits {
        /// The first unusable one.
        token: u32,
        /// What it is.
        value: f32,
    },
    /// The forward pass failed.
    #[error("the model could not be run")]
    Run(#[from] model::Error),
}

/// Result of a fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
