//! Routing and the experts.
//!
//! (token, expert) pairs are grouped by expert, so that each weight is read once for all tokens
//! that want it. Sums of a token run in the order of its routing whatever the grouping.

use backend::{ExpertWeights, RouterChoice, RouterParams};

use crate::Cpu;
use crate::activation::Quantized;
use crate::isa::Available;
use crate::linear::{self, FloatRows, IntegerRows, Scratch, chunk_rows};
use crate::memory::{Matrix, Routing};
use crate::norm::tokens_per_chunk;
use crate::parts::{Pairs, Parts, Worker};
use crate::pool::Tiles;
use crate::vector;
use crate::weight::{Format, Weight};

/// Weights that are asked for at once: enough to keep a disk busy, less than any memory.
const PREFETCH_BYTES: usize = 256 << 20;

/// `log(1 + e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

pub(crate) fn route(
    cpu: &mut Parts<'_>,
    probabilities: &mut Vec<f32>,
    out: &mut Routing,
    x: &Matrix,
    gate: &Weight,
    choice: &RouterChoice<'_, Cpu>,
    params: &RouterParams,
) {
    let (n, n_experts, k) = (x.n_rows(), gate.n_rows(), params.n_experts_per_token);
    assert_eq!(gate.columns(), x.width(), "router width");
    assert_eq!(out.n_experts_per_token(), k, "experts per token");
    probabilities.resize(probabilities.len().max(n * n_experts), 0.0);
    let probabilities = &mut probabilities[..n * n_experts];
    linear::project(cpu, probabilities, x, gate);
    let bias = match choice {
        RouterChoice::Learned { bias: Some(bias) } => bias.values(),
        _ => &[],
    };
    let chunk = tokens_per_chunk(n, 16 * n_experts, cpu.pool.n_threads());
    let items = out.experts_mut(n).chunks_mut(chunk * k);
    let items = items.zip(probabilities.chunks_mut(chunk * n_experts)).enumerate();
    cpu.pool.for_each(cpu.workers, items, |_, (i, (out, p))| {
        for (t, (out, p)) in out.chunks_exact_mut(k).zip(p.chunks_exact_mut(n_experts)).enumerate()
        {
            for p in &mut *p {
                *p = softplus(f64::from(*p)).sqrt() as f32;
            }
            match choice {
                RouterChoice::Hashed { table, tokens } => {
                    let ids = table.ids(tokens.0[i * chunk + t] as usize);
                    out.iter_mut().zip(ids).for_each(|(out, expert)| *out = (expert, 0.0));
                }
                RouterChoice::Learned { .. } => choose(out, p, bias),
            }
            let sum: f64 = out.iter().map(|(e, _)| f64::from(p[*e as usize])).sum();
            for (expert, weight) in out {
                let share = f64::from(p[*expert as usize]) / sum;
                *weight = (share * f64::from(params.scale)) as f32;
            }
        }
    });
}

/// The experts with the largest `p + bias`, best first; equal ones by id.
fn choose(out: &mut [(u32, f32)], p: &[f32], bias: &[f32]) {
    let mut n = 0;
    for (e, p) in p.iter().enumerate() {
        let score = p + bias.get(e).copied().unwrap_or(0.0);
        // Experts come in ascending order, so a later one must be strictly better.
        let place = out[..n].partition_point(|(_, other)| other.total_cmp(&score).is_ge());
        if place < out.len() {
            n = (n + 1).min(out.len());
            out[place..n].rotate_right(1);
            out[place] = (e as u32, score);
        }
    }
    assert_eq!(n, out.len(), "there are as many experts as a token wants");
}

impl Pairs {
    /// Groups the experts of `n` tokens.
    fn group(&mut self, routing: &Routing, n: usize, n_experts: usize) {
        let experts = routing.experts(n);
        self.ends.clear();
        self.ends.resize(n_experts + 1, 0);
        for (expert, _) in experts {
            self.ends[*expert as usize + 1] += 1;
        }
        for e in 0..n_experts {
            self.ends[e + 1] += self.ends[e];
        }
        self.tokens.resize(experts.len(), (0, 0.0));
        self.places.resize(experts.len(), 0);
        // Filling moves each start to its end.
        for (i, (expert, weight)) in experts.iter().enumerate() {
            let place = self.ends[*expert as usize];
            self.ends[*expert as usize] += 1;
            self.tokens[place] = ((i / routing.n_experts_per_token()) as u32, *weight);
            self.places[i] = place as u32;
        }
        self.ends.rotate_right(1);
        self.ends[0] = 0;
    }

