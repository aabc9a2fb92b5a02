//! Small random models in the file format, with any geometry, tensor types and faults.

use backend::conformance::inputs::{Random, integers, plain, weight};
use backend::{HcParams, YarnParams};
use gguf::{MappedFile, Tensor, TensorType, Value, WriterBuilder};
use model::{Geometry, Role, TensorSpec, tensor_specs};

/// A model to be written: change what a test is about, then [`Fixture::write`].
pub(crate) struct Fixture {
    pub(crate) metadata: Vec<(String, Value)>,
    pub(crate) tensors: Vec<Tensor>,
}

/// Five layers with every kind there is; the window slides, the indexer chooses and the clamp acts
/// within a few hundred tokens.
pub(crate) fn nano() -> Geometry {
    Geometry {
        n_layers: 5,
        hidden_size: 64,
        vocab_size: 320,
        n_heads: 4,
        head_dim: 80,
        rope_dim: 16,
        q_rank: 32,
        n_output_groups: 2,
        output_rank: 16,
        window: 16,
        compress_ratios: vec![0, 0, 4, 128, 4],
        n_index_heads: 16,
        index_dim: 32,
        index_top_k: 8,
        n_experts: 8,
        n_experts_per_token: 3,
        expert_width: 32,
        n_hash_layers: 1,
        expert_scale: 1.5,
        swiglu_limits: vec![1.0; 5],
        hyper_connection: HcParams { n_streams: 4, n_iterations: 20, eps: 1e-6, norm_eps: 1e-6 },
        norm_eps: 1e-6,
        rope_base: 10_000.0,
        compress_rope_base: 160_000.0,
        yarn: YarnParams { factor: 16.0, original_context: 256, beta_fast: 32.0, beta_slow: 1.0 },
    }
}

/// The same layers with row lengths that every block format can store.
pub(crate) fn wide() -> Geometry {
    Geometry {
        hidden_size: 256,
        vocab_size: 512,
        head_dim: 128,
        rope_dim: 64,
        q_rank: 256,
        output_rank: 128,
        index_dim: 128,
        expert_width: 256,
        ..nano()
    }
}

/// Everything in f32.
pub(crate) fn all_f32(spec: &TensorSpec) -> TensorType {
    if spec.role == Role::HashTable { TensorType::I32 } else { TensorType::F32 }
}

/// The published q2 recipe.
pub(crate) fn q2(spec: &TensorSpec) -> TensorType {
    let sensitive = ["hc_", "compressor", "indexer", "gate_inp"];
    match spec.role {
        Role::Embedding => TensorType::F16,
        Role::HashTable => TensorType::I32,
        Role::Vector => TensorType::F32,
        Role::Experts if spec.name.contains("down") => TensorType::Q2K,
        Role::Experts => TensorType::Iq2Xxs,
        Role::Dense if sensitive.iter().any(|part| spec.name.contains(part)) => TensorType::F16,
        Role::Dense => TensorType::Q8_0,
    }
}

