//! `config.json` of a checkpoint: dimensions and constants, and the metadata made of them.

use std::path::Path;

use anyhow::{Context, bail};
use gguf::WriterBuilder;
use serde_json::{Map, Value};

use super::refusal;
use crate::files::read_bounded;

/// Longest `config.json` read; the released one has a few KiB.
const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// Largest dimension accepted, as in the engine.
const MAX_SIZE: u32 = 1 << 24;

/// Most layers and experts accepted, so that a wrong configuration cannot ask for endless names.
const MAX_LAYERS: u32 = 256;
const MAX_EXPERTS: u32 = 1024;

/// The ratio whose compressor pools two overlapping series and has an indexer.
pub(super) const OVERLAP_RATIO: u32 = 4;

/// Dimensions and constants of a checkpoint (specification, section a).
#[derive(Debug)]
pub(super) struct Config {
    pub(super) n_layers: u32,
    pub(super) hidden_size: u32,
    pub(super) vocab_size: u32,
    pub(super) n_heads: u32,
    pub(super) head_dim: u32,
    pub(super) rope_dim: u32,
    pub(super) q_rank: u32,
    pub(super) n_output_groups: u32,
    pub(super) output_rank: u32,
    pub(super) window: u32,
    /// One per main layer.
    pub(super) compress_ratios: Vec<u32>,
    pub(super) n_index_heads: u32,
    pub(super) index_dim: u32,
    pub(super) index_top_k: u32,
    pub(super) n_experts: u32,
    pub(super) n_experts_per_token: u32,
    pub(super) expert_width: u32,
    pub(super) n_hash_layers: u32,
    pub(super) n_streams: u32,
    pub(super) n_sinkhorn_iterations: u32,
    pub(super) context_len: u32,
    hc_eps: f32,
    norm_eps: f32,
    expert_scale: f32,
    swiglu_limit: f32,
    rope_base: f32,
    compress_rope_base: f32,
    yarn_factor: f32,
    yarn_beta_fast: f32,
    yarn_beta_slow: f32,
    yarn_original_context_len: u32,
}

