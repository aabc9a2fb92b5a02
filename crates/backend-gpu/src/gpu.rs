//! The backend itself: a device, and one line per op.

use std::ops::Range;

use backend::conformance::spot_check;
use backend::kv_row::KvLayout;
use backend::{
    AttendParams, Attended, Backend, CompressParams, CompressorState, Direction, ExpertWeights,
    HcParams, HcSite, HcWeights, IndexParams, KernelTime, KvInputs, KvPlace, RawAttendParams,
    Result, Rotation, RouterChoice, RouterParams, Run,
};

use crate::device::{Device, OpenError, Options};
use crate::encode::{Context, Counts};
use crate::memory::{KvRows, Routing, Selection, Tensor, TokenIds};
use crate::profile::DeviceProfile;
use crate::timing::Timing;
use crate::weights::Weight;
use crate::{
    attention, experts, hyper_connection, index, kv, linear, measure, memory, norm, store,
};

/// The GPU backend. Ops record; [`Backend::finish`] and reads wait.
pub struct Gpu {
    context: Context,
    /// What was wrong when matrix units were tried.
    refused_matrices: Option<String>,
}

impl Gpu {
    /// Opens a device.
    ///
    /// Matrix units are tried on a handful of cases first, because drivers differ in what they make of
    /// the same text; where a result is off, the device works without them.
    ///
    /// # Errors
    /// If there is none of the wanted kind, or it lacks what every kernel needs.
    pub fn open(options: Options) -> std::result::Result<Self, OpenError> {
        let context = Context::new(Device::open(options)?);
        let mut gpu = Self { context, refused_matrices: None };
        if gpu.profile().matrix_size.is_some() {
            gpu.refused_matrices = spot_check(&mut gpu).err();
        }
        if gpu.refused_matrices.is_some() {
            gpu.context.device.profile.matrix_size = None;
        }
        Ok(gpu)
    }

    /// What was wrong with results of the matrix units, if that is why they are not used.
    pub fn refused_matrices(&self) -> Option<&str> {
        self.refused_matrices.as_deref()
    }

    /// Name of the device and of its driver.
    pub fn device_name(&self) -> String {
        let adapter = &self.context.device.adapter;
        format!("{} ({:?}, {})", adapter.name, adapter.backend, adapter.driver_info)
    }

    /// Whether the device is a processor that pretends.
    pub fn is_software(&self) -> bool {
        self.context.device.adapter.device_type == wgpu::DeviceType::Cpu
    }

    /// Memory of the device in bytes, where its driver tells.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.context.device.memory_bytes
    }

    /// What has been handed to the device since it was opened.
    pub fn counts(&self) -> Counts {
        self.context.counts()
    }

    /// Seconds between the beginnings of two kernels of which one waits for the other and neither does
    /// anything to speak of: a token has several hundred.
    ///
    /// # Errors
    /// If the device failed.
    pub fn dispatch_seconds(&mut self) -> Result<f64> {
        measure::dispatch_seconds(&mut self.context)
    }

    /// The facts that choose between kernels.
    pub fn profile(&self) -> &DeviceProfile {
        &self.context.device.profile
    }
}

impl Backend for Gpu {
    type Tensor = Tensor;
    type Weight = Weight;
    type KvRows = KvRows;
    type TokenIds = TokenIds;
    type Selection = Selection;
    type Routing = Routing;

