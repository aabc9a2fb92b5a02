//! The backend itself: threads, scratch, and one line per op.

use std::ops::Range;

use backend::kv_row::KvLayout;
use backend::{
    AttendParams, Attended, Backend, CompressParams, CompressorState, Direction, ExpertWeights,
    HcParams, HcWeights, IndexParams, Result, Rotation, RouterChoice, RouterParams, Run,
};

use crate::activation::Quantized;
use crate::isa::{Available, Isa};
use crate::memory::{KvRows, Matrix, Routing, Selection, TokenIds};
use crate::parts::{Parts, Shared, Worker};
use crate::pool::Pool;
use crate::weight::Weight;
use crate::{attention, bandwidth, experts, hyper_connection, kv, linear, norm};

/// What a [`Cpu`] is made with; the default is the best for the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Threads, the caller's among them; `None` is one per physical core.
    pub n_threads: Option<usize>,
    /// Kernels to use; `None` is [`Isa::detect`].
    pub isa: Option<Isa>,
    /// Whether weights are asked for before they are used, because memory does not hold them all.
    pub readahead: bool,
}

/// The CPU backend. Every op has run when its call returns.
pub struct Cpu {
    isa: Available,
    pool: Pool,
    workers: Vec<Worker>,
    quantized: Quantized,
    shared: Shared,
    readahead: bool,
}

impl Cpu {
    /// Starts the threads and chooses the kernels.
    ///
    /// # Panics
    /// If this machine does not have the wanted instruction set.
    pub fn new(options: Options) -> Self {
        let isa = options.isa.unwrap_or_else(Isa::detect);
        let isa = Available::new(isa).expect("the instruction set is one that the machine has");
        let pool = Pool::new(options.n_threads.unwrap_or_else(n_cores));
        let workers = (0..pool.n_threads()).map(|_| Worker::default()).collect();
        let (quantized, shared) = (Quantized::default(), Shared::default());
        Self { isa, pool, workers, quantized, shared, readahead: options.readahead }
    }

    /// The kernels in use.
    pub fn isa(&self) -> Isa {
        self.isa.isa()
    }

    /// Threads that run an op, the caller's among them.
    pub fn n_threads(&self) -> usize {
        self.pool.n_threads()
    }

