//! The suite has to fail where a backend is wrong, and to pass where it is only different.
//!
//! [`Altered`] is the reference with one change. Each wrong change must be reported for its op;
//! arithmetic as fast backends do it, f32 sums and int8 activations, must pass.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{UnwindSafe, catch_unwind};

use backend::conformance::{self, Group};
use backend::reference::{self, Matrix, Reference, Routing, Selection};
use backend::{
    AttendParams, Attended, Backend, CompressParams, Compressed, CompressorState, Direction,
    ExpertWeights, HcParams, HcWeights, IndexParams, KvLayout, Result, Rotation, RouterChoice,
    RouterParams, Run,
};
use gguf::{Tensor, TensorType};

/// What is different from the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Products in f32, in front of block formats with int8 activations of groups like the blocks.
    FastProducts,
    /// Int8 activations with one scale for a whole row.
    CoarseProducts,
    LastColumnMissing,
    FirstGroupOnly,
    EpsilonOutside,
    RotationOfTheNextPosition,
    FirstRowOfRunIgnored,
    CombTransposed,
    HeadWithoutEpsilon,
    RingOffByOne,
    CarryOverLost,
    OneRowLess,
    WindowOneShort,
    SelectionIgnored,
    ScaleForgotten,
    ClampForgotten,
    SharedReplacesSum,
    GuardRowWritten,
    NoiseInEveryCall,
    NoiseInSmallBatches,
    KvBytesMoved,
    KvCopyAtZero,
    StoredRowsForgotten,
}

use Change as C;

struct Altered {
    changes: &'static [Change],
    n_calls: u32,
}

/// The reference's weight and the tensor it was made of.
struct Weight {
    plain: reference::Weight,
    tensor: Tensor,
}

impl Altered {
    fn is(&self, change: Change) -> bool {
        self.changes.contains(&change)
    }

    /// `x` as int8 with one scale for each `group` values.
    fn rounded(x: &[f32], group: usize) -> Vec<f32> {
        let round = |group: &[f32]| -> Vec<f32> {
            let scale = group.iter().fold(0.0f32, |m, v| v.abs().max(m)) / 127.0;
            let int8 = |v: &f32| if scale == 0.0 { 0.0 } else { (v / scale).round() * scale };
            group.iter().map(int8).collect()
        };
        x.chunks(group).flat_map(round).collect()
    }

    /// Group of activations with one scale in front of `kind`; `None` keeps them as they are.
    fn activation_group(&self, kind: TensorType, columns: usize) -> Option<usize> {
        match kind.block_len() {
            1 => None,
            _ if self.is(C::CoarseProducts) => Some(columns),
            len => Some(len),
        }
    }

    fn is_fast(&self) -> bool {
        self.is(C::FastProducts) || self.is(C::CoarseProducts)
    }

    /// Rows `rows` of a weight times `x`, in f32.
    fn product(&self, x: &[f32], weight: &Weight, rows: Range<usize>) -> Vec<f32> {
        let kind = weight.tensor.kind;
        let x = self.activation_group(kind, x.len()).map_or(x.to_vec(), |g| Self::rounded(x, g));
        let mut row = vec![0.0; x.len()];
        let dot = |i| {
            kind.decode_row(weight.tensor.row(i), &mut row);
            row.iter().zip(&x).map(|(a, b)| a * b).sum()
        };
        rows.map(dot).collect()
    }

    /// One expert of a stack in f32, weighted as the routing says.
    fn expert(
        &self,
        x: &[f32],
        experts: &ExpertWeights<'_, Weight>,
        expert: usize,
        weight: f32,
        limit: f32,
    ) -> Vec<f32> {
        let rows = |w: &Weight| {
            let n = w.tensor.dims[1] as usize;
            expert * n..(expert + 1) * n
        };
        let gate = self.product(x, experts.gate, rows(experts.gate));
        let up = self.product(x, experts.up, rows(experts.up));
        let inner: Vec<f32> = gate
            .iter()
            .zip(&up)
            .map(|(g, u)| {
                let g = g.min(limit);
                g / (1.0 + (-g).exp()) * u.clamp(-limit, limit) * weight
            })
            .collect();
        self.product(&inner, experts.down, rows(experts.down))
    }