impl Config {
    /// Reads and checks `config.json` of the folder.
    pub(super) fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("config.json");
        if !path.is_file() {
            bail!(
                "{} has no config.json; give the folder of a Hugging Face checkpoint",
                dir.display()
            );
        }
        let bytes = read_bounded(&path, MAX_CONFIG_BYTES)?;
        let json: Value = serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not valid JSON", path.display()))?;
        let Value::Object(object) = json else { bail!("{} is no JSON object", path.display()) };
        check_model_type(&object).with_context(|| format!("cannot convert {}", dir.display()))?;
        let mut keys = Keys { object: &object, problems: Vec::new() };
        let config = keys.read();
        keys.check_fixed();
        // Contradictions of values that are not there would only repeat that they are missing.
        if keys.problems.is_empty() {
            keys.problems = config.contradictions();
        }
        match keys.problems.as_slice() {
            [] => Ok(config),
            problems => Err(refusal(&format!("{} cannot be used", path.display()), problems)),
        }
    }

    /// What would make names or shapes of tensors meaningless.
    fn contradictions(&self) -> Vec<String> {
        let checks = [
            (self.n_layers <= MAX_LAYERS, "num_hidden_layers is absurdly large"),
            (self.n_experts <= MAX_EXPERTS, "n_routed_experts is absurdly large"),
            (self.rope_dim <= self.head_dim, "qk_rope_head_dim is larger than head_dim"),
            (
                self.heads_width().is_multiple_of(u64::from(self.n_output_groups)),
                "the attention heads do not divide into o_groups",
            ),
            (
                self.n_experts_per_token <= self.n_experts,
                "num_experts_per_tok is larger than n_routed_experts",
            ),
            (
                self.n_hash_layers <= self.n_layers,
                "num_hash_layers is larger than num_hidden_layers",
            ),
            (
                self.compress_ratios.len() == self.n_layers as usize,
                "compress_ratios has fewer entries than num_hidden_layers",
            ),
            (
                self.compress_ratios
                    .iter()
                    .all(|ratio| matches!(ratio, 0 | 4 | 8 | 16 | 32 | 64 | 128)),
                "a compression ratio is neither 0 nor a power of two from 4 to 128",
            ),
        ];
        let failed = checks.iter().filter(|(holds, _)| !holds);
        failed.map(|(_, problem)| (*problem).to_owned()).collect()
    }

    /// Width of the concatenated query heads.
    pub(super) fn heads_width(&self) -> u64 {
        u64::from(self.n_heads) * u64::from(self.head_dim)
    }

    /// Adds everything the engine reads of the model, under the prefix `deepseek4`.
    pub(super) fn add_metadata(&self, builder: &mut WriterBuilder) -> gguf::Result<()> {
        let sizes = [
            ("block_count", self.n_layers),
            ("context_length", self.context_len),
            ("embedding_length", self.hidden_size),
            ("vocab_size", self.vocab_size),
            ("attention.head_count", self.n_heads),
            ("attention.head_count_kv", 1),
            ("attention.key_length", self.head_dim),
            ("attention.value_length", self.head_dim),
            ("rope.dimension_count", self.rope_dim),
            ("attention.q_lora_rank", self.q_rank),
            ("attention.output_lora_rank", self.output_rank),
            ("attention.output_group_count", self.n_output_groups),
            ("expert_count", self.n_experts),
            ("expert_used_count", self.n_experts_per_token),
            ("expert_feed_forward_length", self.expert_width),
            ("expert_shared_count", 1),
            ("expert_group_count", 0),
            ("expert_group_used_count", 0),
            ("hash_layer_count", self.n_hash_layers),
            ("attention.sliding_window", self.window),
            ("attention.indexer.head_count", self.n_index_heads),
            ("attention.indexer.key_length", self.index_dim),
            ("attention.indexer.top_k", self.index_top_k),
            ("hyper_connection.count", self.n_streams),
            ("hyper_connection.sinkhorn_iterations", self.n_sinkhorn_iterations),
            ("rope.scaling.original_context_length", self.yarn_original_context_len),
        ];
        for (key, size) in sizes {
            builder.metadata(&format!("deepseek4.{key}"), size)?;
        }
        let floats = [
            ("hyper_connection.epsilon", self.hc_eps),
            ("attention.layer_norm_rms_epsilon", self.norm_eps),
            ("expert_weights_scale", self.expert_scale),
            ("rope.freq_base", self.rope_base),
            ("attention.compress_rope_freq_base", self.compress_rope_base),
            ("rope.scaling.factor", self.yarn_factor),
            ("rope.scaling.yarn_beta_fast", self.yarn_beta_fast),
            ("rope.scaling.yarn_beta_slow", self.yarn_beta_slow),
        ];
        for (key, float) in floats {
            builder.metadata(&format!("deepseek4.{key}"), float)?;
        }
        builder.metadata("deepseek4.rope.scaling.type", "yarn")?;
        builder.metadata("deepseek4.expert_weights_norm", true)?;
        builder.metadata("deepseek4.attention.compress_ratios", self.compress_ratios.clone())?;
        let limits = vec![self.swiglu_limit; self.n_layers as usize];
        builder.metadata("deepseek4.swiglu_clamp_exp", limits)?;
        Ok(())
    }
}

fn check_model_type(object: &Map<String, Value>) -> anyhow::Result<()> {
    match object.get("model_type").and_then(Value::as_str) {
        Some("deepseek_v4") => Ok(()),
        Some("deepseek_v41") => {
            bail!("this is DeepSeek V4.1, another architecture; only DeepSeek V4 can be converted")
        }
        Some(other) => bail!("its model_type is {other:?}; only \"deepseek_v4\" can be converted"),
        None => bail!("its config.json has no model_type; only \"deepseek_v4\" can be converted"),
    }
}

