//! What can keep a model from loading or a turn from running, in sentences for the user.

use std::fmt;
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
    /// The directory for conversations cannot be used.
    #[error(transparent)]
    DiskKv(#[from] kv_store::OpenError),
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
    /// What the file says about sampling is not stored as expected.
    #[error("cannot read the sampling parameters of {}", path.display())]
    SamplingMetadata {
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
    #[error("this program was built without the {backend} backend; it has reference and cpu")]
    NoBackend {
        /// The one that was asked for.
        backend: &'static str,
    },
    /// The backend cannot show the inputs of its products.
    #[error("importance cannot be measured on the {backend} backend; --backend cpu does it")]
    NotObservable {
        /// The one that was asked for.
        backend: &'static str,
    },
    /// There is no device for the backend that was asked for, or it does not open.
    #[error("the {backend} backend cannot be used")]
    Device {
        /// The one that was asked for.
        backend: &'static str,
        /// What is wrong with the device.
        source: Box<dyn std::error::Error + Send + Sync>,
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
    /// The plan does not fit the memory that is free.
    #[error(
        "KV and activations for {n_slots} x {context} tokens take {} beside the weights, and {} are free",
        Gib(*planned_bytes), Gib(*available_bytes)
    )]
    Memory {
        /// Slots.
        n_slots: usize,
        /// Tokens of each.
        context: usize,
        /// What they and the activations take.
        planned_bytes: u64,
        /// What the machine has left.
        available_bytes: u64,
        /// The longest context that would fit; `None` if none does.
        fitting: Option<usize>,
    },
    /// A frontier of a measurement that comes after its beginning.
    #[error("frontier {frontier} is not past the {filled} tokens that are there by then")]
    Frontier {
        /// The context at which decode was to be measured.
        frontier: usize,
        /// Tokens of the frontier before and what is decoded there.
        filled: usize,
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
    /// A bias for a token that does not exist.
    #[error("a bias is for token {token}, and the vocabulary has {vocab_size} tokens")]
    BiasedToken {
        /// The token.
        token: u32,
        /// Tokens in the vocabulary.
        vocab_size: usize,
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
    /// A constraint could not be followed.
    #[error("the answer could not be held to its form")]
    Constraint {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A job that waited when the engine was told to end.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// The forward pass failed.
    #[error("the model could not be run")]
    Run(#[from] model::Error),
}

/// Bytes as people count memory.
struct Gib(u64);

impl fmt::Display for Gib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} GiB", self.0 as f64 / f64::from(1 << 30))
    }
}

/// Result of a fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
