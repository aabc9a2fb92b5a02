//! Which tensors a GGUF file has, and which tensors of the checkpoint they are made of.
//!
//! Source of the names: specification b.4 and b.7.

use super::config::{Config, OVERLAP_RATIO};

/// What a tensor is for, which decides how it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Norm gains, biases, scales, sinks.
    Vector,
    /// Matrices that published files keep in F16: the embedding, and small ones whose errors
    /// decide about routing, selection and mixing.
    Sensitive,
    /// The bulk: attention projections, experts, output head.
    Projection,
    /// Expert ids per token id.
    HashTable,
}

/// A tensor of the GGUF file.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) role: Role,
    /// Names in the checkpoint: one, or one per expert, which are stacked.
    pub(super) sources: Vec<String>,
    /// Shape of each source, the contiguous dimension last.
    pub(super) shape: Vec<u64>,
    /// Whether the sources are stacked, even if there is only one.
    stacked: bool,
}

impl Target {
    /// Weights per row.
    pub(super) fn columns(&self) -> u64 {
        *self.shape.last().expect("every shape of the table has a dimension")
    }

    /// Dimensions in GGUF order: the contiguous one first.
    pub(super) fn dims(&self) -> Vec<u64> {
        let stack = self.stacked.then_some(self.sources.len() as u64);
        self.shape.iter().rev().copied().chain(stack).collect()
    }
}

/// Every tensor of the GGUF file, in the order of the forward pass.
pub(super) fn targets(config: &Config) -> Vec<Target> {
    let hidden = u64::from(config.hidden_size);
    let vocab = u64::from(config.vocab_size);
    let n_streams = u64::from(config.n_streams);
    let mut table = Table { config, source: String::new(), target: String::new(), list: vec![] };
    table.add("embed.weight", "token_embd.weight", Role::Sensitive, &[vocab, hidden]);
    for layer in 0..config.n_layers {
        table.layer(layer);
    }
    table.source.clear();
    table.target.clear();
    let fn_shape = [n_streams, n_streams * hidden];
    table.add("hc_head_fn", "output_hc_fn.weight", Role::Sensitive, &fn_shape);
    table.add("hc_head_base", "output_hc_base.weight", Role::Vector, &[n_streams]);
    table.add("hc_head_scale", "output_hc_scale.weight", Role::Vector, &[1]);
    table.add("norm.weight", "output_norm.weight", Role::Vector, &[hidden]);
    table.add("head.weight", "output.weight", Role::Projection, &[vocab, hidden]);
    table.list
}

/// Collects targets under one pair of name prefixes.
struct Table<'a> {
    config: &'a Config,
    source: String,
    target: String,
    list: Vec<Target>,
}

