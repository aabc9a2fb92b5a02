//! What the backend keeps beside what it is asked to keep, counted before it is taken.
//!
//! Scratch grows to what the largest op of a model needs ([`crate::parts`]); this is that size,
//! from the model's dimensions. Counts what grows with them, and leaves out what is small: a few
//! hundred kilobytes of a model.

use crate::activation::{GROUP_LEN, Group};
use crate::attention::BLOCK_ROWS;
use crate::cpu::n_cores;
use crate::dot::{FloatScratch, PACKED_COLUMNS, Packed};
use crate::linear::{FLOAT_COLUMNS, MANY_COLUMNS, PACKED_ROWS};

/// The dimensions of a model and its batches.
#[derive(Debug, Clone, Copy)]
pub struct Dimensions {
    /// Most tokens of a batch.
    pub max_batch: usize,
    /// Width of one residual stream.
    pub hidden_size: usize,
    /// Residual streams.
    pub n_streams: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Groups of the output projection.
    pub n_output_groups: usize,
    /// Width of each group's low-rank output.
    pub output_rank: usize,
    /// Routed experts.
    pub n_experts: usize,
    /// Routed experts that a token passes.
    pub n_experts_per_token: usize,
    /// Hidden width of an expert.
    pub expert_width: usize,
}

/// Bytes of scratch of a backend with `n_threads` threads, or as many as it takes by itself.
pub fn scratch_bytes(d: &Dimensions, n_threads: Option<usize>) -> u64 {
    let n_threads = n_threads.unwrap_or_else(n_cores);
    let n_pairs = d.max_batch * d.n_experts_per_token;
    // Mixing gates for each stream, and for each pair of streams.
    let mixing = 2 * d.n_streams + d.n_streams * d.n_streams;
    let shared = rounded_bytes(d)
        + 4 * n_pairs * d.expert_width
        + 4 * d.max_batch * (mixing + d.n_experts)
        + n_pairs * (size_of::<(u32, f32)>() + size_of::<u32>());
    (shared + n_threads * worker_bytes(d)) as u64
}

/// Rounded activations of the product that has most: rows and their width.
fn rounded_bytes(d: &Dimensions) -> usize {
    let (n, heads) = (d.max_batch, d.n_heads * d.head_dim);
    let inputs = [
        (n, d.hidden_size),
        (n * d.n_output_groups, heads / d.n_output_groups),
        (n, d.n_output_groups * d.output_rank),
        (n * d.n_experts_per_token, d.expert_width),
    ];
    let groups = inputs.map(|(n_rows, width)| n_rows * width.div_ceil(GROUP_LEN));
    groups.into_iter().max().unwrap_or(0) * size_of::<Group>()
}

/// What each thread has for itself.
fn worker_bytes(d: &Dimensions) -> usize {
    let attention = 4 * BLOCK_ROWS * (d.head_dim + d.n_heads);
    if d.max_batch < MANY_COLUMNS {
        return attention;
    }
    let widest = [d.hidden_size, d.n_output_groups * d.output_rank, d.expert_width];
    let n_groups = widest.into_iter().max().unwrap_or(0).div_ceil(GROUP_LEN);
    let expert_groups = d.expert_width.div_ceil(GROUP_LEN);
    let packed = Packed::bytes(PACKED_ROWS, n_groups, expert_groups);
    let floats = FloatScratch::bytes(PACKED_ROWS, FLOAT_COLUMNS);
    let out = 4 * PACKED_ROWS * FLOAT_COLUMNS.max(PACKED_COLUMNS);
    // The second matrix of the shared expert, and outputs of all pairs.
    let experts = 4 * PACKED_ROWS * d.max_batch * (1 + d.n_experts_per_token);
    attention + packed + floats + out + experts
}
