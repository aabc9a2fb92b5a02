//! The model's dimensions: read from metadata, checked against each other.

use backend::{HcParams, YarnParams};
use gguf::Metadata;

use crate::error::{Error, Result};

/// The one architecture this crate runs, as `general.architecture` spells it.
pub const ARCHITECTURE: &str = "deepseek4";

/// Spellings under which V4.1 files may arrive; refused by name because users will try.
const V41_SPELLINGS: [&str; 4] = ["deepseek_v41", "deepseek41", "deepseek4.1", "deepseek-v4.1"];

/// The window ratio whose compressor pools two overlapping series and has an indexer.
pub(crate) const OVERLAP_RATIO: usize = 4;

/// The longest compression window. Ratios are powers of two, so every window ends where one of
/// these ends.
pub(crate) const LARGEST_RATIO: usize = 128;

/// Whether layers may compress by this ratio; 0 is none.
fn is_compression_ratio(ratio: usize) -> bool {
    ratio == 0 || ratio.is_power_of_two() && (OVERLAP_RATIO..=LARGEST_RATIO).contains(&ratio)
}

/// Dimensions and constants of one model file (specification, section a).
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Main layers, 43.
    pub n_layers: usize,
    /// Width of one residual stream, 4,096.
    pub hidden_size: usize,
    /// Rows of embedding and output head, 129,280.
    pub vocab_size: usize,
    /// Query heads, 64; they share one K = V row.
    pub n_heads: usize,
    /// Channels of a head, 512.
    pub head_dim: usize,
    /// Rotated channels at the end of a head, 64.
    pub rope_dim: usize,
    /// Width of the low-rank query, 1,024.
    pub q_rank: usize,
    /// Groups of the output projection, 8.
    pub n_output_groups: usize,
    /// Width of each group's low-rank output, 1,024.
    pub output_rank: usize,
    /// Positions in the raw window, 128.
    pub window: usize,
    /// Tokens per compressed row, layer by layer: 0 (no compression), 4 or 128.
    pub compress_ratios: Vec<usize>,
    /// Indexer heads, 64.
    pub n_index_heads: usize,
    /// Channels of an indexer head, 128.
    pub index_dim: usize,
    /// Compressed rows that a query of a ratio-4 layer may read, 512.
    pub index_top_k: usize,
    /// Routed experts, 256.
    pub n_experts: usize,
    /// Routed experts that a token passes, 6.
    pub n_experts_per_token: usize,
    /// Hidden width of an expert, 2,048.
    pub expert_width: usize,
    /// First layers, whose experts are a function of the token id, 3.
    pub n_hash_layers: usize,
    /// Factor on the weights of the routed experts, 1.5.
    pub expert_scale: f32,
    /// Clamp inside the experts, layer by layer, 10.
    pub swiglu_limits: Vec<f32>,
    /// Hyper-connection constants: 4 streams, 20 iterations.
    pub hyper_connection: HcParams,
    /// Epsilon of every norm, 1e-6.
    pub norm_eps: f32,
    /// Rotation base of layers without compression, 10,000.
    pub rope_base: f32,
    /// Rotation base of layers with compression, 160,000.
    pub compress_rope_base: f32,
    /// Context extension of layers with compression.
    pub yarn: YarnParams,
}

impl Geometry {
    /// The published `DeepSeek` V4 Flash.
    pub fn flash() -> Self {
        let ratio = |layer: usize| match layer {
            0 | 1 => 0,
            even if even.is_multiple_of(2) => 4,
            _ => 128,
        };
        Self {
            n_layers: 43,
            hidden_size: 4096,
            vocab_size: 129_280,
            n_heads: 64,
            head_dim: 512,
            rope_dim: 64,
            q_rank: 1024,
            n_output_groups: 8,
            output_rank: 1024,
            window: 128,
            compress_ratios: (0..43).map(ratio).collect(),
            n_index_heads: 64,
            index_dim: 128,
            index_top_k: 512,
            n_experts: 256,
            n_experts_per_token: 6,
            expert_width: 2048,
            n_hash_layers: 3,
            expert_scale: 1.5,
            swiglu_limits: vec![10.0; 43],
            hyper_connection: HcParams {
                n_streams: 4,
                n_iterations: 20,
                eps: 1e-6,
                norm_eps: 1e-6,
            },
            norm_eps: 1e-6,
            rope_base: 10_000.0,
            compress_rope_base: 160_000.0,
            yarn: YarnParams {
                factor: 16.0,
                original_context: 65_536,
                beta_fast: 32.0,
                beta_slow: 1.0,
            },
        }
    }

