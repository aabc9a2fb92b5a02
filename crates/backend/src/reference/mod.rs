//! The readable definition of every op, and a [`Backend`] made of them.
//!
//! One file per group of ops; each function is the formula of the specification, in loops. Sums
//! run in f64 so that the result is the formula's and not an order of additions. Weights stay as
//! the file stores them and are decoded row by row, so even a file larger than memory works,
//! slowly.
//!
//! Refuses: speed. It allocates where that reads better and is never optimised.

mod attention;
mod experts;
mod hyper_connection;
mod kv;
mod linear;
mod memory;
mod norm;

#[cfg(test)]
pub(crate) use kv::index_scores;
pub use memory::{KvRows, Matrix, Routing, Selection, Weight};

use std::ops::Range;

use crate::error::Result;
use crate::kv_row::KvLayout;
use crate::ops::{Attended, Backend, CompressorState, ExpertWeights, HcWeights, RouterChoice};
use crate::params::{AttendParams, CompressParams, HcParams, IndexParams, RouterParams, Run};
use crate::rotation::{Direction, Rotation};

/// The reference backend. It has no state: every op runs at once, on one thread.
#[derive(Debug, Default)]
pub struct Reference;

impl Backend for Reference {
    type Tensor = Matrix;
    type Weight = Weight;
    type KvRows = KvRows;
    type TokenIds = Vec<u32>;
    type Selection = Selection;
    type Routing = Routing;

    fn name(&self) -> &'static str {
        "reference"
    }

    fn bind(&mut self, tensor: &gguf::Tensor) -> Result<Weight> {
        Weight::new(tensor)
    }

    fn zeros(&mut self, capacity: usize, width: usize) -> Result<Matrix> {
        Ok(Matrix::zeros(capacity, width))
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
        out.set_rows(rows.len());
        for (to, from) in rows.enumerate() {
            out.row_mut(to).copy_from_slice(x.row(from));
        }
    }

    fn token_ids(&mut self, capacity: usize) -> Result<Vec<u32>> {
        Ok(Vec::with_capacity(capacity))
    }

    fn write_tokens(&mut self, tokens: &mut Vec<u32>, ids: &[u32]) {
        tokens.clear();
        tokens.extend_from_slice(ids);
    }

    fn kv_rows(&mut self, layout: KvLayout, capacity: usize) -> Result<KvRows> {
        Ok(KvRows::new(layout, capacity))
    }

    fn read_kv_rows(&mut self, kv: &KvRows, rows: Range<usize>, bytes: &mut [u8]) -> Result<()> {
        kv.read(rows, bytes);
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
        let mut bytes = vec![0; rows.len() * kv.layout().row_bytes()];
        kv.read(rows, &mut bytes);
        out.write(first_row, &bytes);
    }

    fn selection(&mut self, capacity: usize, _top_k: usize) -> Result<Selection> {
        Ok(Selection { rows: vec![Vec::new(); capacity] })
    }

    fn routing(&mut self, capacity: usize, _n_experts_per_token: usize) -> Result<Routing> {
        Ok(Routing { experts: vec![Vec::new(); capacity] })
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }

    fn embed(&mut self, out: &mut Matrix, tokens: &Vec<u32>, table: &Weight) {
        linear::embed(out, tokens, table);
    }

    fn matmul(&mut self, out: &mut Matrix, x: &Matrix, weight: &Weight) {
        linear::grouped_matmul(out, x, weight, 1);
    }

    fn grouped_matmul(&mut self, out: &mut Matrix, x: &Matrix, weight: &Weight, n_groups: usize) {
        linear::grouped_matmul(out, x, weight, n_groups);
    }

    fn rms_norm(&mut self, out: &mut Matrix, x: &Matrix, gain: &Weight, eps: f32) {
        norm::rms_norm(out, x, gain, eps);
    }

    fn rms_norm_heads(&mut self, x: &mut Matrix, head_dim: usize, eps: f32) {
        norm::rms_norm_heads(x, head_dim, eps);
    }

    fn rope_tail(
        &mut self,
        x: &mut Matrix,
        head_dim: usize,
        rotation: &Rotation,
        direction: Direction,
        runs: &[Run],
    ) {
        for (row, position) in runs.iter().flat_map(|run| run.positions()) {
            for head in x.row_mut(row).chunks_exact_mut(head_dim) {
                rotation.rotate(head, position, direction);
            }
        }
    }

    fn hc_mix(
        &mut self,
        out: &mut Matrix,
        gates: &mut Matrix,
        streams: &Matrix,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        hyper_connection::hc_mix(out, gates, streams, weights, params);
    }

    fn hc_expand(&mut self, streams: &mut Matrix, y: &Matrix, gates: &Matrix, params: &HcParams) {
        hyper_connection::hc_expand(streams, y, gates, params);
    }

    fn hc_head(
        &mut self,
        out: &mut Matrix,
        streams: &Matrix,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        hyper_connection::hc_head(out, streams, weights, params);
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
        let ape = ape.decode();
        for (row, position) in run.positions() {
            kv::remember(state, values.row(row), scores.row(row), &ape, params, position);
            let window = position / params.ratio;
            if (position + 1) % params.ratio == 0 && window >= params.n_stored_rows {
                let mut pooled = kv::pool(state, params, window);
                norm::rms_norm_row(&mut pooled, Some(&gain.decode()), params.norm_eps);
                rotation.rotate(&mut pooled, window * params.ratio, Direction::Forward);
                rows.store(window, &pooled);
            }
        }
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
        for (row, position) in run.positions() {
            out.rows[row] =
                kv::index_select(queries.row(row), head_weights.row(row), keys, params, position);
        }
    }

    fn attend(
        &mut self,
        out: &mut Matrix,
        queries: &Matrix,
        attended: &Attended<'_, Self>,
        params: &AttendParams,
        run: Run,
    ) {
        attention::attend(out, queries, attended, params, run);
    }

    fn route(
        &mut self,
        out: &mut Routing,
        x: &Matrix,
        gate: &Weight,
        choice: &RouterChoice<'_, Self>,
        params: &RouterParams,
    ) {
        experts::route(out, x, gate, choice, params);
    }

    fn routed_experts(
        &mut self,
        out: &mut Matrix,
        x: &Matrix,
        routing: &Routing,
        experts: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        experts::routed_experts(out, x, routing, experts, limit);
    }

    fn shared_expert(
        &mut self,
        out: &mut Matrix,
        x: &Matrix,
        expert: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        experts::shared_expert(out, x, expert, limit);
    }
}
