//! The contract: one method per mathematical step of the model.
//!
//! Methods are grouped as the reference files are: memory, linear, norm, rope, hyper-connections,
//! KV, attention, experts. Letters `c.2` to `c.12` in the documentation are sections of the
//! numerical specification; the readable definition of each op is in [`crate::reference`].

use std::ops::Range;

use gguf::Tensor;

use crate::error::Result;
use crate::kv_row::KvLayout;
use crate::params::{
    AttendParams, CompressParams, HcParams, IndexParams, RawAttendParams, RouterParams, Run,
};
use crate::rotation::{Direction, Rotation};

/// Weights of one hyper-connection site (c.2).
pub struct HcWeights<'a, W> {
    /// `[rows, n_streams * hidden_size]`: the mixing projection.
    pub function: &'a W,
    /// `[rows]`: added to the scaled projection.
    pub base: &'a W,
    /// `[3]`, or `[1]` for the head: scales of the pre, post and comb groups of rows.
    pub scale: &'a W,
}

/// The inputs of the window that is still open, and of the window before it if windows overlap.
///
/// Both tensors are `[n_slots, width]`, f32; the token at position `p` uses row `p % n_slots`.
/// `n_slots` is a multiple of the ratio: one window, or two where windows overlap; more is
/// allowed and lets a session rewind.
pub struct CompressorState<T> {
    /// Values to be pooled.
    pub values: T,
    /// Scores, position bias added.
    pub scores: T,
}

/// Compressed rows that a query may read.
pub struct Compressed<'a, B: Backend> {
    /// The rows; row `w` covers positions `w * ratio ..`.
    pub rows: &'a B::KvRows,
    /// Tokens per compressed row.
    pub ratio: usize,
    /// The indexer's choice; `None` reads every visible row.
    pub selection: Option<&'a B::Selection>,
}

/// Everything that the queries of one run attend to.
pub struct Attended<'a, B: Backend> {
    /// Ring of raw rows; position `p` is in row `p % capacity`.
    pub window: &'a B::KvRows,
    /// Compressed rows, on layers that have them.
    pub compressed: Option<Compressed<'a, B>>,
    /// `[n_heads]`: one learned logit per head, in the denominator only.
    pub sinks: &'a B::Weight,
}

/// What one compressor's projections made of a batch, with its weights (c.8).
pub struct CompressorInputs<'a, B: Backend> {
    /// `[n, width]`: values to be pooled.
    pub values: &'a B::Tensor,
    /// `[n, width]`: their scores.
    pub scores: &'a B::Tensor,
    /// `[ratio, width]`: added to scores by position.
    pub ape: &'a B::Weight,
    /// `[row width]`: gain of the norm of a pooled row.
    pub gain: &'a B::Weight,
}

/// What the indexer's projections made of a batch (c.9).
pub struct IndexInputs<'a, B: Backend> {
    /// Makes the keys.
    pub compressor: CompressorInputs<'a, B>,
    /// `[n, n_index_heads, index_dim]`, rotated in place; `None` if nobody chooses in this batch.
    pub queries: Option<&'a mut B::Tensor>,
    /// Channels of an index head.
    pub index_dim: usize,
}

/// Everything that a batch's projections leave for later tokens to read, and how it is made.
pub struct KvInputs<'a, B: Backend> {
    /// `[n, head_dim]`: raw rows, neither normed nor rotated.
    pub kv: &'a B::Tensor,
    /// `[n, head_dim]`: room for normed rows. What it holds afterwards is not said.
    pub normed: &'a mut B::Tensor,
    /// `[head_dim]`: gain of the norm of a raw row.
    pub gain: &'a B::Weight,
    /// Epsilon of that norm.
    pub norm_eps: f32,
    /// Channels of a raw row.
    pub head_dim: usize,
    /// The rotation of rows, keys and index queries.
    pub rotation: &'a Rotation,
    /// On layers that compress.
    pub compressor: Option<CompressorInputs<'a, B>>,
    /// On layers that choose.
    pub index: Option<IndexInputs<'a, B>>,
}

