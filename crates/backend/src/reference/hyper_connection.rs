//! Hyper-connections: four residual streams, mixed by gates that each token computes for itself.

use crate::ops::HcWeights;
use crate::params::HcParams;

use super::linear::dot;
use super::memory::{Matrix, Weight};
use super::norm::rms_norm_row;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `rms(streams) @ function^T`: one number per row of the mixing projection.
fn project(streams: &[f32], function: &Weight, norm_eps: f32) -> Vec<f64> {
    let mut normed = streams.to_vec();
    rms_norm_row(&mut normed, None, norm_eps);
    (0..function.n_rows()).map(|i| dot(&function.row(i), &normed)).collect()
}

/// `sum over j of pre[j] * streams[j]`, with `pre = sigmoid(z * scale + base) + eps`.
fn collapse(out: &mut [f32], streams: &[f32], z: &[f64], scale: f32, base: &[f32], eps: f32) {
    let gate = |(z, base): (&f64, &f32)| sigmoid(z * f64::from(scale) + f64::from(*base));
    let n_streams = streams.len() / out.len();
    let pre: Vec<f64> =
        z.iter().zip(base).take(n_streams).map(|pair| gate(pair) + f64::from(eps)).collect();
    let width = out.len();
    for (i, value) in out.iter_mut().enumerate() {
        let stream_values = streams.iter().skip(i).step_by(width);
        let sum: f64 = pre.iter().zip(stream_values).map(|(pre, v)| pre * f64::from(*v)).sum();
        *value = sum as f32;
    }
}

/// Makes `m` (from, to) nearly doubly stochastic: softmax over each row, then Sinkhorn.
fn sinkhorn(m: &mut [f64], params: &HcParams) {
    let (n, eps) = (params.n_streams, f64::from(params.eps));
    for row in m.chunks_exact_mut(n) {
        let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|v| (v - max).exp()).sum();
        for value in row {
            *value = (*value - max).exp() / sum + eps;
        }
    }
    for iteration in 0..params.n_iterations {
        if iteration > 0 {
            for row in m.chunks_exact_mut(n) {
                let sum = row.iter().sum::<f64>() + eps;
                for value in row {
                    *value /= sum;
                }
            }
        }
        for to in 0..n {
            let sum = (0..n).map(|from| m[from * n + to]).sum::<f64>() + eps;
            (0..n).for_each(|from| m[from * n + to] /= sum);
        }
    }
}

pub(super) fn hc_mix(
    out: &mut Matrix,
    gates: &mut Matrix,
    streams: &Matrix,
    weights: &HcWeights<'_, Weight>,
    params: &HcParams,
) {
    let n = params.n_streams;
    assert_eq!(streams.width(), n * out.width());
    assert_eq!(gates.width(), params.gates_width());
    assert_eq!((out.n_rows(), gates.n_rows()), (streams.n_rows(), streams.n_rows()));
    let (base, scale) = (weights.base.decode(), weights.scale.decode());
    for t in 0..streams.n_rows() {
        let z = project(streams.row(t), weights.function, params.norm_eps);
        collapse(out.row_mut(t), streams.row(t), &z, scale[0], &base, params.eps);
        let (post, comb) = gates.row_mut(t).split_at_mut(n);
        for j in 0..n {
            let gate = z[n + j] * f64::from(scale[1]) + f64::from(base[n + j]);
            post[j] = (2.0 * sigmoid(gate)) as f32;
        }
        let mut m: Vec<f64> =
            (2 * n..z.len()).map(|i| z[i] * f64::from(scale[2]) + f64::from(base[i])).collect();
        sinkhorn(&mut m, params);
        for (out, value) in comb.iter_mut().zip(m) {
            *out = value as f32;
        }
    }
}

pub(super) fn hc_expand(streams: &mut Matrix, y: &Matrix, gates: &Matrix, params: &HcParams) {
    let n = params.n_streams;
    assert_eq!(streams.width(), n * y.width());
    for t in 0..streams.n_rows() {
        let old = streams.row(t).to_vec();
        let (post, comb) = gates.row(t).split_at(n);
        for (to, stream) in streams.row_mut(t).chunks_exact_mut(y.width()).enumerate() {
            for (i, value) in stream.iter_mut().enumerate() {
                let kept: f64 = (0..n)
                    .map(|from| {
                        f64::from(comb[from * n + to]) * f64::from(old[from * y.width() + i])
                    })
                    .sum();
                *value = (f64::from(post[to]) * f64::from(y.row(t)[i]) + kept) as f32;
            }
        }
    }
}

pub(super) fn hc_head(
    out: &mut Matrix,
    streams: &Matrix,
    weights: &HcWeights<'_, Weight>,
    params: &HcParams,
) {
    assert_eq!(streams.width(), params.n_streams * out.width());
    let (base, scale) = (weights.base.decode(), weights.scale.decode());
    for t in 0..streams.n_rows() {
        let z = project(streams.row(t), weights.function, params.norm_eps);
        collapse(out.row_mut(t), streams.row(t), &z, scale[0], &base, params.eps);
    }
}