    fn parts(&mut self) -> (Parts<'_>, &mut Shared) {
        let Self { isa, pool, workers, quantized, shared, .. } = self;
        (Parts { isa: *isa, pool, workers, quantized }, shared)
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

/// Physical cores that this process may use.
pub(crate) fn n_cores() -> usize {
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    usable.min(num_cpus::get_physical()).max(1)
}

impl Backend for Cpu {
    type Tensor = Matrix;
    type Weight = Weight;
    type KvRows = KvRows;
    type TokenIds = TokenIds;
    type Selection = Selection;
    type Routing = Routing;

    fn name(&self) -> &'static str {
        "cpu"
    }

    fn read_bandwidth(&mut self) -> Option<f64> {
        bandwidth::read_bandwidth(&mut self.parts().0)
    }

    fn bind(&mut self, tensor: &gguf::Tensor) -> Result<Weight> {
        Weight::new(tensor)
    }

    fn prefetch(&mut self, weight: &Weight) {
        if self.readahead {
            weight.will_need(0, weight.n_rows());
        }
    }

    fn zeros(&mut self, capacity: usize, width: usize) -> Result<Matrix> {
        Matrix::zeros(capacity, width)
    }

    fn set_rows(&mut self, x: &mut Matrix, n_rows: usize) {
        x.set_rows(n_rows);
    }

    fn write(&mut self, x: &mut Matrix, first_row: usize, values: &[f32]) {
        x.write(first_row, values);
    }

    fn read(&mut self, x: &Matrix, first_row: usize, values: &mut [f32]) -> Result<()> {
        x.read(first_row, values);
        Ok(())
    }

    fn copy_rows(&mut self, out: &mut Matrix, x: &Matrix, rows: Range<usize>) {
        assert_eq!(out.width(), x.width(), "row width");
        out.set_rows(rows.len());
        let (first, last) = (rows.start * x.width(), rows.end * x.width());
        out.values_mut().copy_from_slice(&x.values()[first..last]);
    }

    fn token_ids(&mut self, capacity: usize) -> Result<TokenIds> {
        Ok(TokenIds(Vec::with_capacity(capacity)))
    }

    fn write_tokens(&mut self, tokens: &mut TokenIds, ids: &[u32]) {
        tokens.0.clear();
        tokens.0.extend_from_slice(ids);
    }

    fn kv_rows(&mut self, layout: KvLayout, capacity: usize) -> Result<KvRows> {
        KvRows::new(layout, capacity)
    }

    fn read_kv_rows(&mut self, kv: &KvRows, rows: Range<usize>, bytes: &mut [u8]) -> Result<()> {
        bytes.copy_from_slice(kv.rows(rows));
        Ok(())
    }

    fn write_kv_rows(&mut self, kv: &mut KvRows, first_row: usize, bytes: &[u8]) {
        kv.write(first_row, bytes);
    }

    fn copy_kv_rows(
        &mut self,
        out: &mut KvRows,
        first_row: usize,
        kv: &KvRows,
        rows: Range<usize>,
    ) {
        assert_eq!(out.layout(), kv.layout(), "layout");
        out.write(first_row, kv.rows(rows));
    }

    fn selection(&mut self, capacity: usize, top_k: usize) -> Result<Selection> {
        Ok(Selection::new(capacity, top_k))
    }

    fn routing(&mut self, capacity: usize, n_experts_per_token: usize) -> Result<Routing> {
        Ok(Routing::new(capacity, n_experts_per_token))
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    fn embed(&mut self, out: &mut Matrix, tokens: &TokenIds, table: &Weight) {
        linear::embed(out, tokens, table);
    }

    fn matmul(&mut self, out: &mut Matrix, x: &Matrix, weight: &Weight) {
        linear::matmuls(&mut self.parts().0, &mut [(out, weight)], x);
    }

    fn matmuls(&mut self, outs: &mut [(&mut Matrix, &Weight)], x: &Matrix) {
        linear::matmuls(&mut self.parts().0, outs, x);
    }

    fn grouped_matmul(&mut self, out: &mut Matrix, x: &Matrix, weight: &Weight, n_groups: usize) {
        linear::grouped_matmul(&mut self.parts().0, out, x, weight, n_groups);
    }

    fn rms_norm(&mut self, out: &mut Matrix, x: &Matrix, gain: &Weight, eps: f32) {
        norm::rms_norm(&mut self.parts().0, out, x, gain.values(), eps);
    }

    fn rms_norm_heads(&mut self, x: &mut Matrix, head_dim: usize, eps: f32) {
        norm::rms_norm_heads(&mut self.parts().0, x, head_dim, eps);
    }

    fn rope_tail(
        &mut self,
        x: &mut Matrix,
        head_dim: usize,
        rotation: &Rotation,
        direction: Direction,
        runs: &[Run],
    ) {
        norm::rope_tail(&mut self.parts().0, x, head_dim, rotation, direction, runs);
    }

    fn hc_mix(
        &mut self,
        out: &mut Matrix,
        gates: &mut Matrix,
        streams: &Matrix,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        let (mut parts, shared) = self.parts();
        let projections = &mut shared.projections;
        hyper_connection::hc_mix(&mut parts, projections, out, gates, streams, weights, params);
    }

    fn hc_expand(&mut self, streams: &mut Matrix, y: &Matrix, gates: &Matrix, params: &HcParams) {
        hyper_connection::hc_expand(&mut self.parts().0, streams, y, gates, params);
    }

    fn hc_head(
        &mut self,
        out: &mut Matrix,
        streams: &Matrix,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        let (mut parts, shared) = self.parts();
        let projections = &mut shared.projections;
        hyper_connection::hc_head(&mut parts, projections, out, streams, weights, params);
    }

    fn store_kv(&mut self, window: &mut KvRows, kv: &Matrix, run: Run) {
        kv::store_kv(window, kv, run);
    }

    fn compress(
        &mut self,
        rows: &mut KvRows,
        state: &mut CompressorState<Matrix>,
        values: &Matrix,
        scores: &Matrix,
        ape: &Weight,
        gain: &Weight,
        rotation: &Rotation,
        params: &CompressParams,
        run: Run,
    ) {
        let (ape, gain) = (ape.values(), gain.values());
        let compressor = kv::Compressor { ape, gain, rotation, params };
        let row = &mut self.shared.row;
        kv::compress(self.isa, row, rows, state, values, scores, &compressor, run);
    }

    fn index_select(
        &mut self,
        out: &mut Selection,
        queries: &Matrix,
        head_weights: &Matrix,
        keys: &KvRows,
        params: &IndexParams,
        run: Run,
    ) {
        let (mut parts, shared) = self.parts();
        let scratch = &mut shared.index;
        kv::index_select(&mut parts, scratch, out, queries, head_weights, keys, params, run);
    }

    fn attend(
        &mut self,
        out: &mut Matrix,
        queries: &Matrix,
        attended: &Attended<'_, Self>,
        params: &AttendParams,
        run: Run,
    ) {
        let (attended, runs) = (std::slice::from_ref(attended), &[run]);
        attention::attend(&mut self.parts().0, out, queries, attended, params, runs);
    }

    fn attend_runs(
        &mut self,
        out: &mut Matrix,
        queries: &Matrix,
        attended: &[Attended<'_, Self>],
        params: &AttendParams,
        runs: &[Run],
    ) {
        attention::attend(&mut self.parts().0, out, queries, attended, params, runs);
    }

    fn route(
        &mut self,
        out: &mut Routing,
        x: &Matrix,
        gate: &Weight,
        choice: &RouterChoice<'_, Self>,
        params: &RouterParams,
    ) {
        let (mut parts, shared) = self.parts();
        experts::route(&mut parts, &mut shared.probabilities, out, x, gate, choice, params);
    }

    fn routed_experts(
        &mut self,
        out: &mut Matrix,
        x: &Matrix,
        routing: &Routing,
        experts: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        if self.readahead {
            experts::prefetch(routing, x.n_rows(), experts);
        }
        let (mut parts, shared) = self.parts();
        let Shared { hidden, pairs, .. } = shared;
        experts::routed_experts(&mut parts, hidden, pairs, out, x, routing, experts, limit);
    }

    fn shared_expert(
        &mut self,
        out: &mut Matrix,
        x: &Matrix,
        expert: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        let (mut parts, shared) = self.parts();
        let Shared { hidden, pairs, .. } = shared;
        experts::shared_expert(&mut parts, hidden, pairs, out, x, expert, limit);
    }
}
