//! The scalars that ops take, each group named for its role.

/// A run of batch rows that belongs to one timeline.
///
/// Rows `first_row .. first_row + n_rows` of every activation in the batch are consecutive tokens
/// of one session, the first at absolute position `first_position`. A prefill chunk is one run of
/// many rows; a batched decode step is many runs of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// First row in the batch.
    pub first_row: usize,
    /// Rows of this timeline, at least 1.
    pub n_rows: usize,
    /// Position of the first row in its timeline, counted from 0.
    pub first_position: usize,
}

impl Run {
    /// `(row in the batch, position in the timeline)` of every token.
    pub fn positions(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.n_rows).map(move |i| (self.first_row + i, self.first_position + i))
    }
}

/// Hyper-connection constants (specification c.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HcParams {
    /// Residual streams per token, 4.
    pub n_streams: usize,
    /// Sinkhorn iterations; the first is the column-only one.
    pub n_iterations: usize,
    /// Added to gates and sums so that no division is by zero.
    pub eps: f32,
    /// Epsilon of the norm in front of the mixing projection.
    pub norm_eps: f32,
}

impl HcParams {
    /// Width of a row of gates: `post[n_streams]`, then `comb[n_streams][n_streams]` (from, to).
    pub fn gates_width(&self) -> usize {
        self.n_streams + self.n_streams * self.n_streams
    }
}

/// Compressor constants (specification c.8).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompressParams {
    /// Tokens per compressed row: 4 or 128 in the published model.
    pub ratio: usize,
    /// Whether a row also pools the first half of the previous window's channels (ratio 4).
    pub overlap: bool,
    /// Epsilon of the norm of a pooled row.
    pub norm_eps: f32,
    /// Rows that are stored already and stay as they are: 0 in a first run. A timeline that was cut
    /// runs tokens again to have their inputs back; the rows that they closed are still there, and
    /// what they were pooled from may not be.
    pub n_stored_rows: usize,
}

/// Lightning-indexer constants (specification c.9).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IndexParams {
    /// Indexer query heads.
    pub n_heads: usize,
    /// Tokens per index row, 4.
    pub ratio: usize,
    /// Rows that a query may read at most.
    pub top_k: usize,
}

/// Attention constants (specification c.7).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttendParams {
    /// Query heads; all share the one K = V row.
    pub n_heads: usize,
    /// Positions visible in the raw window, the query's own included.
    pub window: usize,
}

/// Constants of attention that norms and rotates its queries (specification c.4, c.7).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawAttendParams {
    /// Heads and window.
    pub attend: AttendParams,
    /// Channels of a head.
    pub head_dim: usize,
    /// Epsilon of the norm of each query head.
    pub norm_eps: f32,
}

/// Router constants (specification c.10).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RouterParams {
    /// Experts chosen for each token.
    pub n_experts_per_token: usize,
    /// Factor on the normalised weights of the chosen experts, 1.5.
    pub scale: f32,
}
