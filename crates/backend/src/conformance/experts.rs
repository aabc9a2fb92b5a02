//! Driving the router and the experts.
//!
//! A [`Backend::Routing`] cannot be read. It is seen through `routed_experts` with experts made for
//! it: expert `e` answers the input `[1, 0, 0, ..]` with the unit vector `e`, so the output is each
//! expert's weight.

use gguf::TensorType;

use super::check::{Arrangement, Case, Outcome, Output, by_batch};
use super::inputs::{Activations, Random, integers, plain, weight};
use super::limits;
use super::tensors::{Place, collect, input, output};
use crate::ops::{Backend, ExpertWeights, RouterChoice};
use crate::params::RouterParams;

/// How a case chooses experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// By score.
    Learned,
    /// By score plus a bias that reorders them.
    Biased,
    /// By a table of ids; tokens share experts.
    Hashed,
}

/// `route`.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) kind: TensorType,
    pub(super) hidden_size: usize,
    pub(super) n_experts: usize,
    pub(super) n_experts_per_token: usize,
    pub(super) n_tokens: usize,
    pub(super) choice: Choice,
    /// With zeros, every expert scores the same and the lower ids win.
    pub(super) activations: Activations,
}

const VOCAB_SIZE: usize = 97;
const ROUTER_SCALE: f32 = 1.5;

/// A token's id in a hashed case.
fn token_id(token: usize) -> u32 {
    (token * 31 % VOCAB_SIZE) as u32
}

/// Table of distinct experts per token id.
fn expert_table(random: &mut Random, n_experts: usize, n_experts_per_token: usize) -> Vec<i32> {
    let row = |_| random.permutation(n_experts)[..n_experts_per_token].to_vec();
    (0..VOCAB_SIZE).flat_map(row).map(|expert| expert as i32).collect()
}

impl Route {
    fn params(&self) -> RouterParams {
        RouterParams { n_experts_per_token: self.n_experts_per_token, scale: ROUTER_SCALE }
    }

    /// Routes a batch of `x`.
    fn route<B: Backend>(
        &self,
        backend: &mut B,
        x: &[Vec<f32>],
        batch: &[usize],
        weights: &RouterWeights<B>,
    ) -> Result<B::Routing, Box<dyn std::error::Error>> {
        let x = input(backend, x, batch, Place::Whole)?;
        let mut routing = backend.routing(batch.len() + 1, self.n_experts_per_token)?;
        let mut tokens = backend.token_ids(batch.len())?;
        let ids: Vec<u32> = batch.iter().map(|i| token_id(*i)).collect();
        backend.write_tokens(&mut tokens, &ids);
        let choice = match self.choice {
            Choice::Learned => RouterChoice::Learned { bias: None },
            Choice::Biased => RouterChoice::Learned { bias: Some(&weights.bias) },
            Choice::Hashed => RouterChoice::Hashed { table: &weights.table, tokens: &tokens },
        };
        backend.route(&mut routing, &x, &weights.gate, &choice, &self.params());
        Ok(routing)
    }

    fn weights<B: Backend>(
        &self,
        backend: &mut B,
        random: &mut Random,
    ) -> Result<RouterWeights<B>, Box<dyn std::error::Error>> {
        let n = self.n_experts;
        let table = expert_table(random, n, self.n_experts_per_token);
        Ok(RouterWeights {
            gate: backend.bind(&weight(random, self.kind, &[self.hidden_size, n], 1.0))?,
            bias: backend.bind(&plain(&[n], &random.normals(n, 0.5)))?,
            table: backend.bind(&integers(self.n_experts_per_token, &table))?,
        })
    }
}

struct RouterWeights<B: Backend> {
    gate: B::Weight,
    bias: B::Weight,
    table: B::Weight,
}

/// Experts that show a routing: see the module head.
struct Probe<B: Backend> {
    gate: B::Weight,
    up: B::Weight,
    down: B::Weight,
    width: usize,
}

impl<B: Backend> Probe<B> {
    const INNER_WIDTH: usize = 32;