    /// Adds a little to the first value, as a race or an order of additions would.
    fn disturb(x: &mut Matrix) {
        let mut row = x.row(0).to_vec();
        row[0] *= 1.0 + 3e-7;
        Reference.write(x, 0, &row);
    }

    fn after_product(&mut self, out: &mut Matrix) {
        self.n_calls += 1;
        if self.is(C::GuardRowWritten) {
            let n_rows = out.n_rows();
            let row = vec![0.0; out.width()];
            Reference.write(out, n_rows, &row);
        }
        if self.is(C::NoiseInEveryCall) && self.n_calls.is_multiple_of(2)
            || self.is(C::NoiseInSmallBatches) && out.n_rows() == 1
        {
            Self::disturb(out);
        }
    }
}

fn plain<'a>(experts: &ExpertWeights<'a, Weight>) -> ExpertWeights<'a, reference::Weight> {
    ExpertWeights { gate: &experts.gate.plain, up: &experts.up.plain, down: &experts.down.plain }
}

fn plain_hc<'a>(weights: &HcWeights<'a, Weight>) -> HcWeights<'a, reference::Weight> {
    HcWeights {
        function: &weights.function.plain,
        base: &weights.base.plain,
        scale: &weights.scale.plain,
    }
}

impl Backend for Altered {
    type Tensor = Matrix;
    type Weight = Weight;
    type KvRows = reference::KvRows;
    type TokenIds = Vec<u32>;
    type Selection = Selection;
    type Routing = Routing;