    fn name(&self) -> &'static str {
        crate::NAME
    }

    fn read_bandwidth(&mut self) -> Option<f64> {
        let is_software = self.is_software();
        measure::read_bandwidth(&mut self.context, is_software)
    }

    fn attends_in_halves(&self) -> bool {
        self.context.device.profile.matrix_size.is_some()
    }

    fn time_kernels(&mut self, on: bool) -> bool {
        self.context.submit();
        self.context.timing = if on { Timing::new(&self.context.device) } else { None };
        self.context.timing.is_some()
    }

    fn kernel_times(&mut self) -> Result<Vec<KernelTime>> {
        self.context.finish()?;
        Ok(self.context.timing.as_mut().map(Timing::take).unwrap_or_default())
    }

    fn bind(&mut self, tensor: &gguf::Tensor) -> Result<Weight> {
        self.context.bind(tensor)
    }

    fn zeros(&mut self, capacity: usize, width: usize) -> Result<Tensor> {
        Tensor::zeros(&self.context, capacity, width)
    }

    fn set_rows(&mut self, x: &mut Tensor, n_rows: usize) {
        x.set_rows(n_rows);
    }

    fn write(&mut self, x: &mut Tensor, first_row: usize, values: &[f32]) {
        x.write(&mut self.context, first_row, values);
    }

    fn read(&mut self, x: &Tensor, first_row: usize, values: &mut [f32]) -> Result<()> {
        x.read(&mut self.context, first_row, values)
    }

    fn copy_rows(&mut self, out: &mut Tensor, x: &Tensor, rows: Range<usize>) {
        out.copy_rows(&mut self.context, x, &rows);
    }

    fn token_ids(&mut self, capacity: usize) -> Result<TokenIds> {
        TokenIds::new(&self.context, capacity)
    }

    fn write_tokens(&mut self, tokens: &mut TokenIds, ids: &[u32]) {
        tokens.write(&mut self.context, ids);
    }

    fn kv_rows(&mut self, layout: KvLayout, capacity: usize) -> Result<KvRows> {
        KvRows::new(&self.context, layout, capacity)
    }

    fn read_kv_rows(&mut self, kv: &KvRows, rows: Range<usize>, bytes: &mut [u8]) -> Result<()> {
        kv.read(&mut self.context, rows, bytes)
    }

    fn read_kv_parts(&mut self, parts: &mut [(&KvRows, Range<usize>, &mut [u8])]) -> Result<()> {
        memory::read_kv_parts(&mut self.context, parts)
    }

    fn write_kv_rows(&mut self, kv: &mut KvRows, first_row: usize, bytes: &[u8]) {
        kv.write(&mut self.context, first_row, bytes);
    }

    fn copy_kv_rows(
        &mut self,
        out: &mut KvRows,
        first_row: usize,
        kv: &KvRows,
        rows: Range<usize>,
    ) {
        out.copy(&mut self.context, first_row, kv, &rows);
    }

    fn selection(&mut self, capacity: usize, top_k: usize) -> Result<Selection> {
        Selection::new(&self.context, capacity, top_k)
    }

    fn routing(&mut self, capacity: usize, n_experts_per_token: usize) -> Result<Routing> {
        Routing::new(&self.context, capacity, n_experts_per_token)
    }

    fn finish(&mut self) -> Result<()> {
        self.context.finish()
    }

    fn embed(&mut self, out: &mut Tensor, tokens: &TokenIds, table: &Weight) {
        linear::embed(&mut self.context, out, tokens, table);
    }

    fn matmul(&mut self, out: &mut Tensor, x: &Tensor, weight: &Weight) {
        linear::grouped_matmul(&mut self.context, out, x, weight, 1);
    }

    fn matmuls(&mut self, outs: &mut [(&mut Tensor, &Weight)], x: &Tensor) {
        linear::matmuls(&mut self.context, outs, x);
    }

    fn grouped_matmul(&mut self, out: &mut Tensor, x: &Tensor, weight: &Weight, n_groups: usize) {
        linear::grouped_matmul(&mut self.context, out, x, weight, n_groups);
    }

    fn norm_matmuls(
        &mut self,
        outs: &mut [(&mut Tensor, &Weight)],
        normed: &mut Tensor,
        x: &Tensor,
        gain: &Weight,
        eps: f32,
    ) {
        linear::norm_matmuls(&mut self.context, outs, normed, x, gain, eps);
    }

    fn rms_norm(&mut self, out: &mut Tensor, x: &Tensor, gain: &Weight, eps: f32) {
        norm::rms_norm(&mut self.context, out, x, gain, eps);
    }

    fn rms_norm_heads(&mut self, x: &mut Tensor, head_dim: usize, eps: f32) {
        norm::rms_norm_heads(&mut self.context, x, head_dim, eps);
    }

    fn rope_tail(
        &mut self,
        x: &mut Tensor,
        head_dim: usize,
        rotation: &Rotation,
        direction: Direction,
        runs: &[Run],
    ) {
        norm::rope_tail(&mut self.context, x, head_dim, rotation, direction, runs);
    }

    fn hc_mix(
        &mut self,
        out: &mut Tensor,
        gates: &mut Tensor,
        streams: &Tensor,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        hyper_connection::hc_mix(&mut self.context, out, gates, streams, weights, params);
    }

    fn hc_expand(&mut self, streams: &mut Tensor, y: &Tensor, gates: &Tensor, params: &HcParams) {
        hyper_connection::hc_expand(&mut self.context, streams, y, gates, params);
    }

    fn hc_head(
        &mut self,
        out: &mut Tensor,
        streams: &Tensor,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        hyper_connection::hc_head(&mut self.context, out, streams, weights, params);
    }

    fn hc_enter(
        &mut self,
        normed: &mut Tensor,
        mixed: &mut Tensor,
        gates: &mut Tensor,
        streams: &Tensor,
        site: &HcSite<'_, Weight>,
        params: &HcParams,
    ) {
        let outs = hyper_connection::Entered { normed, mixed, gates };
        hyper_connection::hc_enter(&mut self.context, outs, streams, None, site, params);
    }

    fn hc_next(
        &mut self,
        streams: &mut Tensor,
        y: &Tensor,
        normed: &mut Tensor,
        mixed: &mut Tensor,
        gates: &mut Tensor,
        site: &HcSite<'_, Weight>,
        params: &HcParams,
    ) {
        let outs = hyper_connection::Entered { normed, mixed, gates };
        hyper_connection::hc_enter(&mut self.context, outs, streams, Some(y), site, params);
    }

    fn store_kv(&mut self, window: &mut KvRows, kv: &Tensor, run: Run) {
        kv::store_kv(&mut self.context, window, kv, run);
    }

    fn compress(
        &mut self,
        rows: &mut KvRows,
        state: &mut CompressorState<Tensor>,
        values: &Tensor,
        scores: &Tensor,
        ape: &Weight,
        gain: &Weight,
        rotation: &Rotation,
        params: &CompressParams,
        run: Run,
    ) {
        let compressor = kv::Compressor { ape, gain, rotation, params };
        kv::compress(&mut self.context, rows, state, values, scores, &compressor, run);
    }

    fn store_all(
        &mut self,
        inputs: &mut KvInputs<'_, Self>,
        places: &mut [KvPlace<'_, Self>],
        runs: &[Run],
    ) {
        store::store_all(&mut self.context, inputs, places, runs);
    }

    fn index_select(
        &mut self,
        out: &mut Selection,
        queries: &Tensor,
        head_weights: &Tensor,
        keys: &KvRows,
        params: &IndexParams,
        run: Run,
    ) {
        index::index_select(&mut self.context, out, queries, head_weights, keys, params, run);
    }

    fn attend(
        &mut self,
        out: &mut Tensor,
        queries: &Tensor,
        attended: &Attended<'_, Self>,
        params: &AttendParams,
        run: Run,
    ) {
        attention::attend(&mut self.context, out, queries, attended, params, run);
    }

    fn attend_raw(
        &mut self,
        out: &mut Tensor,
        queries: &mut Tensor,
        attended: &[Attended<'_, Self>],
        rotation: &Rotation,
        params: &RawAttendParams,
        runs: &[Run],
    ) {
        let of_runs = (runs, attended);
        attention::attend_raw(&mut self.context, out, queries, of_runs, rotation, params);
    }

    fn route(
        &mut self,
        out: &mut Routing,
        x: &Tensor,
        gate: &Weight,
        choice: &RouterChoice<'_, Self>,
        params: &RouterParams,
    ) {
        experts::route(&mut self.context, out, x, gate, choice, params);
    }

    fn routed_experts(
        &mut self,
        out: &mut Tensor,
        x: &Tensor,
        routing: &Routing,
        experts: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        experts::routed_experts(&mut self.context, out, x, routing, experts, limit);
    }

    fn shared_expert(
        &mut self,
        out: &mut Tensor,
        x: &Tensor,
        expert: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        experts::shared_expert(&mut self.context, out, x, expert, limit);
    }

    fn all_experts(
        &mut self,
        out: &mut Tensor,
        x: &Tensor,
        routing: &Routing,
        experts: &ExpertWeights<'_, Weight>,
        shared: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        experts::all_experts(&mut self.context, out, x, routing, (experts, shared), limit);
    }
}
