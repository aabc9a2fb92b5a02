//! The feed-forward sublayer: router, routed experts, shared expert (specification c.10, c.11).

use backend::{Backend, RouterChoice, RouterParams};

use crate::geometry::Geometry;
use crate::weights::{Layer, Router};

/// Activations inside the sublayer.
pub(crate) struct FeedForwardActivations<B: Backend> {
    routing: B::Routing,
}

impl<B: Backend> FeedForwardActivations<B> {
    pub(crate) fn new(backend: &mut B, g: &Geometry, max_batch: usize) -> backend::Result<Self> {
        Ok(Self { routing: backend.routing(max_batch, g.n_experts_per_token)? })
    }
}

/// One layer's experts.
pub(crate) struct Site<'a, B: Backend> {
    pub(crate) geometry: &'a Geometry,
    pub(crate) weights: &'a Layer<B::Weight>,
    pub(crate) layer: usize,
}

impl<B: Backend> Site<'_, B> {
    /// From the normed input `x` to the output `y`, both `[n, hidden_size]`.
    ///
    /// Hash-routed layers look the experts up by the ids of the batch's own tokens.
    pub(crate) fn run(
        &self,
        backend: &mut B,
        act: &mut FeedForwardActivations<B>,
        y: &mut B::Tensor,
        x: &B::Tensor,
        tokens: &B::TokenIds,
    ) {
        let (w, g) = (self.weights, self.geometry);
        let choice = match &w.router {
            Router::Learned { bias } => RouterChoice::Learned { bias: bias.as_ref() },
            Router::Hashed { table } => RouterChoice::Hashed { table, tokens },
        };
        let params =
            RouterParams { n_experts_per_token: g.n_experts_per_token, scale: g.expert_scale };
        backend.route(&mut act.routing, x, &w.ffn_gate_inp, &choice, &params);
        let limit = g.swiglu_limits[self.layer];
        let (experts, shared) = (w.ffn_exps.weights(), w.ffn_shexp.weights());
        backend.all_experts(y, x, &act.routing, &experts, &shared, limit);
    }
}
