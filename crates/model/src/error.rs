//! What can be wrong with a file, a request or a device, in sentences for the user.

use std::fmt;

/// A tensor of the file that is not what the geometry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// The file has no tensor of this name.
    Missing {
        /// Name as in the file.
        tensor: String,
    },
    /// The dimensions differ.
    Shape {
        /// Name as in the file.
        tensor: String,
        /// What the metadata implies, contiguous dimension first.
        expected: Vec<u64>,
        /// What the directory says.
        found: Vec<u64>,
    },
    /// The type has no place here.
    Type {
        /// Name as in the file.
        tensor: String,
        /// What the directory says.
        found: String,
        /// What is accepted for this tensor.
        accepted: String,
    },
    /// A hash-routing table names an expert that does not exist.
    Expert {
        /// Name as in the file.
        tensor: String,
        /// The token whose row is wrong.
        token: usize,
        /// The id found.
        expert: i64,
        /// How many experts there are.
        n_experts: usize,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { tensor } => write!(f, "{tensor} is missing"),
            Self::Shape { tensor, expected, found } => {
                write!(f, "{tensor} has shape {found:?}, expected {expected:?}")
            }
            Self::Type { tensor, found, accepted } => {
                write!(f, "{tensor} is stored as {found}, accepted are {accepted}")
            }
            Self::Expert { tensor, token, expert, n_experts } => write!(
                f,
                "{tensor} sends token {token} to expert {expert}, there are {n_experts} experts"
            ),
        }
    }
}

/// Lists at most this many mismatches by name; a truncated or foreign file may have thousands.
const LISTED: usize = 8;

fn list(items: &[impl fmt::Display]) -> String {
    let mut text: Vec<String> = items.iter().take(LISTED).map(ToString::to_string).collect();
    if items.len() > LISTED {
        text.push(format!("and {} more", items.len() - LISTED));
    }
    text.join("; ")
}

/// Why a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another architecture.
    #[error(
        "the file holds a `{found}` model; ironstar runs DeepSeek V4 Flash (`deepseek4`) and nothing else"
    )]
    Architecture {
        /// `general.architecture` of the file.
        found: String,
    },
    /// V4.1, which is close in name only.
    #[error(
        "the file holds DeepSeek V4.1 (`{found}`), another architecture than V4 (`deepseek4`), which is the one ironstar runs"
    )]
    V41 {
        /// `general.architecture` of the file.
        found: String,
    },
    /// The metadata could not be read.
    #[error("the file's metadata does not describe a DeepSeek V4 model")]
    Metadata(#[source] gguf::Error),
    /// The metadata contradicts itself, or describes something that is not implemented.
    #[error("the file's metadata does not fit together: {}", list(.0))]
    Geometry(Vec<String>),
    /// Tensors are missing or are not what the metadata says.
    #[error("the file's tensors do not fit its metadata: {}", list(.0))]
    Tensors(Vec<Mismatch>),
    /// The device refused.
    #[error("the {backend} backend failed")]
    Backend {
        /// Which one.
        backend: &'static str,
        /// Its reason.
        #[source]
        source: backend::Error,
    },
    /// A token id outside the vocabulary.
    #[error("token id {token} is outside the vocabulary of {vocab_size}")]
    Token {
        /// The id.
        token: u32,
        /// Ids are below this.
        vocab_size: usize,
    },
    /// A token to be run again is another than the one that was there.
    #[error("the token at position {position} is not the one that is to be run again there")]
    NotRepeated {
        /// Where it is.
        position: usize,
    },
    /// Bytes that are no KV of this model.
    #[error("a KV {part} of this model has {expected} bytes, not {found}")]
    KvBytes {
        /// `block` or `frontier`.
        part: &'static str,
        /// Bytes that it has.
        expected: usize,
        /// Bytes that were given.
        found: usize,
    },
    /// More tokens than the slot has room for.
    #[error(
        "{wanted} tokens do not fit the context of {capacity}; a larger --ctx makes room for them"
    )]
    ContextFull {
        /// Tokens there would be.
        wanted: usize,
        /// Tokens there may be.
        capacity: usize,
    },
}

/// Result of a fallible call of this crate.
pub type Result<T> = std::result::Result<T, Error>;