    /// Reads and checks the dimensions of a file.
    ///
    /// # Errors
    /// If the architecture is another one, a key is missing or has another type, or the values do
    /// not fit together; all contradictions are reported at once.
    pub fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let architecture = metadata.string("general.architecture").map_err(Error::Metadata)?;
        if V41_SPELLINGS.contains(&architecture) {
            return Err(Error::V41 { found: architecture.to_owned() });
        }
        if architecture != ARCHITECTURE {
            return Err(Error::Architecture { found: architecture.to_owned() });
        }
        let geometry = Keys { metadata }.read().map_err(Error::Metadata)?;
        let mut problems = geometry.contradictions();
        problems.extend(Keys { metadata }.unsupported().map_err(Error::Metadata)?);
        if problems.is_empty() { Ok(geometry) } else { Err(Error::Geometry(problems)) }
    }

    /// Everything about the values that no forward pass could run with.
    fn contradictions(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut require = |holds: bool, problem: &str| {
            if !holds {
                problems.push(problem.to_owned());
            }
        };
        let nope = self.head_dim.wrapping_sub(self.rope_dim);
        let sizes = [
            self.n_layers,
            self.hidden_size,
            self.vocab_size,
            self.n_heads,
            self.head_dim,
            self.rope_dim,
            self.q_rank,
            self.n_output_groups,
            self.output_rank,
            self.window,
            self.n_experts,
            self.n_experts_per_token,
            self.expert_width,
            self.hyper_connection.n_streams,
            self.hyper_connection.n_iterations,
        ];
        require(
            sizes.iter().all(|size| (1..=1 << 24).contains(size)),
            "a dimension is 0 or absurd",
        );
        require(self.rope_dim <= self.head_dim, "more rotated channels than a head has");
        require(self.rope_dim.is_multiple_of(2), "an odd number of rotated channels");
        require(
            nope.is_multiple_of(64),
            "the channels that are not rotated must be a multiple of 64",
        );
        require(self.hyper_connection.n_streams <= 16, "more than 16 hyper-connection streams");
        require(
            self.n_output_groups > 0
                && (self.n_heads * self.head_dim).is_multiple_of(self.n_output_groups),
            "the heads do not divide into the output groups",
        );
        require(self.n_experts_per_token <= self.n_experts, "more experts used than there are");
        require(self.n_hash_layers <= self.n_layers, "more hash layers than layers");
        require(
            self.compress_ratios.len() == self.n_layers
                && self.swiglu_limits.len() == self.n_layers,
            "compress_ratios or swiglu_clamp_exp has fewer entries than there are layers",
        );
        require(
            self.compress_ratios.iter().all(|&ratio| is_compression_ratio(ratio)),
            "a compression ratio is neither 0 nor a power of two from 4 to 128",
        );
        if self.compress_ratios.contains(&OVERLAP_RATIO) {
            require(
                self.index_dim.is_power_of_two()
                    && self.index_dim >= 32
                    && self.index_dim <= 1 << 16,
                "the indexer's head length must be a power of two of at least 32",
            );
            require(
                self.n_index_heads > 0 && self.index_top_k > 0,
                "the indexer has no heads or rows",
            );
            require(
                self.rope_dim <= self.index_dim,
                "the indexer's heads are shorter than the rotation",
            );
        }
        problems
    }

    /// Width of the concatenated query heads.
    pub fn heads_width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of the compressor projections of a layer for rows of `row_width` channels.
    pub(crate) fn compressor_width(ratio: usize, row_width: usize) -> usize {
        if ratio == OVERLAP_RATIO { 2 * row_width } else { row_width }
    }

    /// Whether a layer chooses among its compressed rows.
    pub(crate) fn has_indexer(&self, layer: usize) -> bool {
        self.compress_ratios[layer] == OVERLAP_RATIO
    }
}

