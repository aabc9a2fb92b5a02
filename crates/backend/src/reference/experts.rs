//! Routing and the experts.

use crate::ops::{ExpertWeights, RouterChoice};
use crate::params::RouterParams;

use super::Reference;
use super::linear::dot;
use super::memory::{Matrix, Routing, Weight};

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

pub(super) fn route(
    out: &mut Routing,
    x: &Matrix,
    gate: &Weight,
    choice: &RouterChoice<'_, Reference>,
    params: &RouterParams,
) {
    let gate_rows: Vec<Vec<f32>> = (0..gate.n_rows()).map(|e| gate.row(e)).collect();
    let bias = match choice {
        RouterChoice::Learned { bias: Some(bias) } => bias.decode(),
        _ => vec![0.0; gate.n_rows()],
    };
    for t in 0..x.n_rows() {
        let p: Vec<f32> =
            gate_rows.iter().map(|row| softplus(dot(row, x.row(t))).sqrt() as f32).collect();
        let experts: Vec<usize> = match choice {
            RouterChoice::Hashed { table, tokens } => table.integers(tokens[t] as usize).collect(),
            RouterChoice::Learned { .. } => {
                let mut experts: Vec<usize> = (0..p.len()).collect();
                let score = |e: usize| p[e] + bias[e];
                experts.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(a.cmp(b)));
                experts.truncate(params.n_experts_per_token);
                experts
            }
        };
        let sum: f64 = experts.iter().map(|e| f64::from(p[*e])).sum();
        out.experts[t] = experts
            .into_iter()
            .map(|e| (e, (f64::from(p[e]) / sum * f64::from(params.scale)) as f32))
            .collect();
    }
}

/// Adds `weight * down(silu(gate(x)) * up(x))` of one expert of a stack to `out`.
fn add_expert(
    out: &mut [f64],
    x: &[f32],
    experts: &ExpertWeights<'_, Weight>,
    (expert, weight): (usize, f32),
    limit: f32,
) {
    let limit = f64::from(limit);
    let width = experts.gate.rows_per_expert();
    let first = expert * width;
    let hidden: Vec<f32> = (first..first + width)
        .map(|i| {
            let gate = dot(&experts.gate.row(i), x).min(limit);
            let up = dot(&experts.up.row(i), x).clamp(-limit, limit);
            (silu(gate) * up * f64::from(weight)) as f32
        })
        .collect();
    let first = expert * experts.down.rows_per_expert();
    for (i, sum) in out.iter_mut().enumerate() {
        *sum += dot(&experts.down.row(first + i), &hidden);
    }
}

pub(super) fn routed_experts(
    out: &mut Matrix,
    x: &Matrix,
    routing: &Routing,
    experts: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    assert_eq!(out.n_rows(), x.n_rows());
    for t in 0..x.n_rows() {
        let mut sum = vec![0.0; out.width()];
        for choice in routing.experts(t) {
            add_expert(&mut sum, x.row(t), experts, *choice, limit);
        }
        for (value, sum) in out.row_mut(t).iter_mut().zip(sum) {
            *value = sum as f32;
        }
    }
}

pub(super) fn shared_expert(
    out: &mut Matrix,
    x: &Matrix,
    expert: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    for t in 0..x.n_rows() {
        let mut sum: Vec<f64> = out.row(t).iter().map(|v| f64::from(*v)).collect();
        add_expert(&mut sum, x.row(t), expert, (0, 1.0), limit);
        for (value, sum) in out.row_mut(t).iter_mut().zip(sum) {
            *value = sum as f32;
        }
    }
}
