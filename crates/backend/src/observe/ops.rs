//! Every op, handed to the backend inside.

use std::ops::Range;

use gguf::Tensor;

use crate::error::Result;
use crate::kv_row::KvLayout;
use crate::ops::{
    Attended, Backend, Compressed, CompressorState, ExpertWeights, HcWeights, RouterChoice,
};
use crate::params::{AttendParams, CompressParams, HcParams, IndexParams, RouterParams, Run};
use crate::reference::Reference;
use crate::rotation::{Direction, Rotation};

use super::{Observed, ObservedRouting, ObservedTensor, ObservedTokens, ObservedWeight};

fn hc<'a, W>(weights: &HcWeights<'a, ObservedWeight<W>>) -> HcWeights<'a, W> {
    HcWeights {
        function: &weights.function.inner,
        base: &weights.base.inner,
        scale: &weights.scale.inner,
    }
}

fn expert<'a, W>(weights: &ExpertWeights<'a, ObservedWeight<W>>) -> ExpertWeights<'a, W> {
    ExpertWeights { gate: &weights.gate.inner, up: &weights.up.inner, down: &weights.down.inner }
}

impl<B: Backend> Backend for Observed<B> {
    type Tensor = ObservedTensor<B::Tensor>;
    type Weight = ObservedWeight<B::Weight>;
    type KvRows = B::KvRows;
    type TokenIds = ObservedTokens<B::TokenIds>;
    type Selection = B::Selection;
    type Routing = ObservedRouting<B::Routing>;

    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn bind(&mut self, tensor: &Tensor) -> Result<Self::Weight> {
        Ok(ObservedWeight { inner: self.inner.bind(tensor)?, tensor: tensor.clone() })
    }

    fn zeros(&mut self, capacity: usize, width: usize) -> Result<Self::Tensor> {
        let inner = Some(self.inner.zeros(capacity, width)?);
        Ok(ObservedTensor { inner, n_rows: capacity, width })
    }

    fn set_rows(&mut self, x: &mut Self::Tensor, n_rows: usize) {
        x.n_rows = n_rows;
        self.inner.set_rows(x.get_mut(), n_rows);
    }

    fn write(&mut self, x: &mut Self::Tensor, first_row: usize, values: &[f32]) {
        self.inner.write(x.get_mut(), first_row, values);
    }