fn metadata(g: &Geometry) -> Vec<(String, Value)> {
    let mut pairs = vec![("general.architecture".to_owned(), Value::from("deepseek4".to_owned()))];
    let mut put = |key: &str, value: Value| pairs.push((format!("deepseek4.{key}"), value));
    for (key, size) in [
        ("block_count", g.n_layers),
        ("embedding_length", g.hidden_size),
        ("vocab_size", g.vocab_size),
        ("attention.head_count", g.n_heads),
        ("attention.head_count_kv", 1),
        ("attention.key_length", g.head_dim),
        ("attention.value_length", g.head_dim),
        ("rope.dimension_count", g.rope_dim),
        ("attention.q_lora_rank", g.q_rank),
        ("attention.output_lora_rank", g.output_rank),
        ("attention.output_group_count", g.n_output_groups),
        ("expert_count", g.n_experts),
        ("expert_used_count", g.n_experts_per_token),
        ("expert_shared_count", 1),
        ("expert_feed_forward_length", g.expert_width),
        ("hash_layer_count", g.n_hash_layers),
        ("attention.sliding_window", g.window),
        ("attention.indexer.head_count", g.n_index_heads),
        ("attention.indexer.key_length", g.index_dim),
        ("attention.indexer.top_k", g.index_top_k),
        ("hyper_connection.count", g.hyper_connection.n_streams),
        ("hyper_connection.sinkhorn_iterations", g.hyper_connection.n_iterations),
        ("rope.scaling.original_context_length", g.yarn.original_context as usize),
    ] {
        put(key, Value::U32(size as u32));
    }
    for (key, value) in [
        ("hyper_connection.epsilon", g.hyper_connection.eps),
        ("rope.freq_base", g.rope_base),
        ("attention.compress_rope_freq_base", g.compress_rope_base),
        ("rope.scaling.factor", g.yarn.factor),
        ("rope.scaling.yarn_beta_fast", g.yarn.beta_fast),
        ("rope.scaling.yarn_beta_slow", g.yarn.beta_slow),
        ("expert_weights_scale", g.expert_scale),
        ("attention.layer_norm_rms_epsilon", g.norm_eps),
    ] {
        put(key, Value::F32(value));
    }
    put("expert_weights_norm", Value::Bool(true));
    let ratios: Vec<u32> = g.compress_ratios.iter().map(|ratio| *ratio as u32).collect();
    put("attention.compress_ratios", Value::from(ratios));
    put("swiglu_clamp_exp", Value::from(g.swiglu_limits.clone()));
    pairs
}

fn tensor(random: &mut Random, g: &Geometry, spec: &TensorSpec, kind: TensorType) -> Tensor {
    let dims: Vec<usize> = spec.dims.iter().map(|d| *d as usize).collect();
    let mut tensor = match spec.role {
        Role::HashTable => {
            let rows = (0..g.vocab_size).flat_map(|_| {
                let experts = random.permutation(g.n_experts);
                experts.into_iter().take(g.n_experts_per_token).map(|e| e as i32)
            });
            integers(dims[0], &rows.collect::<Vec<_>>())
        }
        Role::Vector => {
            let n = dims.iter().product();
            let factor = spec.name.contains("norm") || spec.name.contains("scale");
            let (centre, spread) = if factor { (1.0, 0.2) } else { (0.0, 1.0) };
            let values: Vec<f32> = (0..n).map(|_| centre + spread * random.normal()).collect();
            plain(&dims, &values)
        }
        _ => weight(random, kind, &dims, 1.5),
    };
    tensor.name.clone_from(&spec.name);
    tensor
}

impl Fixture {
    /// A model of random weights; `kind` chooses each tensor's type (vectors stay f32).
    pub(crate) fn new(geometry: &Geometry, kind: fn(&TensorSpec) -> TensorType, seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let specs = tensor_specs(geometry);
        let tensors = specs.iter().map(|s| tensor(random, geometry, s, kind(s))).collect();
        Self { metadata: metadata(geometry), tensors }
    }

    pub(crate) fn set(&mut self, key: &str, value: Value) {
        let pair = self.metadata.iter_mut().find(|(name, _)| name == key);
        pair.expect("the key is in every fixture").1 = value;
    }

    pub(crate) fn tensor_mut(&mut self, name: &str) -> &mut Tensor {
        self.tensors.iter_mut().find(|t| t.name == name).expect("the tensor is in every fixture")
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.tensors.retain(|tensor| tensor.name != name);
    }

    /// Writes the file and maps it.
    pub(crate) fn write(&self) -> MappedFile {
        let mut builder = WriterBuilder::new();
        for (key, value) in &self.metadata {
            builder.metadata(key, value.clone()).expect("keys differ");
        }
        for tensor in &self.tensors {
            builder.tensor(&tensor.name, &tensor.dims, tensor.kind).expect("tensors are sound");
        }
        let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let mut writer = builder.begin(&file).expect("the header can be written");
        for tensor in &self.tensors {
            writer.tensor(&tensor.name, &tensor.data).expect("the data can be written");
        }
        writer.finish().expect("everything declared was written");
        // The mapping outlives the name.
        MappedFile::open(file.path()).expect("what was written can be read")
    }
}

/// Tokens that are not all alike.
pub(crate) fn tokens(geometry: &Geometry, n: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    (0..n).map(|_| random.below(geometry.vocab_size) as u32).collect()
}
