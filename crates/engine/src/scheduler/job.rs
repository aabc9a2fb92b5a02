//! What is asked of the scheduler, and what it tells.

use std::fmt;
use std::sync::Arc;

use crate::cancel::CancelToken;
use crate::error::{Error, Result};
use crate::penalties::Penalties;
use crate::sampler::SampleParams;
use crate::turn::{Statistics, StopReason};

/// One answer that somebody wants.
pub struct Job {
    /// The whole prompt, from the first token of the conversation.
    pub prompt: Vec<u32>,
    /// How tokens are drawn.
    pub sampling: SampleParams,
    /// What is done to the logits before.
    pub penalties: Penalties,
    /// Most tokens to generate; with 0 the prompt is only run.
    pub max_tokens: usize,
    /// Whether log probabilities are told, and of how many alternatives.
    pub top_logprobs: Option<usize>,
    /// Whether the log probability of every token of the prompt is told. Then nothing is reused,
    /// since every token has to be run to know it.
    pub prompt_logprobs: bool,
    /// Restricts what may be said.
    pub constraint: Option<Box<dyn Constraint>>,
    /// Raised by whoever no longer wants the answer.
    pub cancel: CancelToken,
}

impl fmt::Debug for Job {
    /// Without the prompt: what people say does not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("n_prompt", &self.prompt.len())
            .field("max_tokens", &self.max_tokens)
            .field("sampling", &self.sampling)
            .finish_non_exhaustive()
    }
}

/// A restriction that follows what is said: a grammar, a schema, a forced tool.
pub trait Constraint: Send {
    /// Tokens that may come next; `None` if all may. The end-of-sequence token is among them where
    /// the answer may end.
    ///
    /// # Errors
    /// If nothing may follow, which is a mistake of the constraint.
    fn allowed(&mut self) -> Result<Option<TokenMask>>;

    /// Hears the token that was taken.
    ///
    /// # Errors
    /// If it was not allowed.
    fn accept(&mut self, token: u32) -> Result<()>;
}

/// A set of token ids, one bit each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenMask {
    words: Vec<u32>,
}

impl TokenMask {
    /// A set from its bits: token `i` is bit `i % 32` of word `i / 32`.
    pub fn from_words(words: Vec<u32>) -> Self {
        Self { words }
    }

    /// Whether the set holds `token`.
    pub fn contains(&self, token: u32) -> bool {
        let word = self.words.get(token as usize / 32).copied().unwrap_or(0);
        word >> (token % 32) & 1 == 1
    }

    /// Makes the logits of all other tokens −∞.
    pub(super) fn apply(&self, logits: &mut [f32]) {
        let words = self.words.iter().copied().chain(std::iter::repeat(0));
        for (logits, word) in logits.chunks_mut(32).zip(words) {
            if word != u32::MAX {
                for (i, logit) in logits.iter_mut().enumerate() {
                    if word >> i & 1 == 0 {
                        *logit = f32::NEG_INFINITY;
                    }
                }
            }
        }
    }
}

impl FromIterator<u32> for TokenMask {
    fn from_iter<I: IntoIterator<Item = u32>>(tokens: I) -> Self {
        let mut words = Vec::new();
        for token in tokens {
            let word = token as usize / 32;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            words[word] |= 1 << (token % 32);
        }
        Self { words }
    }
}

/// A token that was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledToken {
    /// Its id.
    pub id: u32,
    /// The natural logarithm of its probability, if the job asked for it. Like those of `top`, it
    /// is the model's own: before penalties, temperature, filters and constraints.
    pub logprob: Option<f32>,
    /// The most probable tokens and their log probabilities, best first.
    pub top: Vec<(u32, f32)>,
}

/// Something that happened to a job.
#[derive(Debug, Clone)]
pub enum Update {
    /// It waits for a slot.
    Queued {
        /// Jobs in front of it.
        ahead: usize,
    },
    /// It has a slot, and prompt tokens are in KV.
    Prefill {
        /// Tokens that were there already.
        reused: usize,
        /// Tokens that were run for it so far.
        done: usize,
        /// Tokens that have to be run, without the reused ones.
        total: usize,
    },
    /// The log probabilities of the prompt's tokens; the first one has none.
    PromptLogprobs(Vec<Option<f32>>),
    /// A token of the answer; never the one that ends it.
    Token(SampledToken),
    /// The answer is complete. Nothing comes after this.
    Finished {
        /// Why it ended.
        reason: StopReason,
        /// What it cost.
        statistics: Statistics,
    },
    /// The answer failed. Nothing comes after this.
    Failed(Arc<Error>),
}

/// Hears the updates of one job, on the engine thread and in order. It must not block: all
/// conversations wait meanwhile.
pub type Sink = Box<dyn FnMut(Update) + Send>;

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// As many jobs wait as may.
    #[error("{waiting} requests are waiting already; try again later")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// The scheduler takes no more jobs.
    #[error("the engine is shutting down")]
    Closing,
}