/// Where a timeline's compressed rows go.
pub struct CompressedPlace<'a, B: Backend> {
    /// The rows.
    pub rows: &'a mut B::KvRows,
    /// Inputs of the window that is open.
    pub state: &'a mut CompressorState<B::Tensor>,
    /// As for [`Backend::compress`].
    pub params: CompressParams,
}

/// Where the KV of a run goes.
pub struct KvPlace<'a, B: Backend> {
    /// Ring of raw rows.
    pub window: &'a mut B::KvRows,
    /// On layers that compress.
    pub compressed: Option<CompressedPlace<'a, B>>,
    /// Index rows, on layers that choose.
    pub index: Option<CompressedPlace<'a, B>>,
}

/// How a layer chooses experts (c.10).
pub enum RouterChoice<'a, B: Backend> {
    /// The largest `p + bias`; without a bias, the largest `p`. Ties take the lower id.
    Learned {
        /// `[n_experts]`, selects only and is no part of the weight.
        bias: Option<&'a B::Weight>,
    },
    /// A fixed row per token id.
    Hashed {
        /// `[vocab_size, n_experts_per_token]`, I32.
        table: &'a B::Weight,
        /// Token ids of the batch.
        tokens: &'a B::TokenIds,
    },
}

/// The three matrices of an expert, or of a stack of experts (c.11).
pub struct ExpertWeights<'a, W> {
    /// `[.., width, hidden_size]`, called w1 in the released checkpoint.
    pub gate: &'a W,
    /// `[.., width, hidden_size]`, w3.
    pub up: &'a W,
    /// `[.., hidden_size, width]`, w2.
    pub down: &'a W,
}

/// Where a sublayer begins: the hyper-connection in front of it, and the gain of its norm.
pub struct HcSite<'a, W> {
    /// Of the hyper-connection.
    pub weights: HcWeights<'a, W>,
    /// `[hidden_size]`.
    pub gain: &'a W,
}

/// Time that a device spent in the dispatches of one kernel over one grid.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelTime {
    /// The kernel and its grid.
    pub name: String,
    /// Dispatches.
    pub n_dispatches: u64,
    /// Their time on the device.
    pub seconds: f64,
}

