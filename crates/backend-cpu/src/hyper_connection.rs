//! Hyper-connections (c.2): four residual streams, mixed by gates that each token computes.

use backend::{HcParams, HcWeights};

use crate::linear;
use crate::memory::Matrix;
use crate::norm::{rms_scale, tokens_per_chunk};
use crate::parts::{Parts, Worker};
use crate::vector;
use crate::weight::Weight;

/// Most streams.
const MAX_STREAMS: usize = 8;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `streams @ function^T`: `[n, rows]`. The norm in front of it is one factor per token and comes
/// later.
fn project<'p>(
    cpu: &mut Parts<'_>,
    projections: &'p mut Vec<f32>,
    streams: &Matrix,
    function: &Weight,
) -> &'p [f32] {
    let n = streams.n_rows() * function.n_rows();
    projections.resize(projections.len().max(n), 0.0);
    linear::project(cpu, &mut projections[..n], streams, function);
    &projections[..n]
}

/// Pre gates: `sigmoid(z * scale + base) + eps` per stream.
fn pre_gates(
    z: &[f32],
    norm: f32,
    scale: f32,
    base: &[f32],
    params: &HcParams,
) -> [f32; MAX_STREAMS] {
    let mut pre = [0.0; MAX_STREAMS];
    for (j, pre) in pre[..params.n_streams].iter_mut().enumerate() {
        let z = f64::from(z[j]) * f64::from(norm);
        let gate = sigmoid(z * f64::from(scale) + f64::from(base[j]));
        *pre = (gate + f64::from(params.eps)) as f32;
    }
    pre
}

/// Makes `m` (from, to) nearly doubly stochastic: softmax over each row, then Sinkhorn.
fn sinkhorn(m: &mut [f64], params: &HcParams) {
    let (n, eps) = (params.n_streams, f64::from(params.eps));
    for row in m.chunks_exact_mut(n) {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for value in &mut *row {
            *value = (*value - max).exp();
        }
        let factor = 1.0 / row.iter().sum::<f64>();
        for value in row {
            *value = *value * factor + eps;
        }
    }
    for iteration in 0..params.n_iterations {
        if iteration > 0 {
            for row in m.chunks_exact_mut(n) {
                let factor = 1.0 / (row.iter().sum::<f64>() + eps);
                for value in row {
                    *value *= factor;
                }
            }
        }
        for to in 0..n {
            let sum = (0..n).map(|from| m[from * n + to]).sum::<f64>();
            let factor = 1.0 / (sum + eps);
            (0..n).for_each(|from| m[from * n + to] *= factor);
        }
    }
}

pub(crate) fn hc_mix(
    cpu: &mut Parts<'_>,
    projections: &mut Vec<f32>,
    out: &mut Matrix,
    gates: &mut Matrix,
    streams: &Matrix,
    weights: &HcWeights<'_, Weight>,
    params: &HcParams,
) {
    let n_streams = params.n_streams;
    assert!(n_streams <= MAX_STREAMS, "at most {MAX_STREAMS} streams");
    assert_eq!(streams.width(), n_streams * out.width(), "stream width");
    assert_eq!(gates.width(), params.gates_width(), "gates width");
    assert_eq!((out.n_rows(), gates.n_rows()), (streams.n_rows(), streams.n_rows()), "rows");
    let projections = project(cpu, projections, streams, weights.function);
    let (base, scale) = (weights.base.values(), weights.scale.values());
    let (isa, n_rows) = (cpu.isa, weights.function.n_rows());
    assert_eq!(n_rows, n_streams + params.gates_width(), "mixing projection rows");
    let chunk = tokens_per_chunk(out.n_rows(), streams.width(), cpu.pool.n_threads());
    let (width, gates_width) = (out.width(), gates.width());
    let chunks = out.values_mut().chunks_mut(chunk * width);
    let chunks = chunks.zip(gates.values_mut().chunks_mut(chunk * gates_width)).enumerate();
    cpu.pool.for_each(cpu.workers, chunks, |_: &mut Worker, (i, (out, gates))| {
        let rows = out.chunks_exact_mut(width).zip(gates.chunks_exact_mut(gates_width));
        for (t, (out, gates)) in rows.enumerate() {
            let t = i * chunk + t;
            let streams = streams.row(t);
            let z = &projections[t * n_rows..][..n_rows];
            let norm = rms_scale(isa, streams, params.norm_eps);
            let pre = pre_gates(z, norm, scale[0], base, params);
            vector::collapse(isa, out, streams, &pre[..n_streams]);
            write_back_gates(gates, z, norm, scale, base, params);
        }
    });
}

/// Post gates and comb of one token.
fn write_back_gates(
    gates: &mut [f32],
    z: &[f32],
    norm: f32,
    scale: &[f32],
    base: &[f32],
    params: &HcParams,
) {
    let n = params.n_streams;
    let at = |i: usize, scale: f32| {
        f64::from(z[i]) * f64::from(norm) * f64::from(scale) + f64::from(base[i])
    };
    let (post, comb) = gates.split_at_mut(n);
    for (j, post) in post.iter_mut().enumerate() {
        *post = (2.0 * sigmoid(at(n + j, scale[1]))) as f32;
    }
    let mut m = [0.0; MAX_STREAMS * MAX_STREAMS];
    let m = &mut m[..n * n];
    for (i, m) in m.iter_mut().enumerate() {
        *m = at(2 * n + i, scale[2]);
    }
    sinkhorn(m, params);
    for (out, value) in comb.iter_mut().zip(m) {
        *out = *value as f32;
    }
}

pub(crate) fn hc_expand(
    cpu: &mut Parts<'_>,
    streams: &mut Matrix,
    y: &Matrix,
    gates: &Matrix,
    params: &HcParams,
) {
    assert_eq!(params.n_streams, 4, "the CPU backend mixes four streams");
    assert_eq!(streams.width(), 4 * y.width(), "stream width");
    assert_eq!((y.n_rows(), gates.n_rows()), (streams.n_rows(), streams.n_rows()), "rows");
    let (isa, width) = (cpu.isa, streams.width());
    let chunk = tokens_per_chunk(y.n_rows(), width, cpu.pool.n_threads());
    let chunks = streams.values_mut().chunks_mut(chunk * width).enumerate();
    cpu.pool.for_each(cpu.workers, chunks, |_, (i, streams)| {
        for (t, streams) in streams.chunks_exact_mut(width).enumerate() {
            let t = i * chunk + t;
            let (post, comb) = gates.row(t).split_at(4);
            let post = post.try_into().expect("four streams");
            let comb = comb.try_into().expect("four streams");
            vector::expand_4(isa, streams, y.row(t), post, comb);
        }
    });
}

pub(crate) fn hc_head(
    cpu: &mut Parts<'_>,
    projections: &mut Vec<f32>,
    out: &mut Matrix,
    streams: &Matrix,
    weights: &HcWeights<'_, Weight>,
    params: &HcParams,
) {
    assert_eq!(streams.width(), params.n_streams * out.width(), "stream width");
    assert_eq!(out.n_rows(), streams.n_rows(), "rows");
    let projections = project(cpu, projections, streams, weights.function);
    let (base, scale) = (weights.base.values(), weights.scale.values());
    let n_rows = weights.function.n_rows();
    for t in 0..streams.n_rows() {
        let norm = rms_scale(cpu.isa, streams.row(t), params.norm_eps);
        let z = &projections[t * n_rows..][..n_rows];
        let pre = pre_gates(z, norm, scale[0], base, params);
        vector::collapse(cpu.isa, out.row_mut(t), streams.row(t), &pre[..params.n_streams]);
    }
}
