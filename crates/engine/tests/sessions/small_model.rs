//! A small model with random f32 weights and a vocabulary of bytes, as a file.

use gguf::{MappedFile, Tensor, TensorType, Value, WriterBuilder};
use model::{Geometry, Role, TensorSpec, tensor_specs};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

const VOCAB_SIZE: u32 = 320;
const N_EXPERTS: u32 = 8;
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

const CONTROL_TOKENS: [&str; 7] = [
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<think>",
    "</think>",
    "｜DSML｜",
];

/// Id of `</think>`: the control tokens follow the 256 bytes.
pub(crate) const THINK_END: u32 = 261;

/// What the file says, to be changed before it is written.
pub(crate) struct SmallModel {
    pub(crate) metadata: Vec<(String, Value)>,
}

impl SmallModel {
    pub(crate) fn new() -> Self {
        let mut metadata = vec![("general.architecture".to_owned(), Value::from("deepseek4"))];
        metadata.extend(geometry().map(|(key, value)| (format!("deepseek4.{key}"), value)));
        metadata.extend(vocabulary().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)));
        Self { metadata }
    }

    /// KV of the published model's shape, behind weights that are next to nothing.
    pub(crate) fn flash_shaped() -> Self {
        let mut model = Self::new();
        let ratios: Vec<u32> =
            Geometry::flash().compress_ratios.iter().map(|r| *r as u32).collect();
        let n_layers = ratios.len();
        for (key, size) in [
            ("block_count", n_layers as u32),
            ("attention.key_length", 512),
            ("attention.value_length", 512),
            ("rope.dimension_count", 64),
            ("attention.sliding_window", 128),
            ("attention.indexer.key_length", 128),
            ("attention.indexer.top_k", 512),
            ("rope.scaling.original_context_length", 65_536),
        ] {
            model.set(&format!("deepseek4.{key}"), Value::U32(size));
        }
        model.set("deepseek4.attention.compress_ratios", Value::from(ratios));
        model.set("deepseek4.swiglu_clamp_exp", Value::from(vec![10.0_f32; n_layers]));
        model
    }

    pub(crate) fn set(&mut self, key: &str, value: Value) {
        let pair = self.metadata.iter_mut().find(|(name, _)| name == key);
        pair.unwrap_or_else(|| panic!("no {key}")).1 = value;
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.metadata.retain(|(name, _)| name != key);
    }

    /// Writes the file and maps it; without tensors if the metadata describes no model.
    pub(crate) fn write(self) -> MappedFile {
        let mut builder = WriterBuilder::new();
        for (key, value) in &self.metadata {
            builder.metadata(key, value.clone()).expect("keys differ");
        }
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let specs = tensor_specs(&read_geometry(self.metadata).unwrap_or_else(small_geometry));
        let tensors: Vec<Tensor> = specs.iter().map(|spec| tensor(&mut rng, spec)).collect();
        for tensor in &tensors {
            builder.tensor(&tensor.name, &tensor.dims, tensor.kind).expect("tensors are sound");
        }
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut writer = builder.begin(&file).expect("the header can be written");
        for tensor in &tensors {
            writer.tensor(&tensor.name, &tensor.data).expect("the data can be written");
        }
        writer.finish().expect("everything declared was written");
        // The mapping outlives the name.
        MappedFile::open(file.path()).expect("what was written can be read")
    }
}

fn small_geometry() -> Geometry {
    read_geometry(SmallModel::new().metadata).expect("the geometry fits together")
}

/// What the metadata says, if it describes a model.
fn read_geometry(metadata: Vec<(String, Value)>) -> Option<Geometry> {
    let mut builder = WriterBuilder::new();
    for (key, value) in metadata {
        builder.metadata(&key, value).expect("keys differ");
    }
    let bytes = builder.begin(Vec::new()).and_then(gguf::Writer::finish).expect("a small header");
    let header = gguf::Header::parse(&bytes).expect("what was written can be read");
    Geometry::from_metadata(&header.metadata).ok()
}