/// What a device must be able to do to run this model.
///
/// See the [crate documentation](crate) for the rules that hold for every method. `n` below is
/// the number of rows in use, which inputs and outputs of one op share.
///
/// # Panics
/// Every op panics if shapes disagree with its documentation.
pub trait Backend: Send + Sized + 'static {
    /// Activations `[n, width]`, f32, with room for a fixed number of rows.
    type Tensor: Send;
    /// A bound, immutable, possibly quantised weight.
    type Weight: Send + Sync;
    /// A fixed number of KV rows in the layout of [`crate::kv_row`].
    type KvRows: Send;
    /// Token ids of a batch.
    type TokenIds: Send;
    /// For each token, the compressed rows that it reads, in ascending order.
    type Selection: Send;
    /// For each token, its experts and their weights.
    type Routing: Send;

    /// Short name for messages: `reference`, `cpu`, `gpu`.
    fn name(&self) -> &'static str;

    /// Measures how fast the device reads memory that it has not cached, in 10⁹ bytes per second:
    /// the limit of decoding. `None` where nothing was measured.
    fn read_bandwidth(&mut self) -> Option<f64> {
        None
    }

    /// Whether attention of many tokens rounds queries and weights of rows to F16, as matrix units
    /// take them. It says which limit holds in [`conformance`](crate::conformance).
    fn attends_in_halves(&self) -> bool {
        false
    }

    /// Begins to time kernels one by one, or ends it; returns whether this backend can. Timed work
    /// takes longer as a whole, because kernels wait for each other.
    fn time_kernels(&mut self, on: bool) -> bool {
        let _ = on;
        false
    }

    /// What kernels took since somebody last asked, the longest first.
    ///
    /// # Errors
    /// If the device failed.
    fn kernel_times(&mut self) -> Result<Vec<KernelTime>> {
        Ok(Vec::new())
    }

    // ---- memory

    /// Takes a weight. A backend may keep the mapped bytes, repack or upload them.
    ///
    /// # Errors
    /// If the tensor's type has no kernel here, or memory is short.
    fn bind(&mut self, tensor: &Tensor) -> Result<Self::Weight>;

    /// Says that a weight is multiplied soon, in whole. A backend whose weights may have to come from
    /// a disk can begin to read; nothing else changes.
    fn prefetch(&mut self, weight: &Self::Weight) {
        let _ = weight;
    }

    /// A tensor of `capacity` rows of `width` zeros, all of them in use.
    ///
    /// # Errors
    /// If memory is short.
    fn zeros(&mut self, capacity: usize, width: usize) -> Result<Self::Tensor>;

    /// Sets how many of a tensor's rows are in use. Rows keep their contents; ops leave rows that
    /// are not in use alone.
    fn set_rows(&mut self, x: &mut Self::Tensor, n_rows: usize);

    /// Writes whole rows from `first_row` on.
    fn write(&mut self, x: &mut Self::Tensor, first_row: usize, values: &[f32]);

    /// Waits for the ops that make `x` and reads whole rows from `first_row` on.
    ///
    /// # Errors
    /// If an op failed on the device.
    fn read(&mut self, x: &Self::Tensor, first_row: usize, values: &mut [f32]) -> Result<()>;

    /// Copies `rows` of `x` to the first rows of `out` and sets `out`'s rows in use.
    fn copy_rows(&mut self, out: &mut Self::Tensor, x: &Self::Tensor, rows: Range<usize>);

    /// Room for `capacity` token ids, none in use.
    ///
    /// # Errors
    /// If memory is short.
    fn token_ids(&mut self, capacity: usize) -> Result<Self::TokenIds>;

    /// Replaces the ids of a batch.
    fn write_tokens(&mut self, tokens: &mut Self::TokenIds, ids: &[u32]);

    /// `capacity` KV rows. Their contents mean nothing until stored.
    ///
    /// # Errors
    /// If memory is short.
    fn kv_rows(&mut self, layout: KvLayout, capacity: usize) -> Result<Self::KvRows>;

    /// Reads stored rows as the bytes of [`crate::kv_row`].
    ///
    /// # Errors
    /// If an op failed on the device.
    fn read_kv_rows(
        &mut self,
        kv: &Self::KvRows,
        rows: Range<usize>,
        bytes: &mut [u8],
    ) -> Result<()>;

    /// Reads rows of several sets, each into bytes of its own, in one call so that a device is
    /// waited for once.
    ///
    /// # Errors
    /// If an op failed on the device.
    fn read_kv_parts(
        &mut self,
        parts: &mut [(&Self::KvRows, Range<usize>, &mut [u8])],
    ) -> Result<()> {
        parts
            .iter_mut()
            .try_for_each(|(kv, rows, bytes)| self.read_kv_rows(kv, rows.clone(), bytes))
    }

    /// Puts rows read by [`Backend::read_kv_rows`] back, on this or another backend.
    fn write_kv_rows(&mut self, kv: &mut Self::KvRows, first_row: usize, bytes: &[u8]);

    /// Copies `rows` of `kv` to the rows of `out` from `first_row` on; both have one layout.
    fn copy_kv_rows(
        &mut self,
        out: &mut Self::KvRows,
        first_row: usize,
        kv: &Self::KvRows,
        rows: Range<usize>,
    );

    /// Room for the choices of `capacity` tokens, `top_k` rows each.
    ///
    /// # Errors
    /// If memory is short.
    fn selection(&mut self, capacity: usize, top_k: usize) -> Result<Self::Selection>;

    /// Room for the experts of `capacity` tokens.
    ///
    /// # Errors
    /// If memory is short.
    fn routing(&mut self, capacity: usize, n_experts_per_token: usize) -> Result<Self::Routing>;

    /// Waits until every recorded op has run.
    ///
    /// # Errors
    /// If an op failed on the device.
    fn finish(&mut self) -> Result<()>;

    // ---- linear

    /// `out[t][j] = table[token_t]` for every stream `j`: identical copies (c.1).
    ///
    /// `out` is `[n, n_streams * hidden_size]`, `table` `[vocab_size, hidden_size]`.
    fn embed(&mut self, out: &mut Self::Tensor, tokens: &Self::TokenIds, table: &Self::Weight);

    /// `out = x @ weight^T`: `x` `[n, columns]`, `weight` `[rows, columns]`, `out` `[n, rows]`.
    fn matmul(&mut self, out: &mut Self::Tensor, x: &Self::Tensor, weight: &Self::Weight);

    /// Several products of one input: `outs[i].0 = x @ outs[i].1^T`.
    fn matmuls(&mut self, outs: &mut [(&mut Self::Tensor, &Self::Weight)], x: &Self::Tensor) {
        for (out, weight) in outs {
            self.matmul(out, x, weight);
        }
    }

    /// The low-rank output projection, group by group (c.7).
    ///
    /// `x` is `[n, n_groups * columns]`, `weight` `[n_groups * rank, columns]`, `out`
    /// `[n, n_groups * rank]`: group `g` of `out` is group `g` of `x` times group `g` of rows.
    fn grouped_matmul(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        weight: &Self::Weight,
        n_groups: usize,
    );

    // ---- norm

    /// `out = x / sqrt(mean(x^2) + eps) * gain` over each row (c.3). `gain` is `[width]`.
    fn rms_norm(&mut self, out: &mut Self::Tensor, x: &Self::Tensor, gain: &Self::Weight, eps: f32);

    /// The same without gain over each `head_dim` channels of a row, in place (c.4).
    fn rms_norm_heads(&mut self, x: &mut Self::Tensor, head_dim: usize, eps: f32);

    /// [`Backend::rms_norm`] of `x`, then [`Backend::matmuls`] of the normed rows.
    ///
    /// `normed` is room for them, `[n, columns]`. What it holds afterwards is not said.
    fn norm_matmuls(
        &mut self,
        outs: &mut [(&mut Self::Tensor, &Self::Weight)],
        normed: &mut Self::Tensor,
        x: &Self::Tensor,
        gain: &Self::Weight,
        eps: f32,
    ) {
        self.rms_norm(normed, x, gain, eps);
        self.matmuls(outs, normed);
    }

    // ---- rope

    /// Rotates the last channels of each head by its token's position, in place (c.6).
    ///
    /// `x` is `[n, n_heads, head_dim]`; `runs` cover the rows in use.
    fn rope_tail(
        &mut self,
        x: &mut Self::Tensor,
        head_dim: usize,
        rotation: &Rotation,
        direction: Direction,
        runs: &[Run],
    );

    // ---- hyper-connections

    /// Collapses the streams to a sublayer's input and computes the gates to write back (c.2).
    ///
    /// `streams` is `[n, n_streams, hidden_size]`, `out` `[n, hidden_size]`, `gates`
    /// `[n, params.gates_width()]`: post gates, then comb (from, to).
    fn hc_mix(
        &mut self,
        out: &mut Self::Tensor,
        gates: &mut Self::Tensor,
        streams: &Self::Tensor,
        weights: &HcWeights<'_, Self::Weight>,
        params: &HcParams,
    );

    /// `streams[b] = post[b] * y + sum over a of comb[a][b] * streams[a]`, in place (c.2).
    ///
    /// `y` is `[n, hidden_size]`, `gates` as [`Backend::hc_mix`] made them.
    fn hc_expand(
        &mut self,
        streams: &mut Self::Tensor,
        y: &Self::Tensor,
        gates: &Self::Tensor,
        params: &HcParams,
    );

    /// Collapses the streams in front of the output head: pre gates only (c.2).
    fn hc_head(
        &mut self,
        out: &mut Self::Tensor,
        streams: &Self::Tensor,
        weights: &HcWeights<'_, Self::Weight>,
        params: &HcParams,
    );

    /// [`Backend::hc_mix`], then [`Backend::rms_norm`]: streams to a sublayer's normed input.
    ///
    /// `normed` and `mixed` are `[n, hidden_size]`. What `mixed` holds afterwards is the backend's own
    /// business.
    fn hc_enter(
        &mut self,
        normed: &mut Self::Tensor,
        mixed: &mut Self::Tensor,
        gates: &mut Self::Tensor,
        streams: &Self::Tensor,
        site: &HcSite<'_, Self::Weight>,
        params: &HcParams,
    ) {
        self.hc_mix(mixed, gates, streams, &site.weights, params);
        self.rms_norm(normed, mixed, site.gain, params.norm_eps);
    }

    /// From one sublayer to the next: [`Backend::hc_expand`] with its output and gates, then
    /// [`Backend::hc_enter`], which makes new gates.
    #[expect(clippy::too_many_arguments, reason = "two sublayers meet")]
    fn hc_next(
        &mut self,
        streams: &mut Self::Tensor,
        y: &Self::Tensor,
        normed: &mut Self::Tensor,
        mixed: &mut Self::Tensor,
        gates: &mut Self::Tensor,
        site: &HcSite<'_, Self::Weight>,
        params: &HcParams,
    ) {
        self.hc_expand(streams, y, gates, params);
        self.hc_enter(normed, mixed, gates, streams, site, params);
    }

    // ---- KV

    /// Stores the raw rows of a run: row of position `p` at ring row `p % capacity` (c.5).
    ///
    /// `kv` is `[n, head_dim]`, normed and rotated; rounding happens here. The run is no longer
    /// than the ring.
    fn store_kv(&mut self, window: &mut Self::KvRows, kv: &Self::Tensor, run: Run);

    /// Feeds a run to a compressor and stores the rows that close in it (c.8), but for those that
    /// `params` calls stored.
    ///
    /// `values` and `scores` are `[n, width]`, projections of the batch; `ape` is
    /// `[ratio, width]`, added to the scores by position; `gain` is `[row width]`. Row `w` goes to
    /// row `w` of `rows`.
    #[expect(clippy::too_many_arguments, reason = "state, inputs and weights of one formula")]
    fn compress(
        &mut self,
        rows: &mut Self::KvRows,
        state: &mut CompressorState<Self::Tensor>,
        values: &Self::Tensor,
        scores: &Self::Tensor,
        ape: &Self::Weight,
        gain: &Self::Weight,
        rotation: &Rotation,
        params: &CompressParams,
        run: Run,
    );

    /// Stores everything that a batch's projections leave for later tokens, and rotates its index
    /// queries (c.5, c.8, c.9).
    ///
    /// Rows are normed and rotated, then stored as by [`Backend::store_kv`] and
    /// [`Backend::compress`]. The runs cover the rows in use, and each has its place.
    fn store_all(
        &mut self,
        inputs: &mut KvInputs<'_, Self>,
        places: &mut [KvPlace<'_, Self>],
        runs: &[Run],
    ) {
        let KvInputs { kv, normed, gain, norm_eps, head_dim, rotation, compressor, index } = inputs;
        self.rms_norm(normed, kv, gain, *norm_eps);
        self.rope_tail(normed, *head_dim, rotation, Direction::Forward, runs);
        for (place, run) in places.iter_mut().zip(runs) {
            self.store_kv(place.window, normed, *run);
            let index = index.as_ref().map(|index| &index.compressor);
            let compressors =
                [(compressor.as_ref(), &mut place.compressed), (index, &mut place.index)];
            for (inputs, to) in compressors {
                if let (Some(inputs), Some(to)) = (inputs, to) {
                    let CompressorInputs { values, scores, ape, gain } = inputs;
                    let CompressedPlace { rows, state, params } = to;
                    self.compress(rows, state, values, scores, ape, gain, rotation, params, *run);
                }
            }
        }
        if let Some(IndexInputs { queries: Some(queries), index_dim, .. }) = index {
            self.rope_tail(queries, *index_dim, rotation, Direction::Forward, runs);
        }
    }

    /// Chooses for each token of a run the index rows with the largest scores (c.9).
    ///
    /// `queries` is `[n, n_heads, index_dim]`, rotated; rounding as the layout of `keys` says
    /// happens here. `head_weights` is `[n, n_heads]`, unscaled projections. The token at position
    /// `t` chooses among rows `w < (t + 1) / ratio`; all of them if there are at most `top_k`.
    /// Equal scores take the lower row. Results go to the run's rows of `out`.
    fn index_select(
        &mut self,
        out: &mut Self::Selection,
        queries: &Self::Tensor,
        head_weights: &Self::Tensor,
        keys: &Self::KvRows,
        params: &IndexParams,
        run: Run,
    );

    // ---- attention

    /// Attention of a run over its raw window and compressed rows, with sinks (c.7).
    ///
    /// `queries` and `out` are `[n, n_heads, head_dim]`. Rows are reduced in one order: window
    /// rows by position, then compressed rows by ascending id.
    fn attend(
        &mut self,
        out: &mut Self::Tensor,
        queries: &Self::Tensor,
        attended: &Attended<'_, Self>,
        params: &AttendParams,
        run: Run,
    );

    /// Attention of a batch from queries as their product left them (c.4, c.6, c.7): heads are normed
    /// and rotated, every run attends, and the rotation that values carry is undone.
    ///
    /// `queries` and `out` are as for [`Backend::attend`]; the runs cover the rows in use, and each
    /// has its `attended`. What `queries` hold afterwards is not said.
    fn attend_raw(
        &mut self,
        out: &mut Self::Tensor,
        queries: &mut Self::Tensor,
        attended: &[Attended<'_, Self>],
        rotation: &Rotation,
        params: &RawAttendParams,
        runs: &[Run],
    ) {
        let RawAttendParams { attend, head_dim, norm_eps } = params;
        self.rms_norm_heads(queries, *head_dim, *norm_eps);
        self.rope_tail(queries, *head_dim, rotation, Direction::Forward, runs);
        self.attend_runs(out, queries, attended, attend, runs);
        self.rope_tail(out, *head_dim, rotation, Direction::Inverse, runs);
    }

    /// [`Backend::attend`] of every run of a batch, each with its `attended`.
    fn attend_runs(
        &mut self,
        out: &mut Self::Tensor,
        queries: &Self::Tensor,
        attended: &[Attended<'_, Self>],
        params: &AttendParams,
        runs: &[Run],
    ) {
        for (run, attended) in runs.iter().zip(attended) {
            self.attend(out, queries, attended, params, *run);
        }
    }

    // ---- experts

    /// Chooses experts and their weights (c.10). `x` is `[n, hidden_size]`, `gate`
    /// `[n_experts, hidden_size]`.
    fn route(
        &mut self,
        out: &mut Self::Routing,
        x: &Self::Tensor,
        gate: &Self::Weight,
        choice: &RouterChoice<'_, Self>,
        params: &RouterParams,
    );

    /// `out[t] = sum over its experts of weight * expert(x[t])` (c.11).
    ///
    /// Weights are stacks `[n_experts, ..]`; `limit` clamps gate from above and up on both sides.
    /// The expert's weight multiplies the hidden values, in front of `down`; experts are added in
    /// the order of the routing.
    fn routed_experts(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        routing: &Self::Routing,
        experts: &ExpertWeights<'_, Self::Weight>,
        limit: f32,
    );

    /// `out += expert(x)` with the one expert that every token passes (c.11).
    fn shared_expert(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        expert: &ExpertWeights<'_, Self::Weight>,
        limit: f32,
    );

    /// [`Backend::routed_experts`], then [`Backend::shared_expert`], in one call so that a backend
    /// runs them side by side.
    fn all_experts(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        routing: &Self::Routing,
        experts: &ExpertWeights<'_, Self::Weight>,
        shared: &ExpertWeights<'_, Self::Weight>,
        limit: f32,
    ) {
        self.routed_experts(out, x, routing, experts, limit);
        self.shared_expert(out, x, shared, limit);
    }
}