    fn name(&self) -> &'static str {
        "altered"
    }

    fn bind(&mut self, tensor: &Tensor) -> Result<Weight> {
        Ok(Weight { plain: Reference.bind(tensor)?, tensor: tensor.clone() })
    }

    fn zeros(&mut self, capacity: usize, width: usize) -> Result<Matrix> {
        Reference.zeros(capacity, width)
    }

    fn set_rows(&mut self, x: &mut Matrix, n_rows: usize) {
        Reference.set_rows(x, n_rows);
    }

    fn write(&mut self, x: &mut Matrix, first_row: usize, values: &[f32]) {
        Reference.write(x, first_row, values);
    }

    fn read(&mut self, x: &Matrix, first_row: usize, values: &mut [f32]) -> Result<()> {
        Reference.read(x, first_row, values)
    }

    fn copy_rows(&mut self, out: &mut Matrix, x: &Matrix, rows: Range<usize>) {
        Reference.copy_rows(out, x, rows);
    }

    fn token_ids(&mut self, capacity: usize) -> Result<Vec<u32>> {
        Reference.token_ids(capacity)
    }

    fn write_tokens(&mut self, tokens: &mut Vec<u32>, ids: &[u32]) {
        Reference.write_tokens(tokens, ids);
    }

    fn kv_rows(&mut self, layout: KvLayout, capacity: usize) -> Result<reference::KvRows> {
        Reference.kv_rows(layout, capacity)
    }

    fn read_kv_rows(
        &mut self,
        kv: &reference::KvRows,
        rows: Range<usize>,
        bytes: &mut [u8],
    ) -> Result<()> {
        Reference.read_kv_rows(kv, rows, bytes)?;
        if self.is(C::KvBytesMoved) {
            bytes.swap(0, 1);
        }
        Ok(())
    }

    fn write_kv_rows(&mut self, kv: &mut reference::KvRows, first_row: usize, bytes: &[u8]) {
        Reference.write_kv_rows(kv, first_row, bytes);
    }

    fn copy_kv_rows(
        &mut self,
        out: &mut reference::KvRows,
        first_row: usize,
        kv: &reference::KvRows,
        rows: Range<usize>,
    ) {
        let first_row = if self.is(C::KvCopyAtZero) { 0 } else { first_row };
        Reference.copy_kv_rows(out, first_row, kv, rows);
    }

    fn selection(&mut self, capacity: usize, top_k: usize) -> Result<Selection> {
        Reference.selection(capacity, top_k)
    }

    fn routing(&mut self, capacity: usize, n_experts_per_token: usize) -> Result<Routing> {
        Reference.routing(capacity, n_experts_per_token)
    }

    fn finish(&mut self) -> Result<()> {
        Reference.finish()
    }

    fn embed(&mut self, out: &mut Matrix, tokens: &Vec<u32>, table: &Weight) {
        Reference.embed(out, tokens, &table.plain);
    }

    fn matmul(&mut self, out: &mut Matrix, x: &Matrix, weight: &Weight) {
        self.grouped_matmul(out, x, weight, 1);
    }

    fn grouped_matmul(&mut self, out: &mut Matrix, x: &Matrix, weight: &Weight, n_groups: usize) {
        let mut x = x.clone();
        for t in 0..x.n_rows() {
            let mut row = x.row(t).to_vec();
            let columns = row.len() / n_groups;
            if self.is(C::LastColumnMissing) {
                row[columns - 1] = 0.0;
            }
            if self.is(C::FirstGroupOnly) {
                row = row[..columns].repeat(n_groups);
            }
            Reference.write(&mut x, t, &row);
        }
        if self.is_fast() {
            let n_rows = weight.tensor.rows() / n_groups;
            for t in 0..x.n_rows() {
                let groups = x.row(t).chunks_exact(x.width() / n_groups).enumerate();
                let row: Vec<f32> = groups
                    .flat_map(|(g, x)| self.product(x, weight, g * n_rows..(g + 1) * n_rows))
                    .collect();
                Reference.write(out, t, &row);
            }
        } else {
            Reference.grouped_matmul(out, &x, &weight.plain, n_groups);
        }
        self.after_product(out);
    }

    fn rms_norm(&mut self, out: &mut Matrix, x: &Matrix, gain: &Weight, eps: f32) {
        let eps = if self.is(C::EpsilonOutside) { 0.0 } else { eps };
        Reference.rms_norm(out, x, &gain.plain, eps);
    }

    fn rms_norm_heads(&mut self, x: &mut Matrix, head_dim: usize, eps: f32) {
        Reference.rms_norm_heads(x, head_dim, eps);
    }

    fn rope_tail(
        &mut self,
        x: &mut Matrix,
        head_dim: usize,
        rotation: &Rotation,
        direction: Direction,
        runs: &[Run],
    ) {
        let mut runs = runs.to_vec();
        for run in &mut runs {
            run.first_position += usize::from(self.is(C::RotationOfTheNextPosition));
        }
        Reference.rope_tail(x, head_dim, rotation, direction, &runs);
    }

    fn hc_mix(
        &mut self,
        out: &mut Matrix,
        gates: &mut Matrix,
        streams: &Matrix,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        Reference.hc_mix(out, gates, streams, &plain_hc(weights), params);
    }

    fn hc_expand(&mut self, streams: &mut Matrix, y: &Matrix, gates: &Matrix, params: &HcParams) {
        let mut gates = gates.clone();
        if self.is(C::CombTransposed) {
            let n = params.n_streams;
            for t in 0..gates.n_rows() {
                let old = gates.row(t).to_vec();
                let comb = (0..n * n).map(|i| old[n + i % n * n + i / n]);
                let row: Vec<f32> = old[..n].iter().copied().chain(comb).collect();
                Reference.write(&mut gates, t, &row);
            }
        }
        Reference.hc_expand(streams, y, &gates, params);
    }

    fn hc_head(
        &mut self,
        out: &mut Matrix,
        streams: &Matrix,
        weights: &HcWeights<'_, Weight>,
        params: &HcParams,
    ) {
        let mut params = *params;
        if self.is(C::HeadWithoutEpsilon) {
            (params.eps, params.norm_eps) = (0.0, 1e-5);
        }
        Reference.hc_head(out, streams, &plain_hc(weights), &params);
    }

    fn store_kv(&mut self, window: &mut reference::KvRows, kv: &Matrix, mut run: Run) {
        if self.is(C::RingOffByOne) {
            run.first_position += 1;
        }
        if self.is(C::FirstRowOfRunIgnored) {
            run.first_row = 0;
        }
        Reference.store_kv(window, kv, run);
    }

    fn compress(
        &mut self,
        rows: &mut reference::KvRows,
        state: &mut CompressorState<Matrix>,
        values: &Matrix,
        scores: &Matrix,
        ape: &Weight,
        gain: &Weight,
        rotation: &Rotation,
        params: &CompressParams,
        run: Run,
    ) {
        if self.is(C::CarryOverLost) && run.first_position > 0 {
            let width = state.values.width();
            let zeros = vec![0.0; state.values.n_rows() * width];
            Reference.write(&mut state.values, 0, &zeros);
        }
        let mut params = *params;
        if self.is(C::StoredRowsForgotten) {
            params.n_stored_rows = 0;
        }
        Reference.compress(
            rows,
            state,
            values,
            scores,
            &ape.plain,
            &gain.plain,
            rotation,
            &params,
            run,
        );
    }

    fn index_select(
        &mut self,
        out: &mut Selection,
        queries: &Matrix,
        head_weights: &Matrix,
        keys: &reference::KvRows,
        params: &IndexParams,
        run: Run,
    ) {
        let mut params = *params;
        params.top_k -= usize::from(self.is(C::OneRowLess));
        Reference.index_select(out, queries, head_weights, keys, &params, run);
    }

    fn attend(
        &mut self,
        out: &mut Matrix,
        queries: &Matrix,
        attended: &Attended<'_, Self>,
        params: &AttendParams,
        run: Run,
    ) {
        let mut params = *params;
        if self.is(C::WindowOneShort) && params.window > 1 {
            params.window -= 1;
        }
        let ignored = self.is(C::SelectionIgnored);
        let compressed = attended.compressed.as_ref().map(|c| Compressed {
            rows: c.rows,
            ratio: c.ratio,
            selection: c.selection.filter(|_| !ignored),
        });
        let attended =
            Attended { window: attended.window, compressed, sinks: &attended.sinks.plain };
        Reference.attend(out, queries, &attended, &params, run);
    }

    fn route(
        &mut self,
        out: &mut Routing,
        x: &Matrix,
        gate: &Weight,
        choice: &RouterChoice<'_, Self>,
        params: &RouterParams,
    ) {
        let mut params = *params;
        if self.is(C::ScaleForgotten) {
            params.scale = 1.0;
        }
        let choice = match choice {
            RouterChoice::Learned { bias } => {
                RouterChoice::Learned { bias: bias.map(|bias| &bias.plain) }
            }
            RouterChoice::Hashed { table, tokens } => {
                RouterChoice::Hashed { table: &table.plain, tokens: *tokens }
            }
        };
        Reference.route(out, x, &gate.plain, &choice, &params);
    }

    fn routed_experts(
        &mut self,
        out: &mut Matrix,
        x: &Matrix,
        routing: &Routing,
        experts: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        let limit = if self.is(C::ClampForgotten) { f32::MAX } else { limit };
        if !self.is_fast() {
            return Reference.routed_experts(out, x, routing, &plain(experts), limit);
        }
        for t in 0..x.n_rows() {
            let mut sum = vec![0.0; out.width()];
            for (expert, weight) in routing.experts(t) {
                let part = self.expert(x.row(t), experts, *expert, *weight, limit);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            Reference.write(out, t, &sum);
        }
    }

    fn shared_expert(
        &mut self,
        out: &mut Matrix,
        x: &Matrix,
        expert: &ExpertWeights<'_, Weight>,
        limit: f32,
    ) {
        if self.is(C::SharedReplacesSum) {
            let zeros = vec![0.0; out.n_rows() * out.width()];
            Reference.write(out, 0, &zeros);
        }
        if !self.is_fast() {
            return Reference.shared_expert(out, x, &plain(expert), limit);
        }
        for t in 0..x.n_rows() {
            let part = self.expert(x.row(t), expert, 0, 1.0, limit);
            let sum: Vec<f32> = out.row(t).iter().zip(part).map(|(sum, part)| sum + part).collect();
            Reference.write(out, t, &sum);
        }
    }
}

