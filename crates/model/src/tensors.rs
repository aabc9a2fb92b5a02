//! Which tensors a file of a given geometry must hold: names, shapes, roles.
//!
//! One table drives the check at bind, the memory plan and the count of active bytes, so they
//! cannot disagree. Source: specification b.4.

use gguf::TensorType;

use crate::geometry::{Geometry, OVERLAP_RATIO};

/// What a tensor is for, which decides the types it may have and how much of it a token reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `[vocab_size, hidden_size]`: a token reads one row.
    Embedding,
    /// A matrix that every token is multiplied with.
    Dense,
    /// Norm gains, biases, scales, position biases: small, read whole.
    Vector,
    /// A stack of experts, of which a token reads a few.
    Experts,
    /// Expert ids per token id: a token reads one row.
    HashTable,
}

impl Role {
    /// Types that a tensor of this role may be stored in.
    pub fn accepted(self) -> &'static [TensorType] {
        use TensorType::{Bf16, F16, F32, I32, Iq2Xxs, Mxfp4, Q2K, Q4K, Q8_0};
        match self {
            Self::Embedding | Self::Dense => &[F32, F16, Bf16, Q8_0, Q4K],
            Self::Vector => &[F32, F16, Bf16],
            Self::Experts => &[F32, F16, Bf16, Q8_0, Q4K, Q2K, Iq2Xxs, Mxfp4],
            Self::HashTable => &[I32],
        }
    }
}

/// One tensor of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name as in the file.
    pub name: String,
    /// Dimensions in GGUF order: the contiguous one, the row length, first.
    pub dims: Vec<u64>,
    /// What it is for.
    pub role: Role,
    /// Whether a file may leave it out.
    pub optional: bool,
}

/// Collects specs under one name prefix.
struct Specs {
    prefix: String,
    list: Vec<TensorSpec>,
}

impl Specs {
    fn add(&mut self, name: &str, role: Role, dims: &[usize]) {
        self.list.push(TensorSpec {
            name: format!("{}{name}", self.prefix),
            dims: dims.iter().map(|d| *d as u64).collect(),
            role,
            optional: false,
        });
    }

    fn add_optional(&mut self, name: &str, role: Role, dims: &[usize]) {
        self.add(name, role, dims);
        if let Some(spec) = self.list.last_mut() {
            spec.optional = true;
        }
    }

    fn hyper_connection(&mut self, site: &str, g: &Geometry) {
        let n = g.hyper_connection.n_streams;
        let rows = 2 * n + n * n;
        self.add(&format!("{site}_fn.weight"), Role::Dense, &[n * g.hidden_size, rows]);
        self.add(&format!("{site}_base.weight"), Role::Vector, &[rows]);
        self.add(&format!("{site}_scale.weight"), Role::Vector, &[3]);
    }

    fn compressor(&mut self, site: &str, ratio: usize, row_width: usize, hidden_size: usize) {
        let width = Geometry::compressor_width(ratio, row_width);
        self.add(&format!("{site}_ape.weight"), Role::Vector, &[width, ratio]);
        self.add(&format!("{site}_kv.weight"), Role::Dense, &[hidden_size, width]);
        self.add(&format!("{site}_gate.weight"), Role::Dense, &[hidden_size, width]);
        self.add(&format!("{site}_norm.weight"), Role::Vector, &[row_width]);
    }

    fn attention(&mut self, g: &Geometry, ratio: usize) {
        let hidden = g.hidden_size;
        self.add("attn_norm.weight", Role::Vector, &[hidden]);
        self.add("attn_q_a.weight", Role::Dense, &[hidden, g.q_rank]);
        self.add("attn_q_a_norm.weight", Role::Vector, &[g.q_rank]);
        self.add("attn_q_b.weight", Role::Dense, &[g.q_rank, g.heads_width()]);
        self.add("attn_kv.weight", Role::Dense, &[hidden, g.head_dim]);
        self.add("attn_kv_a_norm.weight", Role::Vector, &[g.head_dim]);
        self.add("attn_sinks.weight", Role::Vector, &[g.n_heads]);
        let low = g.n_output_groups * g.output_rank;
        self.add("attn_output_a.weight", Role::Dense, &[g.heads_width() / g.n_output_groups, low]);
        self.add("attn_output_b.weight", Role::Dense, &[low, hidden]);
        if ratio > 0 {
            self.compressor("attn_compressor", ratio, g.head_dim, hidden);
        }
        if ratio == OVERLAP_RATIO {
            let width = g.n_index_heads * g.index_dim;
            self.add("indexer.attn_q_b.weight", Role::Dense, &[g.q_rank, width]);
            self.add("indexer.proj.weight", Role::Dense, &[hidden, g.n_index_heads]);
            self.compressor("indexer_compressor", ratio, g.index_dim, hidden);
        }
    }

    fn feed_forward(&mut self, g: &Geometry, layer: usize) {
        let (hidden, width) = (g.hidden_size, g.expert_width);
        self.add("ffn_norm.weight", Role::Vector, &[hidden]);
        self.add("ffn_gate_inp.weight", Role::Dense, &[hidden, g.n_experts]);
        if layer < g.n_hash_layers {
            let dims = [g.n_experts_per_token, g.vocab_size];
            self.add("ffn_gate_tid2eid.weight", Role::HashTable, &dims);
        } else {
            self.add_optional("exp_probs_b.bias", Role::Vector, &[g.n_experts]);
        }
        self.add("ffn_gate_exps.weight", Role::Experts, &[hidden, width, g.n_experts]);
        self.add("ffn_up_exps.weight", Role::Experts, &[hidden, width, g.n_experts]);
        self.add("ffn_down_exps.weight", Role::Experts, &[width, hidden, g.n_experts]);
        self.add("ffn_gate_shexp.weight", Role::Dense, &[hidden, width]);
        self.add("ffn_up_shexp.weight", Role::Dense, &[hidden, width]);
        self.add("ffn_down_shexp.weight", Role::Dense, &[width, hidden]);
    }
}

/// Every tensor of a file of this geometry, in the order of the forward pass.
pub fn tensor_specs(g: &Geometry) -> Vec<TensorSpec> {
    let mut specs = Specs { prefix: String::new(), list: Vec::new() };
    specs.add("token_embd.weight", Role::Embedding, &[g.hidden_size, g.vocab_size]);
    for layer in 0..g.n_layers {
        specs.prefix = format!("blk.{layer}.");
        specs.hyper_connection("hc_attn", g);
        specs.attention(g, g.compress_ratios[layer]);
        specs.hyper_connection("hc_ffn", g);
        specs.feed_forward(g, layer);
    }
    specs.prefix = String::new();
    let n = g.hyper_connection.n_streams;
    specs.add("output_hc_fn.weight", Role::Dense, &[n * g.hidden_size, n]);
    specs.add("output_hc_base.weight", Role::Vector, &[n]);
    specs.add("output_hc_scale.weight", Role::Vector, &[1]);
    specs.add("output_norm.weight", Role::Vector, &[g.hidden_size]);
    specs.add("output.weight", Role::Dense, &[g.hidden_size, g.vocab_size]);
    specs.list
}