/// Metadata under this architecture's prefix.
struct Keys<'a> {
    metadata: &'a Metadata,
}

impl Keys<'_> {
    fn size(&self, key: &str) -> gguf::Result<usize> {
        let value = self.metadata.u64(&format!("{ARCHITECTURE}.{key}"))?;
        // Absurd sizes are reported with the other contradictions; they only must not wrap.
        Ok(usize::try_from(value).unwrap_or(usize::MAX).min(1 << 40))
    }

    fn float(&self, key: &str) -> gguf::Result<f32> {
        Ok(self.metadata.f64(&format!("{ARCHITECTURE}.{key}"))? as f32)
    }

    fn read(&self) -> gguf::Result<Geometry> {
        let n_layers = self.size("block_count")?;
        let norm_eps = self.float("attention.layer_norm_rms_epsilon")?;
        let ratios =
            self.metadata.integers(&format!("{ARCHITECTURE}.attention.compress_ratios"))?;
        let limits = self.metadata.floats(&format!("{ARCHITECTURE}.swiglu_clamp_exp"))?;
        Ok(Geometry {
            n_layers,
            hidden_size: self.size("embedding_length")?,
            vocab_size: self.size("vocab_size")?,
            n_heads: self.size("attention.head_count")?,
            head_dim: self.size("attention.key_length")?,
            rope_dim: self.size("rope.dimension_count")?,
            q_rank: self.size("attention.q_lora_rank")?,
            n_output_groups: self.size("attention.output_group_count")?,
            output_rank: self.size("attention.output_lora_rank")?,
            window: self.size("attention.sliding_window")?,
            // Trailing entries describe draft blocks, which are not main layers.
            compress_ratios: ratios
                .iter()
                .take(n_layers)
                .map(|ratio| usize::try_from(*ratio).unwrap_or(usize::MAX))
                .collect(),
            n_index_heads: self.size("attention.indexer.head_count")?,
            index_dim: self.size("attention.indexer.key_length")?,
            index_top_k: self.size("attention.indexer.top_k")?,
            n_experts: self.size("expert_count")?,
            n_experts_per_token: self.size("expert_used_count")?,
            expert_width: self.size("expert_feed_forward_length")?,
            n_hash_layers: self.size("hash_layer_count")?,
            expert_scale: self.float("expert_weights_scale")?,
            swiglu_limits: limits.iter().take(n_layers).map(|limit| *limit as f32).collect(),
            hyper_connection: HcParams {
                n_streams: self.size("hyper_connection.count")?,
                n_iterations: self.size("hyper_connection.sinkhorn_iterations")?,
                eps: self.float("hyper_connection.epsilon")?,
                norm_eps,
            },
            norm_eps,
            rope_base: self.float("rope.freq_base")?,
            compress_rope_base: self.float("attention.compress_rope_freq_base")?,
            yarn: YarnParams {
                factor: self.float("rope.scaling.factor")?,
                original_context: self.size("rope.scaling.original_context_length")? as u32,
                beta_fast: self.float("rope.scaling.yarn_beta_fast")?,
                beta_slow: self.float("rope.scaling.yarn_beta_slow")?,
            },
        })
    }

    /// Values that have only one implemented setting.
    fn unsupported(&self) -> gguf::Result<Vec<String>> {
        let mut problems = Vec::new();
        for (key, only) in [("attention.head_count_kv", 1), ("expert_shared_count", 1)] {
            let found = self.size(key)?;
            if found != only {
                problems.push(format!("{key} is {found}, only {only} is implemented"));
            }
        }
        if self.size("attention.value_length")? != self.size("attention.key_length")? {
            problems.push("keys and values have different lengths".to_owned());
        }
        for key in ["expert_group_count", "expert_group_used_count"] {
            let full = format!("{ARCHITECTURE}.{key}");
            if self.metadata.optional_u64(&full)?.is_some_and(|count| count != 0) {
                problems.push(format!("{key} is not 0; grouped routing is not implemented"));
            }
        }
        if !self.metadata.bool(&format!("{ARCHITECTURE}.expert_weights_norm"))? {
            problems.push("expert_weights_norm is false; weights are always normalised".to_owned());
        }
        Ok(problems)
    }
}