    fn new(backend: &mut B, n_experts: usize) -> Result<Self, Box<dyn std::error::Error>> {
        let (width, inner) = (n_experts.next_multiple_of(32), Self::INNER_WIDTH);
        let mut first = vec![0.0; width * inner * n_experts];
        let mut down = vec![0.0; inner * width * n_experts];
        let silu_of_one = 1.0 / (1.0 + (-1f32).exp());
        for expert in 0..n_experts {
            first[expert * width * inner] = 1.0;
            down[(expert * width + expert) * inner] = 1.0 / silu_of_one;
        }
        Ok(Self {
            gate: backend.bind(&plain(&[width, inner, n_experts], &first))?,
            up: backend.bind(&plain(&[width, inner, n_experts], &first))?,
            down: backend.bind(&plain(&[inner, width, n_experts], &down))?,
            width,
        })
    }

    /// The weight of every expert for each of `n` tokens; zero where it was not chosen.
    fn weights(
        &self,
        backend: &mut B,
        routing: &B::Routing,
        n: usize,
    ) -> Result<Vec<Vec<f32>>, Box<dyn std::error::Error>> {
        let mut one = vec![0.0; self.width];
        one[0] = 1.0;
        let x = input(backend, &vec![one; n], &(0..n).collect::<Vec<_>>(), Place::Whole)?;
        let mut out = output(backend, n, self.width, Place::Whole)?;
        let experts = ExpertWeights { gate: &self.gate, up: &self.up, down: &self.down };
        backend.routed_experts(&mut out, &x, routing, &experts, 10.0);
        collect(backend, &mut out, n, self.width, Place::Whole)
    }
}

impl Case for Route {
    fn op(&self) -> &'static str {
        "route"
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(7);
        let x = self.activations.rows(random, self.n_tokens, self.hidden_size);
        let weights = self.weights(backend, random)?;
        let probe = Probe::new(backend, self.n_experts)?;
        by_batch(arrangement, |batch| {
            let routing = self.route(backend, &x, batch, &weights)?;
            let shares = probe.weights(backend, &routing, batch.len())?;
            let chosen = |row: &Vec<f32>| (0..row.len()).filter(|e| row[*e] != 0.0).collect();
            Ok(vec![
                Output::ids("experts", shares.iter().map(chosen).collect()),
                Output::floats("weights", shares, limits::ROUTER),
            ])
        })
    }
}

/// `routed_experts`, or `shared_expert` where there is no routing.
#[derive(Debug)]
pub(super) struct Experts {
    /// Types of gate, up and down.
    pub(super) kinds: [TensorType; 3],
    /// Chooses the experts; `None` drives the shared expert.
    pub(super) route: Option<(Choice, usize, usize)>,
    pub(super) hidden_size: usize,
    pub(super) width: usize,
    pub(super) n_tokens: usize,
    pub(super) activations: Activations,
    /// Clamp of gate and up: 10 as published, or so small that most values meet it.
    pub(super) limit: f32,
}

impl Experts {
    fn weights<B: Backend>(
        &self,
        backend: &mut B,
        random: &mut Random,
    ) -> Result<[B::Weight; 3], Box<dyn std::error::Error>> {
        let n_experts = self.route.map(|(_, n_experts, _)| n_experts);
        let mut bind = |kind, columns, rows| {
            let dims: Vec<usize> = [columns, rows].into_iter().chain(n_experts).collect();
            backend.bind(&weight(random, kind, &dims, 1.0))
        };
        let [gate, up, down] = self.kinds;
        Ok([
            bind(gate, self.hidden_size, self.width)?,
            bind(up, self.hidden_size, self.width)?,
            bind(down, self.width, self.hidden_size)?,
        ])
    }