/// Runs a group of the suite; `reported` are the ops that must fail, and no other may.
fn check(changes: &'static [Change], group: Group, reported: &[&str]) {
    check_report(reported, changes, || {
        conformance::run_groups(&[group], || Altered { changes, n_calls: 0 });
    });
}

fn check_report(reported: &[&str], changes: &[Change], run: impl FnOnce() + UnwindSafe) {
    let report = match catch_unwind(run) {
        Ok(()) => String::new(),
        Err(panic) => panic.downcast_ref::<String>().expect("reports are text").clone(),
    };
    let failures = report.split("\n\n").skip(1);
    let ops: BTreeSet<&str> = failures.filter_map(|f| f.split_once(": ")).map(|f| f.0).collect();
    let expected: BTreeSet<&str> = reported.iter().copied().collect();
    assert_eq!(ops, expected, "for {changes:?}:\n{report}");
}

#[test]
fn delegation_changes_nothing() {
    check(&[], Group::Norm, &[]);
    check(&[], Group::HyperConnection, &[]);
}

#[test]
fn fast_products_pass() {
    check(&[C::FastProducts], Group::Linear, &[]);
}

#[test]
fn fast_experts_pass() {
    check(&[C::FastProducts], Group::Experts, &[]);
}

#[test]
fn coarse_activations_fail() {
    check(&[C::CoarseProducts], Group::Linear, &["matmul"]);
}