impl Table<'_> {
    fn add(&mut self, source: &str, target: &str, role: Role, shape: &[u64]) {
        self.list.push(Target {
            name: format!("{}{target}", self.target),
            role,
            sources: vec![format!("{}{source}", self.source)],
            shape: shape.to_owned(),
            stacked: false,
        });
    }

    fn layer(&mut self, layer: u32) {
        self.source = format!("layers.{layer}.");
        self.target = format!("blk.{layer}.");
        self.hyper_connection("hc_attn");
        self.attention();
        let ratio = self.config.compress_ratios[layer as usize];
        if ratio > 0 {
            let row = u64::from(self.config.head_dim);
            self.compressor("attn.compressor", "attn_compressor", ratio, row);
        }
        if ratio == OVERLAP_RATIO {
            self.indexer();
        }
        self.hyper_connection("hc_ffn");
        self.feed_forward(layer);
    }

    fn hyper_connection(&mut self, site: &str) {
        let n_streams = u64::from(self.config.n_streams);
        let rows = 2 * n_streams + n_streams * n_streams;
        let columns = n_streams * u64::from(self.config.hidden_size);
        let fn_shape = [rows, columns];
        self.add(&format!("{site}_fn"), &format!("{site}_fn.weight"), Role::Sensitive, &fn_shape);
        self.add(&format!("{site}_base"), &format!("{site}_base.weight"), Role::Vector, &[rows]);
        self.add(&format!("{site}_scale"), &format!("{site}_scale.weight"), Role::Vector, &[3]);
    }

    fn attention(&mut self) {
        use Role::{Projection, Vector};
        let c = self.config;
        let (hidden, q_rank) = (u64::from(c.hidden_size), u64::from(c.q_rank));
        let (head_dim, heads) = (u64::from(c.head_dim), c.heads_width());
        let groups = u64::from(c.n_output_groups);
        let low = groups * u64::from(c.output_rank);
        self.add("attn_norm.weight", "attn_norm.weight", Vector, &[hidden]);
        self.add("attn.wq_a.weight", "attn_q_a.weight", Projection, &[q_rank, hidden]);
        self.add("attn.q_norm.weight", "attn_q_a_norm.weight", Vector, &[q_rank]);
        self.add("attn.wq_b.weight", "attn_q_b.weight", Projection, &[heads, q_rank]);
        self.add("attn.wkv.weight", "attn_kv.weight", Projection, &[head_dim, hidden]);
        self.add("attn.kv_norm.weight", "attn_kv_a_norm.weight", Vector, &[head_dim]);
        self.add("attn.attn_sink", "attn_sinks.weight", Vector, &[u64::from(c.n_heads)]);
        self.add("attn.wo_a.weight", "attn_output_a.weight", Projection, &[low, heads / groups]);
        self.add("attn.wo_b.weight", "attn_output_b.weight", Projection, &[hidden, low]);
    }

    fn compressor(&mut self, source: &str, target: &str, ratio: u32, row: u64) {
        use Role::{Sensitive, Vector};
        let hidden = u64::from(self.config.hidden_size);
        let width = if ratio == OVERLAP_RATIO { 2 * row } else { row };
        let mut add = |from: &str, to: &str, role, shape: &[u64]| {
            self.add(&format!("{source}.{from}"), &format!("{target}_{to}.weight"), role, shape);
        };
        add("ape", "ape", Sensitive, &[u64::from(ratio), width]);
        add("wkv.weight", "kv", Sensitive, &[width, hidden]);
        add("wgate.weight", "gate", Sensitive, &[width, hidden]);
        add("norm.weight", "norm", Vector, &[row]);
    }

    fn indexer(&mut self) {
        use Role::Sensitive;
        let c = self.config;
        let (n_heads, dim) = (u64::from(c.n_index_heads), u64::from(c.index_dim));
        let q_b = [n_heads * dim, u64::from(c.q_rank)];
        let proj = [n_heads, u64::from(c.hidden_size)];
        self.add("attn.indexer.wq_b.weight", "indexer.attn_q_b.weight", Sensitive, &q_b);
        self.add("attn.indexer.weights_proj.weight", "indexer.proj.weight", Sensitive, &proj);
        self.compressor("attn.indexer.compressor", "indexer_compressor", OVERLAP_RATIO, dim);
    }

    fn feed_forward(&mut self, layer: u32) {
        use Role::{HashTable, Projection, Sensitive, Vector};
        let c = self.config;
        let (hidden, width) = (u64::from(c.hidden_size), u64::from(c.expert_width));
        let n_experts = u64::from(c.n_experts);
        self.add("ffn_norm.weight", "ffn_norm.weight", Vector, &[hidden]);
        self.add("ffn.gate.weight", "ffn_gate_inp.weight", Sensitive, &[n_experts, hidden]);
        if layer < c.n_hash_layers {
            let shape = [u64::from(c.vocab_size), u64::from(c.n_experts_per_token)];
            self.add("ffn.gate.tid2eid", "ffn_gate_tid2eid.weight", HashTable, &shape);
        } else {
            self.add("ffn.gate.bias", "exp_probs_b.bias", Vector, &[n_experts]);
        }
        let matrices = [
            ("w1", "ffn_gate", [width, hidden]),
            ("w3", "ffn_up", [width, hidden]),
            ("w2", "ffn_down", [hidden, width]),
        ];
        for (source, target, shape) in matrices {
            let prefix = format!("{}ffn.experts", self.source);
            self.list.push(Target {
                name: format!("{}{target}_exps.weight", self.target),
                role: Projection,
                sources: (0..n_experts).map(|e| format!("{prefix}.{e}.{source}.weight")).collect(),
                shape: shape.to_vec(),
                stacked: true,
            });
        }
        for (source, target, shape) in matrices {
            let source = format!("ffn.shared_experts.{source}.weight");
            self.add(&source, &format!("{target}_shexp.weight"), Projection, &shape);
        }
    }
}