    fn run_shared<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let random = &mut Random::new(8);
        let x = self.activations.rows(random, self.n_tokens, self.hidden_size);
        let before = random.rows(self.n_tokens, self.hidden_size, 1.0);
        let [gate, up, down] = self.weights(backend, random)?;
        let expert = ExpertWeights { gate: &gate, up: &up, down: &down };
        by_batch(arrangement, |batch| {
            let x = input(backend, &x, batch, Place::Whole)?;
            let mut out = input(backend, &before, batch, Place::Whole)?;
            backend.shared_expert(&mut out, &x, &expert, self.limit);
            let rows = collect(backend, &mut out, batch.len(), self.hidden_size, Place::Whole)?;
            // Without what was there before, which would hide the expert's part.
            let added = rows.iter().zip(batch).map(|(row, i)| {
                row.iter().zip(&before[*i]).map(|(after, before)| after - before).collect()
            });
            let limit = limits::experts(self.kinds, self.activations);
            Ok(vec![Output::floats("added", added.collect(), limit)])
        })
    }
}

impl Case for Experts {
    fn op(&self) -> &'static str {
        if self.route.is_some() { "routed_experts" } else { "shared_expert" }
    }

    fn n_rows(&self) -> usize {
        self.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let Some((choice, n_experts, n_experts_per_token)) = self.route else {
            return self.run_shared(backend, arrangement);
        };
        let random = &mut Random::new(9);
        let x = self.activations.rows(random, self.n_tokens, self.hidden_size);
        let [gate, up, down] = self.weights(backend, random)?;
        let experts = ExpertWeights { gate: &gate, up: &up, down: &down };
        let route = Route {
            kind: TensorType::F32,
            hidden_size: self.hidden_size,
            n_experts,
            n_experts_per_token,
            n_tokens: self.n_tokens,
            choice,
            activations: self.activations,
        };
        let router = route.weights(backend, random)?;
        by_batch(arrangement, |batch| {
            let routing = route.route(backend, &x, batch, &router)?;
            let x = input(backend, &x, batch, Place::Whole)?;
            let mut out = output(backend, batch.len(), self.hidden_size, Place::Whole)?;
            backend.routed_experts(&mut out, &x, &routing, &experts, self.limit);
            let rows = collect(backend, &mut out, batch.len(), self.hidden_size, Place::Whole)?;
            let limit = limits::experts(self.kinds, self.activations);
            Ok(vec![Output::floats("sum of experts", rows, limit)])
        })
    }
}

/// `all_experts`: routed ones, and beside them the one that every token passes.
#[derive(Debug)]
pub(super) struct AllExperts {
    /// The routed experts, whose route is given.
    pub(super) routed: Experts,
    /// Types of the shared expert's gate, up and down.
    pub(super) shared: [TensorType; 3],
}

impl Case for AllExperts {
    fn op(&self) -> &'static str {
        "all_experts"
    }

    fn n_rows(&self) -> usize {
        self.routed.n_tokens
    }

    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome {
        let case = &self.routed;
        let (choice, n_experts, n_experts_per_token) = case.route.expect("experts are routed");
        let random = &mut Random::new(10);
        let x = case.activations.rows(random, case.n_tokens, case.hidden_size);
        let [gate, up, down] = case.weights(backend, random)?;
        let experts = ExpertWeights { gate: &gate, up: &up, down: &down };
        let alone = Experts { kinds: self.shared, route: None, ..*case };
        let [gate, up, down] = alone.weights(backend, random)?;
        let shared = ExpertWeights { gate: &gate, up: &up, down: &down };
        let route = Route {
            kind: TensorType::F32,
            hidden_size: case.hidden_size,
            n_experts,
            n_experts_per_token,
            n_tokens: case.n_tokens,
            choice,
            activations: case.activations,
        };
        let router = route.weights(backend, random)?;
        by_batch(arrangement, |batch| {
            let routing = route.route(backend, &x, batch, &router)?;
            let x = input(backend, &x, batch, Place::Whole)?;
            let mut out = output(backend, batch.len(), case.hidden_size, Place::Whole)?;
            backend.all_experts(&mut out, &x, &routing, &experts, &shared, case.limit);
            let rows = collect(backend, &mut out, batch.len(), case.hidden_size, Place::Whole)?;
            // The sum of two results may be smaller than either.
            let kinds = if case.kinds.iter().any(|kind| kind.block_len() > 1) {
                case.kinds
            } else {
                self.shared
            };
            let limit = limits::experts(kinds, case.activations);
            Ok(vec![Output::floats("sum of experts", rows, limit)])
        })
    }
}
