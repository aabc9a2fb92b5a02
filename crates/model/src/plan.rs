//! What a model costs: bytes of memory before they are taken, bytes that a token reads.

use backend::{KvLayout, KvRounding};
use gguf::MappedFile;

use crate::forward::HEAD_ROWS;
use crate::geometry::{Geometry, OVERLAP_RATIO};
use crate::inference::Options;
use crate::slot::{checkpoints, kept_inputs, ring_rows};
use crate::tensors::{Role, TensorSpec, tensor_specs};

/// Weight bytes that one decoded token reads: the speed limit of a machine is its bandwidth
/// divided by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveBytes {
    /// Past `index_top_k` compressed rows, when the indexer's queries are needed.
    pub total: u64,
}

impl ActiveBytes {
    /// Counts from the directory of a file.
    pub fn of_file(file: &MappedFile, geometry: &Geometry) -> Self {
        let bytes = |spec: &TensorSpec| file.header().tensor(&spec.name).map_or(0, |t| t.bytes);
        Self::count(geometry, bytes)
    }

    fn count(g: &Geometry, bytes: impl Fn(&TensorSpec) -> u64) -> Self {
        let share = |spec: &TensorSpec| match spec.role {
            Role::Dense | Role::Vector => bytes(spec),
            Role::Embedding | Role::HashTable => bytes(spec) / g.vocab_size as u64,
            Role::Experts => bytes(spec) / g.n_experts as u64 * g.n_experts_per_token as u64,
        };
        Self { total: tensor_specs(g).iter().map(share).sum() }
    }
}

/// Memory that a model takes beside its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Compressed rows and index rows of one slot at full context.
    pub kv_bytes: u64,
    /// Raw rings, checkpoints and inputs of open windows of one slot; they stop growing with the context at a few
    /// thousand tokens.
    pub window_bytes: u64,
    /// Slots.
    pub n_slots: u64,
    /// Activations, shared by all slots.
    pub activation_bytes: u64,
    /// What a backend keeps beside them; 0 until somebody who knows the backend has filled it in.
    pub scratch_bytes: u64,
}

impl MemoryPlan {
    /// Plans `n_slots` slots of `capacity` tokens.
    pub fn new(g: &Geometry, options: &Options, capacity: usize, n_slots: usize) -> Self {
        let rows = KvLayout::attention(g.head_dim, g.rope_dim, options.kv_rounding);
        let mut kv_bytes = 0;
        let mut window_bytes = 0;
        let (n_checkpoints, _) = checkpoints(g, options, capacity);
        let raw_rows = ring_rows(g, options, capacity) + n_checkpoints * (g.window - 1);
        for &ratio in &g.compress_ratios {
            window_bytes += raw_rows * rows.row_bytes();
            // A layer of ratio 0 does not compress.
            if let Some(n_rows) = capacity.checked_div(ratio) {
                kv_bytes += n_rows * rows.row_bytes();
                window_bytes += input_bytes(ratio, g.head_dim, options, capacity);
            }
            if ratio == OVERLAP_RATIO {
                let keys = KvLayout::index(g.index_dim, options.kv_rounding);
                kv_bytes += capacity / ratio * keys.row_bytes();
                window_bytes += input_bytes(ratio, g.index_dim, options, capacity);
            }
        }
        Self {
            kv_bytes: kv_bytes as u64,
            window_bytes: window_bytes as u64,
            n_slots: n_slots as u64,
            activation_bytes: activation_bytes(g, options.max_batch, capacity, n_slots),
            scratch_bytes: 0,
        }
    }

    /// Bytes of all vectors and small tables in f32, as backends may keep them decoded.
    pub fn vector_bytes(g: &Geometry) -> u64 {
        let specs = tensor_specs(g);
        let vectors = specs.iter().filter(|spec| spec.role == Role::Vector);
        vectors.map(|spec| 4 * spec.dims.iter().product::<u64>()).sum()
    }

    /// Bytes of the compressed rows and index rows of `n_tokens` tokens.
    pub fn stored_bytes(g: &Geometry, n_tokens: usize) -> u64 {
        let options = Options::new(1, KvRounding::Applied);
        Self::new(g, &options, n_tokens, 1).kv_bytes
    }

    /// Everything together.
    pub fn total_bytes(&self) -> u64 {
        (self.kv_bytes + self.window_bytes) * self.n_slots
            + self.activation_bytes
            + self.scratch_bytes
    }

    /// KV bytes that every further token costs, averaged over the windows of all layers.
    pub fn kv_bytes_per_token(g: &Geometry) -> f64 {
        let rows = KvLayout::attention(g.head_dim, g.rope_dim, KvRounding::Applied).row_bytes();
        let of_layer = |&ratio: &usize| match ratio {
            0 => 0.0,
            OVERLAP_RATIO => {
                let keys = KvLayout::index(g.index_dim, KvRounding::Applied).row_bytes();
                (rows + keys) as f64 / ratio as f64
            }
            _ => rows as f64 / ratio as f64,
        };
        g.compress_ratios.iter().map(of_layer).sum()
    }
}