/// Three layers, one of each kind; the window slides within a few dozen tokens.
fn geometry() -> impl Iterator<Item = (&'static str, Value)> {
    let sizes = [
        ("block_count", 3),
        ("embedding_length", 32),
        ("vocab_size", VOCAB_SIZE),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("attention.key_length", 80),
        ("attention.value_length", 80),
        ("rope.dimension_count", 16),
        ("attention.q_lora_rank", 32),
        ("attention.output_lora_rank", 16),
        ("attention.output_group_count", 2),
        ("expert_count", N_EXPERTS),
        ("expert_used_count", 2),
        ("expert_shared_count", 1),
        ("expert_feed_forward_length", 32),
        ("hash_layer_count", 1),
        ("attention.sliding_window", 16),
        ("attention.indexer.head_count", 2),
        ("attention.indexer.key_length", 32),
        ("attention.indexer.top_k", 8),
        ("hyper_connection.count", 4),
        ("hyper_connection.sinkhorn_iterations", 20),
        ("rope.scaling.original_context_length", 256),
    ];
    let floats = [
        ("hyper_connection.epsilon", 1e-6),
        ("rope.freq_base", 10_000.0),
        ("attention.compress_rope_freq_base", 160_000.0),
        ("rope.scaling.factor", 16.0),
        ("rope.scaling.yarn_beta_fast", 32.0),
        ("rope.scaling.yarn_beta_slow", 1.0),
        ("expert_weights_scale", 1.5),
        ("attention.layer_norm_rms_epsilon", 1e-6),
    ];
    let others = [
        ("expert_weights_norm", Value::Bool(true)),
        ("attention.compress_ratios", Value::from(vec![0_u32, 4, 128])),
        ("swiglu_clamp_exp", Value::from(vec![10.0_f32; 3])),
    ];
    let sizes = sizes.map(|(key, size)| (key, Value::U32(size)));
    let floats = floats.map(|(key, value)| (key, Value::F32(value)));
    sizes.into_iter().chain(floats).chain(others)
}

/// Bytes as their own ids, the control tokens, and `w00`, `w01`, … up to the model's size.
fn vocabulary() -> impl Iterator<Item = (&'static str, Value)> {
    let mut shifted = (0x100..).filter_map(char::from_u32);
    let bytes = (0..=u8::MAX).map(|byte| match byte {
        33..=126 | 161..=172 | 174..=255 => char::from(byte),
        _ => shifted.next().expect("there are more characters than bytes"),
    });
    let mut tokens: Vec<String> = bytes.map(String::from).collect();
    let mut types = vec![NORMAL; VOCAB_SIZE as usize];
    types[tokens.len()..][..CONTROL_TOKENS.len()].fill(CONTROL);
    tokens.extend(CONTROL_TOKENS.map(str::to_owned));
    tokens.extend((0..).map(|i| format!("w{i:02}")).take(types.len() - tokens.len()));
    [
        ("tokens", Value::from(tokens)),
        ("token_type", Value::from(types)),
        ("merges", Value::from(Vec::<String>::new())),
        ("bos_token_id", Value::U32(256)),
        ("eos_token_id", Value::U32(257)),
    ]
    .into_iter()
}

fn tensor(rng: &mut impl Rng, spec: &TensorSpec) -> Tensor {
    let n: u64 = spec.dims.iter().product();
    let (kind, data) = if spec.role == Role::HashTable {
        let expert = |i: u64| ((i * 5 + i / 3) % u64::from(N_EXPERTS)) as i32;
        (TensorType::I32, (0..n).flat_map(|i| expert(i).to_le_bytes()).collect::<Vec<_>>())
    } else {
        let is_gain = spec.name.contains("norm") || spec.name.contains("scale");
        let centre = if is_gain { 1.0 } else { 0.0 };
        // A sum of `dims[0]` products keeps the size of its factors.
        let spread = if is_gain { 0.2 } else { 3.0 / (spec.dims[0] as f32).sqrt() };
        let mut weight = || centre + spread * (rng.next_u32() as f32 / u32::MAX as f32 - 0.5);
        (TensorType::F32, (0..n).flat_map(|_| weight().to_le_bytes()).collect())
    };
    Tensor::new(spec.name.as_str(), &spec.dims, kind, data).expect("it fits together")
}