    /// Cuts `[n_pairs, width]` into one matrix for each expert that has pairs.
    fn matrices<'a>(
        &'a self,
        mut values: &'a mut [f32],
        width: usize,
    ) -> impl Iterator<Item = (usize, &'a mut [f32])> + Send {
        let n_experts = self.ends.len() - 1;
        let active = (0..n_experts).filter(|expert| !self.of(*expert).is_empty());
        active.map(move |expert| {
            let n = self.of(expert).len() * width;
            (expert, values.split_off_mut(..n).expect("values of every pair"))
        })
    }

    /// The pairs of an expert.
    fn of(&self, expert: usize) -> std::ops::Range<usize> {
        self.ends[expert]..self.ends[expert + 1]
    }
}

/// Inputs of a product in both forms: row `i` of the one its weight wants.
struct Inputs<'a> {
    quantized: &'a Quantized,
    values: &'a [f32],
    width: usize,
}

impl Inputs<'_> {
    /// Some rows of `weight`, first and number, times the `n_columns` inputs that `input` names.
    fn multiply(
        &self,
        (isa, scratch): (Available, &mut Scratch),
        (weight, first, n_rows): (&Weight, usize, usize),
        n_columns: usize,
        input: impl Fn(usize) -> usize,
        emit: impl FnMut(usize, usize, &[f32]),
    ) {
        let (bytes, row_bytes) = (weight.rows(first, n_rows), weight.row_bytes());
        match weight.format() {
            Format::Integer(format) => {
                let rows = IntegerRows { format, bytes, row_bytes };
                let column = |i| self.quantized.row(input(i));
                rows.multiply(isa, scratch, n_columns, column, emit);
            }
            Format::Float(format) => {
                let rows = FloatRows { format, bytes, row_bytes };
                let column = |i| &self.values[input(i) * self.width..][..self.width];
                rows.multiply(isa, scratch, n_columns, column, emit);
            }
            Format::Ids => panic!("a table of ids is no matrix"),
        }
    }
}

fn is_integer(weight: &Weight) -> bool {
    matches!(weight.format(), Format::Integer(_))
}

/// Asks for the experts of `n` tokens before the first of them is computed, so that the disk works
/// on all of them at once. A batch that wants more than [`PREFETCH_BYTES`] gets the rest as it goes.
pub(crate) fn prefetch(routing: &Routing, n: usize, experts: &ExpertWeights<'_, Weight>) {
    let mut chosen: Vec<u32> = routing.experts(n).iter().map(|(expert, _)| *expert).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let matrices = [experts.gate, experts.up, experts.down];
    let expert_bytes: usize = matrices.iter().map(|w| w.rows_per_expert() * w.row_bytes()).sum();
    for expert in chosen.iter().take(PREFETCH_BYTES / expert_bytes.max(1)) {
        for weight in matrices {
            let n_rows = weight.rows_per_expert();
            weight.will_need(*expert as usize * n_rows, n_rows);
        }
    }
}

/// `out[t] = sum over its experts of weight * expert(x[t])`.
#[expect(clippy::too_many_arguments, reason = "state, inputs and weights of one formula")]
pub(crate) fn routed_experts(
    cpu: &mut Parts<'_>,
    hidden: &mut Vec<f32>,
    pairs: &mut Pairs,
    out: &mut Matrix,
    x: &Matrix,
    routing: &Routing,
    experts: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    let n_experts = experts.gate.n_rows() / experts.gate.rows_per_expert();
    pairs.group(routing, x.n_rows(), n_experts);
    hidden_values(cpu, hidden, pairs, x, experts, limit);
    down_project(cpu, hidden, pairs, routing.n_experts_per_token(), out, experts.down, Sum::Fresh);
}

/// `out += expert(x)`.
pub(crate) fn shared_expert(
    cpu: &mut Parts<'_>,
    hidden: &mut Vec<f32>,
    pairs: &mut Pairs,
    out: &mut Matrix,
    x: &Matrix,
    expert: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    let n = x.n_rows();
    pairs.ends.clear();
    pairs.ends.extend([0, n]);
    pairs.tokens.clear();
    pairs.tokens.extend((0..n).map(|t| (t as u32, 1.0)));
    pairs.places.clear();
    pairs.places.extend(0..n as u32);
    hidden_values(cpu, hidden, pairs, x, expert, limit);
    down_project(cpu, hidden, pairs, 1, out, expert.down, Sum::OnTop);
}