/// Values and scores of the tokens whose inputs a compressor keeps.
fn input_bytes(ratio: usize, row_width: usize, options: &Options, capacity: usize) -> usize {
    let n_tokens = kept_inputs(ratio, options, capacity);
    2 * 4 * n_tokens * Geometry::compressor_width(ratio, row_width)
}

/// The activations of a full batch, f32, as far as anybody writes to them: `n_slots` slots want
/// logits of one token each (the rows of the head, and what the host reads them into), and only a
/// context with more index rows than a query may read has queries for them.
fn activation_bytes(g: &Geometry, max_batch: usize, capacity: usize, n_slots: usize) -> u64 {
    let n_streams = g.hyper_connection.n_streams;
    let chooses = capacity / OVERLAP_RATIO > g.index_top_k;
    let index_queries = if chooses { g.n_index_heads * g.index_dim + g.index_top_k } else { 0 };
    let per_token = (n_streams + 3) * g.hidden_size
        + g.hyper_connection.gates_width()
        + 2 * g.heads_width()
        + 2 * (g.q_rank + g.head_dim)
        + g.n_output_groups * g.output_rank
        + 6 * g.head_dim
        + 4 * g.index_dim
        + g.n_index_heads
        + index_queries;
    let per_logits = 2 * g.vocab_size + (n_streams + 2) * g.hidden_size;
    4 * (per_token * max_batch + per_logits * n_slots.min(HEAD_ROWS)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use gguf::TensorType;

    /// The published q2 recipe (specification b.4).
    fn q2_bytes(spec: &TensorSpec) -> u64 {
        let kind = match spec.role {
            Role::Embedding => TensorType::F16,
            Role::HashTable => TensorType::I32,
            Role::Experts if spec.name.contains("down") => TensorType::Q2K,
            Role::Experts => TensorType::Iq2Xxs,
            Role::Vector if spec.name.contains("_ape") => TensorType::F16,
            Role::Vector => TensorType::F32,
            Role::Dense
                if ["hc_", "compressor", "indexer", "gate_inp"]
                    .iter()
                    .any(|part| spec.name.contains(part)) =>
            {
                TensorType::F16
            }
            Role::Dense => TensorType::Q8_0,
        };
        let rows: u64 = spec.dims[1..].iter().product();
        rows * kind.row_bytes(spec.dims[0] as usize) as u64
    }

    /// Oracle: specification b.5, derived from the published file sizes.
    #[test]
    fn q2_totals_are_the_published_ones() {
        let flash = Geometry::flash();
        let specs = tensor_specs(&flash);
        assert_eq!(specs.len(), 1328);
        assert_eq!(specs.iter().map(q2_bytes).sum::<u64>(), 86_714_775_900);
        assert_eq!(ActiveBytes::count(&flash, q2_bytes).total, 9_559_118_244);
    }

    /// Oracle: design section 5.
    #[test]
    fn packed_kv_costs_3509_bytes_a_token() {
        let rate = MemoryPlan::kv_bytes_per_token(&Geometry::flash());
        assert!((3508.0..=3509.0).contains(&rate), "{rate}");
        let options = Options::new(512, KvRounding::Applied);
        let plan = MemoryPlan::new(&Geometry::flash(), &options, 1 << 20, 1);
        // Both ratios divide 2^20, so the plan is the rate times the tokens.
        assert_eq!(plan.kv_bytes, (rate * f64::from(1 << 20)) as u64);
    }

    /// Oracle: 43 rings and 16 checkpoints of 583-byte rows; values and scores in f32, 512 of 20 layers for 512 tokens,
    /// and 1,024 and 256 of 21 layers for 8.
    #[test]
    fn rewinding_costs_what_the_plan_says() {
        let options = Options::new(512, KvRounding::Applied);
        let plan = |capacity| MemoryPlan::new(&Geometry::flash(), &options, capacity, 1);
        let inputs = 8 * (20 * 512 * 512 + 21 * 8 * (1024 + 256));
        assert_eq!(plan(1 << 20).window_bytes, 43 * 583 * (4350 + 16 * 127) + inputs);
        assert_eq!(plan(1000).window_bytes, 43 * 583 * 1000 + inputs);
        let none = Options { rewind_tokens: 0, ..options };
        let plan = MemoryPlan::new(&Geometry::flash(), &none, 1 << 20, 1);
        let inputs = 8 * (20 * 128 * 512 + 21 * 8 * (1024 + 256));
        assert_eq!(plan.window_bytes, 43 * 583 * 639 + inputs);
    }
}
