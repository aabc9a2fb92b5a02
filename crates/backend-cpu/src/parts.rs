//! What an op works with: threads, their scratch, and scratch that ops share.

use crate::activation::Quantized;
use crate::isa::Available;
use crate::kv::{IndexQuery, IndexScratch};
use crate::linear::Scratch;
use crate::pool::Pool;

/// Values below which work on each token alone is not worth waking other threads.
pub(crate) const PARALLEL_VALUES: usize = 1 << 16;

/// Scratch of one thread. It grows to what the largest op needs and stays.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) scratch: Scratch,
    /// A block of KV rows, decoded.
    pub(crate) rows: Vec<f32>,
    /// Attention scores, or index scores of one token.
    pub(crate) scores: Vec<f32>,
    /// Index queries of one token.
    pub(crate) query: IndexQuery,
    /// Scores and ids of index rows in one order.
    pub(crate) ranked: Vec<u64>,
    /// The second matrix of an expert, times a token or many.
    pub(crate) up: Vec<f32>,
    /// Down-projected hidden values of many (token, expert) pairs.
    pub(crate) down: Vec<f32>,
}

/// Scratch of whole ops.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Hyper-connection projections `[n, rows]`.
    pub(crate) projections: Vec<f32>,
    /// Hidden values of experts `[n_pairs, width]`.
    pub(crate) hidden: Vec<f32>,
    /// Router logits, then probabilities, `[n, n_experts]`.
    pub(crate) probabilities: Vec<f32>,
    /// Index queries and scores of one token.
    pub(crate) index: IndexScratch,
    /// One row on its way to KV.
    pub(crate) row: Vec<f32>,
    pub(crate) pairs: Pairs,
}

/// The (token, expert) pairs of a batch, grouped by expert.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    /// Per expert, where its pairs end; the first entry is 0.
    pub(crate) ends: Vec<usize>,
    /// Per pair in order of experts: its token and weight.
    pub(crate) tokens: Vec<(u32, f32)>,
    /// Per (token, choice): where its pair is in the order of experts.
    pub(crate) places: Vec<u32>,
}

/// Everything but the shared scratch, borrowed for one op.
pub(crate) struct Parts<'a> {
    pub(crate) isa: Available,
    pub(crate) pool: &'a mut Pool,
    pub(crate) workers: &'a mut [Worker],
    pub(crate) quantized: &'a mut Quantized,
}