    fn read(&mut self, x: &Self::Tensor, first_row: usize, values: &mut [f32]) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)?;
        self.inner.read(x.get(), first_row, values)
    }

    fn copy_rows(&mut self, out: &mut Self::Tensor, x: &Self::Tensor, rows: Range<usize>) {
        out.n_rows = rows.len();
        self.inner.copy_rows(out.get_mut(), x.get(), rows);
    }

    fn token_ids(&mut self, capacity: usize) -> Result<Self::TokenIds> {
        Ok(ObservedTokens { inner: self.inner.token_ids(capacity)?, ids: Vec::new() })
    }

    fn write_tokens(&mut self, tokens: &mut Self::TokenIds, ids: &[u32]) {
        tokens.ids = ids.to_vec();
        self.inner.write_tokens(&mut tokens.inner, ids);
    }

    fn kv_rows(&mut self, layout: KvLayout, capacity: usize) -> Result<Self::KvRows> {
        self.inner.kv_rows(layout, capacity)
    }

    fn read_kv_rows(
        &mut self,
        kv: &Self::KvRows,
        rows: Range<usize>,
        bytes: &mut [u8],
    ) -> Result<()> {
        self.inner.read_kv_rows(kv, rows, bytes)
    }

    fn read_kv_parts(
        &mut self,
        parts: &mut [(&Self::KvRows, Range<usize>, &mut [u8])],
    ) -> Result<()> {
        self.inner.read_kv_parts(parts)
    }

    fn write_kv_rows(&mut self, kv: &mut Self::KvRows, first_row: usize, bytes: &[u8]) {
        self.inner.write_kv_rows(kv, first_row, bytes);
    }

    fn copy_kv_rows(
        &mut self,
        out: &mut Self::KvRows,
        first_row: usize,
        kv: &Self::KvRows,
        rows: Range<usize>,
    ) {
        self.inner.copy_kv_rows(out, first_row, kv, rows);
    }

    fn selection(&mut self, capacity: usize, top_k: usize) -> Result<Self::Selection> {
        self.inner.selection(capacity, top_k)
    }

    fn routing(&mut self, capacity: usize, n_experts_per_token: usize) -> Result<Self::Routing> {
        Ok(ObservedRouting {
            inner: self.inner.routing(capacity, n_experts_per_token)?,
            plain: Reference.routing(capacity, n_experts_per_token)?,
        })
    }

    fn finish(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)?;
        self.inner.finish()
    }

    fn embed(&mut self, out: &mut Self::Tensor, tokens: &Self::TokenIds, table: &Self::Weight) {
        self.inner.embed(out.get_mut(), &tokens.inner, &table.inner);
    }

    fn matmul(&mut self, out: &mut Self::Tensor, x: &Self::Tensor, weight: &Self::Weight) {
        self.observe(x, &[&weight.tensor]);
        self.inner.matmul(out.get_mut(), x.get(), &weight.inner);
    }

    fn matmuls(&mut self, outs: &mut [(&mut Self::Tensor, &Self::Weight)], x: &Self::Tensor) {
        let tensors: Vec<&Tensor> = outs.iter().map(|(_, weight)| &weight.tensor).collect();
        self.observe(x, &tensors);
        let mut outs: Vec<_> =
            outs.iter_mut().map(|(out, weight)| (out.get_mut(), &weight.inner)).collect();
        self.inner.matmuls(&mut outs, x.get());
    }

    fn grouped_matmul(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        weight: &Self::Weight,
        n_groups: usize,
    ) {
        // A row of `x` is one input for each group.
        self.observe(x, &[&weight.tensor]);
        self.inner.grouped_matmul(out.get_mut(), x.get(), &weight.inner, n_groups);
    }

    fn rms_norm(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        gain: &Self::Weight,
        eps: f32,
    ) {
        self.inner.rms_norm(out.get_mut(), x.get(), &gain.inner, eps);
    }

    fn rms_norm_heads(&mut self, x: &mut Self::Tensor, head_dim: usize, eps: f32) {
        self.inner.rms_norm_heads(x.get_mut(), head_dim, eps);
    }

    fn rope_tail(
        &mut self,
        x: &mut Self::Tensor,
        head_dim: usize,
        rotation: &Rotation,
        direction: Direction,
        runs: &[Run],
    ) {
        self.inner.rope_tail(x.get_mut(), head_dim, rotation, direction, runs);
    }

    fn hc_mix(
        &mut self,
        out: &mut Self::Tensor,
        gates: &mut Self::Tensor,
        streams: &Self::Tensor,
        weights: &HcWeights<'_, Self::Weight>,
        params: &HcParams,
    ) {
        self.inner.hc_mix(out.get_mut(), gates.get_mut(), streams.get(), &hc(weights), params);
    }

    fn hc_expand(
        &mut self,
        streams: &mut Self::Tensor,
        y: &Self::Tensor,
        gates: &Self::Tensor,
        params: &HcParams,
    ) {
        self.inner.hc_expand(streams.get_mut(), y.get(), gates.get(), params);
    }

    fn hc_head(
        &mut self,
        out: &mut Self::Tensor,
        streams: &Self::Tensor,
        weights: &HcWeights<'_, Self::Weight>,
        params: &HcParams,
    ) {
        self.inner.hc_head(out.get_mut(), streams.get(), &hc(weights), params);
    }

    fn store_kv(&mut self, window: &mut Self::KvRows, kv: &Self::Tensor, run: Run) {
        self.inner.store_kv(window, kv.get(), run);
    }

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
    ) {
        let away = "a state's tensors are only away during this op";
        let mut inner = CompressorState {
            values: state.values.inner.take().expect(away),
            scores: state.scores.inner.take().expect(away),
        };
        self.inner.compress(
            rows,
            &mut inner,
            values.get(),
            scores.get(),
            &ape.inner,
            &gain.inner,
            rotation,
            params,
            run,
        );
        state.values.inner = Some(inner.values);
        state.scores.inner = Some(inner.scores);
    }

    fn index_select(
        &mut self,
        out: &mut Self::Selection,
        queries: &Self::Tensor,
        head_weights: &Self::Tensor,
        keys: &Self::KvRows,
        params: &IndexParams,
        run: Run,
    ) {
        self.inner.index_select(out, queries.get(), head_weights.get(), keys, params, run);
    }

    fn attend(
        &mut self,
        out: &mut Self::Tensor,
        queries: &Self::Tensor,
        attended: &Attended<'_, Self>,
        params: &AttendParams,
        run: Run,
    ) {
        let attended = Attended {
            window: attended.window,
            compressed: attended.compressed.as_ref().map(|compressed| Compressed {
                rows: compressed.rows,
                ratio: compressed.ratio,
                selection: compressed.selection,
            }),
            sinks: &attended.sinks.inner,
        };
        self.inner.attend(out.get_mut(), queries.get(), &attended, params, run);
    }

    fn route(
        &mut self,
        out: &mut Self::Routing,
        x: &Self::Tensor,
        gate: &Self::Weight,
        choice: &RouterChoice<'_, Self>,
        params: &RouterParams,
    ) {
        self.observe_route(&mut out.plain, x, &gate.tensor, choice, params);
        let choice = match choice {
            RouterChoice::Learned { bias } => {
                RouterChoice::Learned { bias: bias.map(|bias| &bias.inner) }
            }
            RouterChoice::Hashed { table, tokens } => {
                RouterChoice::Hashed { table: &table.inner, tokens: &tokens.inner }
            }
        };
        self.inner.route(&mut out.inner, x.get(), &gate.inner, &choice, params);
    }

    fn routed_experts(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        routing: &Self::Routing,
        experts: &ExpertWeights<'_, Self::Weight>,
        limit: f32,
    ) {
        self.observe_experts(x, &routing.plain, experts, limit);
        self.inner.routed_experts(out.get_mut(), x.get(), &routing.inner, &expert(experts), limit);
    }

    fn shared_expert(
        &mut self,
        out: &mut Self::Tensor,
        x: &Self::Tensor,
        weights: &ExpertWeights<'_, Self::Weight>,
        limit: f32,
    ) {
        if let Some(values) = self.rows(x) {
            let observed = self.observe_expert(weights, 0, &values, &vec![1.0; x.n_rows], limit);
            self.note(observed);
        }
        self.inner.shared_expert(out.get_mut(), x.get(), &expert(weights), limit);
    }
}