/// `hidden[pair] = silu(gate(x)) * up(x) * weight`.
fn hidden_values(
    cpu: &mut Parts<'_>,
    hidden: &mut Vec<f32>,
    pairs: &Pairs,
    x: &Matrix,
    experts: &ExpertWeights<'_, Weight>,
    limit: f32,
) {
    let ExpertWeights { gate, up, .. } = experts;
    let n_experts = pairs.ends.len() - 1;
    let width = gate.n_rows() / n_experts;
    assert_eq!((gate.columns(), up.columns()), (x.width(), x.width()), "expert input width");
    assert_eq!(gate.n_rows(), up.n_rows(), "expert width");
    if is_integer(gate) || is_integer(up) {
        linear::quantize(cpu, x.n_rows(), x.width(), |t| x.row(t));
    }
    let n_pairs = pairs.tokens.len();
    hidden.resize(hidden.len().max(n_pairs * width), 0.0);
    let (isa, quantized) = (cpu.isa, &*cpu.quantized);
    let inputs = Inputs { quantized, values: x.values(), width: x.width() };
    let columns = n_pairs / n_experts.min(n_pairs).max(1);
    let chunk = chunk_rows(
        width * n_experts.min(n_pairs),
        2 * gate.row_bytes(),
        columns,
        cpu.pool.n_threads(),
    );
    let items = pairs
        .matrices(&mut hidden[..n_pairs * width], width)
        .flat_map(|(expert, own)| Tiles::new(own, width, chunk).map(move |tile| (expert, tile)));
    cpu.pool.for_each(cpu.workers, items, |worker: &mut Worker, (expert, mut tile)| {
        let pairs = &pairs.tokens[pairs.of(expert)];
        let rows = tile.columns();
        let (first, n_rows) = (expert * width + rows.start, rows.len());
        let row_of = |i: usize| pairs[i].0 as usize;
        let Worker { scratch, up: up_values, .. } = worker;
        up_values.resize(up_values.len().max(pairs.len() * n_rows), 0.0);
        inputs.multiply(
            (isa, scratch),
            (up, first, n_rows),
            pairs.len(),
            row_of,
            |i, r, values| {
                up_values[i * n_rows + r..][..values.len()].copy_from_slice(values);
            },
        );
        inputs.multiply(
            (isa, scratch),
            (gate, first, n_rows),
            pairs.len(),
            row_of,
            |i, r, values| {
                tile.row_mut(i)[r..r + values.len()].copy_from_slice(values);
            },
        );
        for (i, (_, weight)) in pairs.iter().enumerate() {
            vector::swiglu(
                isa,
                tile.row_mut(i),
                &up_values[i * n_rows..][..n_rows],
                limit,
                *weight,
            );
        }
    });
}

/// Whether a sum starts from zero or from what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sum {
    Fresh,
    OnTop,
}

/// `out[t] (+)= sum over its pairs, in the order of routing, of down(hidden[pair])`.
fn down_project(
    cpu: &mut Parts<'_>,
    hidden: &[f32],
    pairs: &Pairs,
    n_per_token: usize,
    out: &mut Matrix,
    down: &Weight,
    sum: Sum,
) {
    let n_experts = pairs.ends.len() - 1;
    let (n_pairs, width) = (pairs.tokens.len(), down.columns());
    let rows_per_expert = down.n_rows() / n_experts;
    assert_eq!(out.width(), rows_per_expert, "expert output width");
    assert_eq!(out.n_rows() * n_per_token, n_pairs, "pairs of every token");
    let hidden = &hidden[..n_pairs * width];
    if is_integer(down) {
        linear::quantize(cpu, n_pairs, width, |i| &hidden[i * width..][..width]);
    }
    let (isa, quantized) = (cpu.isa, &*cpu.quantized);
    let inputs = Inputs { quantized, values: hidden, width };
    let columns = n_pairs / n_experts.min(n_pairs).max(1);
    let n_active = n_experts.min(n_pairs);
    let chunk = chunk_rows(
        rows_per_expert,
        n_active.min(8) * down.row_bytes(),
        columns,
        cpu.pool.n_threads(),
    );
    let tiles = Tiles::new(out.values_mut(), rows_per_expert, chunk);
    cpu.pool.for_each(cpu.workers, tiles, |worker: &mut Worker, mut tile| {
        let rows = tile.columns();
        let n_rows = rows.len();
        let Worker { scratch, down: partial, .. } = worker;
        partial.resize(partial.len().max(n_pairs * n_rows), 0.0);
        for expert in (0..n_experts).filter(|expert| !pairs.of(*expert).is_empty()) {
            let own = pairs.of(expert);
            let rows = (down, expert * rows_per_expert + rows.start, n_rows);
            inputs.multiply(
                (isa, scratch),
                rows,
                own.len(),
                |i| own.start + i,
                |i, r, values| {
                    partial[(own.start + i) * n_rows + r..][..values.len()].copy_from_slice(values);
                },
            );
        }
        for (t, places) in pairs.places.chunks_exact(n_per_token).enumerate() {
            let out = tile.row_mut(t);
            if sum == Sum::Fresh {
                out.fill(0.0);
            }
            for place in places {
                vector::add(isa, out, &partial[*place as usize * n_rows..][..n_rows]);
            }
        }
    });
}