/// Reads keys and collects everything that is wrong with them; a value that could not be read is
/// replaced by one that is never used, since the problem ends the conversion.
struct Keys<'a> {
    object: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl Keys<'_> {
    fn read(&mut self) -> Config {
        let n_layers = self.size("num_hidden_layers");
        Config {
            n_layers,
            hidden_size: self.size("hidden_size"),
            vocab_size: self.size("vocab_size"),
            n_heads: self.size("num_attention_heads"),
            head_dim: self.size("head_dim"),
            rope_dim: self.size("qk_rope_head_dim"),
            q_rank: self.size("q_lora_rank"),
            n_output_groups: self.size("o_groups"),
            output_rank: self.size("o_lora_rank"),
            window: self.size("sliding_window"),
            compress_ratios: self.ratios("compress_ratios", n_layers),
            n_index_heads: self.size("index_n_heads"),
            index_dim: self.size("index_head_dim"),
            index_top_k: self.size("index_topk"),
            n_experts: self.size("n_routed_experts"),
            n_experts_per_token: self.size("num_experts_per_tok"),
            expert_width: self.size("moe_intermediate_size"),
            n_hash_layers: self.integer("num_hash_layers", 0),
            n_streams: self.size("hc_mult"),
            n_sinkhorn_iterations: self.size("hc_sinkhorn_iters"),
            context_len: self.size("max_position_embeddings"),
            hc_eps: self.float("hc_eps"),
            norm_eps: self.float("rms_norm_eps"),
            expert_scale: self.float("routed_scaling_factor"),
            swiglu_limit: self.float("swiglu_limit"),
            rope_base: self.float("rope_theta"),
            compress_rope_base: self.float("compress_rope_theta"),
            yarn_factor: self.float("rope_scaling.factor"),
            yarn_beta_fast: self.float("rope_scaling.beta_fast"),
            yarn_beta_slow: self.float("rope_scaling.beta_slow"),
            yarn_original_context_len: self.size("rope_scaling.original_max_position_embeddings"),
        }
    }

    /// Settings with only one implemented value, which a configuration may leave unsaid.
    fn check_fixed(&mut self) {
        let fixed = [
            ("num_key_value_heads", Value::from(1)),
            ("n_shared_experts", Value::from(1)),
            ("scoring_func", Value::from("sqrtsoftplus")),
            ("norm_topk_prob", Value::from(true)),
            ("tie_word_embeddings", Value::from(false)),
            ("rope_scaling.type", Value::from("yarn")),
        ];
        for (key, only) in fixed {
            if let Some(found) = self.value(key).filter(|found| **found != only) {
                let problem = format!("{key} is {found}, only {only} is implemented");
                self.problems.push(problem);
            }
        }
    }

    /// The value of a key, where a dot leads into an object.
    fn value(&self, key: &str) -> Option<&Value> {
        let (first, rest) =
            key.split_once('.').map_or((key, None), |(first, rest)| (first, Some(rest)));
        let value = self.object.get(first)?;
        rest.map_or(Some(value), |rest| value.get(rest))
    }

    fn convert<T>(
        &mut self,
        key: &str,
        expected: &str,
        convert: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let Some(value) = self.value(key) else {
            self.problems.push(format!("{key} is missing"));
            return None;
        };
        let converted = convert(value);
        if converted.is_none() {
            let problem = format!("{key} is {value}, expected {expected}");
            self.problems.push(problem);
        }
        converted
    }

    fn size(&mut self, key: &str) -> u32 {
        self.integer(key, 1)
    }

    fn integer(&mut self, key: &str, least: u32) -> u32 {
        let expected = format!("an integer from {least} to {MAX_SIZE}");
        self.convert(key, &expected, |value| {
            let integer = u32::try_from(value.as_u64()?).ok()?;
            (least..=MAX_SIZE).contains(&integer).then_some(integer)
        })
        .unwrap_or(1)
    }

    fn float(&mut self, key: &str) -> f32 {
        self.convert(key, "a positive number", |value| {
            let float = value.as_f64()? as f32;
            (float > 0.0 && float.is_finite()).then_some(float)
        })
        .unwrap_or(1.0)
    }

    /// The ratios of the main layers; entries after them belong to draft blocks.
    fn ratios(&mut self, key: &str, n_layers: u32) -> Vec<u32> {
        let ratio = |value: &Value| u32::try_from(value.as_u64()?).ok();
        self.convert(key, "an array of integers", |value| {
            value.as_array()?.iter().take(n_layers as usize).map(ratio).collect()
        })
        .unwrap_or_default()
    }
}