#[test]
fn wrong_products_fail() {
    let ops = ["matmul", "matmuls", "norm_matmuls", "grouped_matmul"];
    check(&[C::LastColumnMissing], Group::Linear, &ops);
    check(&[C::FirstGroupOnly], Group::Linear, &["grouped_matmul"]);
    check(&[C::GuardRowWritten], Group::Linear, &ops);
    check(&[C::NoiseInEveryCall], Group::Linear, &ops);
}

#[test]
fn wrong_norms_and_rotations_fail() {
    let changes = &[C::EpsilonOutside, C::RotationOfTheNextPosition];
    check(changes, Group::Norm, &["rms_norm", "rope_tail"]);
}

#[test]
fn wrong_hyper_connections_fail() {
    let changes = &[C::CombTransposed, C::HeadWithoutEpsilon];
    check(changes, Group::HyperConnection, &["hc_expand", "hc_head", "hc_next"]);
}

#[test]
fn wrong_kv_fails() {
    check(&[C::KvBytesMoved], Group::Memory, &["kv exchange"]);
    check(&[C::KvCopyAtZero], Group::Memory, &["kv exchange"]);
    check(&[C::StoredRowsForgotten], Group::Kv, &["compress"]);
    let changes = &[C::RingOffByOne, C::CarryOverLost, C::OneRowLess];
    check(changes, Group::Kv, &["store_kv", "compress", "store_all", "index_select"]);
    check(&[C::FirstRowOfRunIgnored], Group::Kv, &["store_kv"]);
}

/// What a program asks of a device before it trusts it tells right from wrong.
#[test]
fn a_spot_check_sees_what_is_wrong() {
    assert_eq!(conformance::spot_check(&mut Reference), Ok(()));
    let faults: [&[Change]; 3] =
        [&[C::WindowOneShort], &[C::SelectionIgnored], &[C::SharedReplacesSum]];
    for changes in faults {
        assert!(conformance::spot_check(&mut Altered { changes, n_calls: 0 }).is_err());
    }
}

#[test]
fn wrong_attention_fails() {
    check(&[C::WindowOneShort], Group::Attention, &["attend", "attend_raw"]);
    check(&[C::SelectionIgnored], Group::Attention, &["attend", "attend_raw"]);
}

#[test]
fn wrong_experts_fail() {
    check(&[C::ScaleForgotten], Group::Experts, &["route", "routed_experts", "all_experts"]);
    let changes = &[C::ClampForgotten, C::SharedReplacesSum];
    check(changes, Group::Experts, &["routed_experts", "shared_expert", "all_experts"]);
}

/// What depends on the batch only in its last bits is within the limits, and not invariant.
#[test]
fn noise_in_small_batches_is_no_invariance() {
    let changes = &[C::NoiseInSmallBatches];
    check(changes, Group::Linear, &[]);
    let ops = ["matmul", "matmuls", "norm_matmuls", "grouped_matmul"];
    check_report(&ops, changes, || {
        conformance::batch_invariance(|| Altered { changes, n_calls: 0 });
    });
}
