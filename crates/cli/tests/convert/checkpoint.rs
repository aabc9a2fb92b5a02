//! Checkpoints to convert: the tiny one, changed at will, and the released formats worked out from
//! their definition (specification f.7 and f.8). The table of names is typed a second time from
//! the specification (b.7).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use model::{Geometry, Role, tensor_specs};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// Checkpoint name of each GGUF name within a layer; experts have `{}` for their number.
const LAYER_NAMES: [(&str, &str); 33] = [
    ("hc_attn_fn.weight", "hc_attn_fn"),
    ("hc_attn_base.weight", "hc_attn_base"),
    ("hc_attn_scale.weight", "hc_attn_scale"),
    ("hc_ffn_fn.weight", "hc_ffn_fn"),
    ("hc_ffn_base.weight", "hc_ffn_base"),
    ("hc_ffn_scale.weight", "hc_ffn_scale"),
    ("attn_norm.weight", "attn_norm.weight"),
    ("ffn_norm.weight", "ffn_norm.weight"),
    ("attn_q_a.weight", "attn.wq_a.weight"),
    ("attn_q_a_norm.weight", "attn.q_norm.weight"),
    ("attn_q_b.weight", "attn.wq_b.weight"),
    ("attn_kv.weight", "attn.wkv.weight"),
    ("attn_kv_a_norm.weight", "attn.kv_norm.weight"),
    ("attn_sinks.weight", "attn.attn_sink"),
    ("attn_output_a.weight", "attn.wo_a.weight"),
    ("attn_output_b.weight", "attn.wo_b.weight"),
    ("attn_compressor_ape.weight", "attn.compressor.ape"),
    ("attn_compressor_kv.weight", "attn.compressor.wkv.weight"),
    ("attn_compressor_gate.weight", "attn.compressor.wgate.weight"),
    ("attn_compressor_norm.weight", "attn.compressor.norm.weight"),
    ("indexer.attn_q_b.weight", "attn.indexer.wq_b.weight"),
    ("indexer.proj.weight", "attn.indexer.weights_proj.weight"),
    ("indexer_compressor_ape.weight", "attn.indexer.compressor.ape"),
    ("indexer_compressor_kv.weight", "attn.indexer.compressor.wkv.weight"),
    ("indexer_compressor_gate.weight", "attn.indexer.compressor.wgate.weight"),
    ("indexer_compressor_norm.weight", "attn.indexer.compressor.norm.weight"),
    ("ffn_gate_inp.weight", "ffn.gate.weight"),
    ("exp_probs_b.bias", "ffn.gate.bias"),
    ("ffn_gate_tid2eid.weight", "ffn.gate.tid2eid"),
    ("ffn_gate_exps.weight", "ffn.experts.{}.w1.weight"),
    ("ffn_up_exps.weight", "ffn.experts.{}.w3.weight"),
    ("ffn_down_exps.weight", "ffn.experts.{}.w2.weight"),
    ("ffn_gate_shexp.weight", "ffn.shared_experts.w1.weight"),
];

const OTHER_NAMES: [(&str, &str); 8] = [
    ("token_embd.weight", "embed.weight"),
    ("output.weight", "head.weight"),
    ("output_norm.weight", "norm.weight"),
    ("output_hc_fn.weight", "hc_head_fn"),
    ("output_hc_base.weight", "hc_head_base"),
    ("output_hc_scale.weight", "hc_head_scale"),
    ("ffn_up_shexp.weight", "ffn.shared_experts.w3.weight"),
    ("ffn_down_shexp.weight", "ffn.shared_experts.w2.weight"),
];

/// A checkpoint in memory, to be changed and written.
#[derive(Clone)]
pub(crate) struct Checkpoint {
    pub(crate) config: Value,
    pub(crate) tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

impl Checkpoint {
    pub(crate) fn tiny() -> Self {
        let dir = tiny_dir();
        let config = fs::read(dir.join("config.json")).unwrap();
        let file = fs::read(dir.join("model.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&file).unwrap();
        let owned = |view: &TensorView| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
        Self {
            config: serde_json::from_slice(&config).unwrap(),
            tensors: tensors.iter().map(|(name, view)| (name.to_owned(), owned(&view))).collect(),
        }
    }

    /// The tiny checkpoint with two layers, and rows that are whole blocks of every type.
    pub(crate) fn wide(geometry: &Geometry) -> Self {
        let mut wide = Self { tensors: BTreeMap::new(), ..Self::tiny() };
        let sizes = [
            ("hidden_size", geometry.hidden_size),
            ("moe_intermediate_size", geometry.expert_width),
            ("num_hidden_layers", geometry.n_layers),
            ("n_routed_experts", geometry.n_experts),
        ];
        for (key, size) in sizes {
            wide.config[key] = size.into();
        }
        wide.config["compress_ratios"] = geometry.compress_ratios.clone().into();
        let mut random = Random(7);
        for spec in tensor_specs(geometry) {
            let shape: Vec<usize> =
                spec.dims.iter().take(2).rev().map(|&dim| dim as usize).collect();
            let n: usize = shape.iter().product();
            for name in wide.sources(&spec.name) {
                let (dtype, data) = if spec.role == Role::HashTable {
                    (Dtype::I64, (0..n as i64).flat_map(|i| (i % 4).to_le_bytes()).collect())
                } else {
                    let mut weight = || f32::from(random.byte()) / 4096.0 - 1.0 / 32.0;
                    (Dtype::F32, (0..n).flat_map(|_| weight().to_le_bytes()).collect())
                };
                wide.tensors.insert(name, (dtype, shape.clone(), data));
            }
        }
        wide
    }

    pub(crate) fn write(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("config.json"), self.config.to_string()).unwrap();
        self.write_shard(&dir.join("model.safetensors"), |_| true);
    }

    pub(crate) fn write_shard(&self, path: &Path, belongs: impl Fn(&str) -> bool) {
        let chosen = self.tensors.iter().filter(|(name, _)| belongs(name));
        let views = chosen.map(|(name, (dtype, shape, data))| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        safetensors::serialize_to_file(views, None, path).unwrap();
    }

    pub(crate) fn set_f32(&mut self, name: &str, index: usize, value: f32) {
        let data = &mut self.tensors.get_mut(name).expect("a tensor of the checkpoint").2;
        data[4 * index..][..4].copy_from_slice(&value.to_le_bytes());
    }

    /// The weights of a tensor that is not quantised.
    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        let (dtype, _, data) = &self.tensors[name];
        match dtype {
            Dtype::F32 => {
                data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
            }
            Dtype::BF16 => data
                .chunks(2)
                .map(|b| f32::from_bits(u32::from(u16::from_le_bytes(b.try_into().unwrap())) << 16))
                .collect(),
            other => panic!("{name} is {other}"),
        }
    }

    /// The tensors that a GGUF tensor of this name is made of.
    pub(crate) fn sources(&self, gguf_name: &str) -> Vec<String> {
        let (layer, rest) = match gguf_name.strip_prefix("blk.") {
            Some(rest) => {
                let (layer, rest) = rest.split_once('.').unwrap();
                (format!("layers.{layer}."), rest)
            }
            None => (String::new(), gguf_name),
        };
        let (_, name) = LAYER_NAMES
            .iter()
            .chain(&OTHER_NAMES)
            .find(|(target, _)| *target == rest)
            .unwrap_or_else(|| panic!("{gguf_name} is not in the table"));
        if !name.contains("{}") {
            return vec![format!("{layer}{name}")];
        }
        let n_experts = self.config["n_routed_experts"].as_u64().unwrap();
        (0..n_experts).map(|e| format!("{layer}{}", name.replace("{}", &e.to_string()))).collect()
    }
}

pub(crate) fn tiny_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/oracle/tiny_nano")
}

/// Replaces a tensor by random FP8 codes; returns the weights they stand for.
pub(crate) fn store_fp8(
    checkpoint: &mut Checkpoint,
    name: &str,
    rows: usize,
    columns: usize,
    random: &mut Random,
) -> Vec<f32> {
    let blocks = [rows.div_ceil(128), columns.div_ceil(128)];
    // The two codes of NaN do not occur.
    let codes: Vec<u8> = (0..rows * columns)
        .map(|_| Some(random.byte()).filter(|code| code & 0x7f != 0x7f).unwrap_or(0))
        .collect();
    let scales: Vec<u8> = (0..blocks[0] * blocks[1]).map(|_| 117 + random.byte() % 8).collect();
    let weight = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        let scale = f64::from(scales[row / 128 * blocks[1] + column / 128]) - 127.0;
        let code = codes[index];
        let (exponent, mantissa) = (f64::from(code >> 3 & 15), f64::from(code & 7) / 8.0);
        let magnitude = if exponent == 0.0 {
            mantissa * (-6.0_f64).exp2()
        } else {
            (1.0 + mantissa) * (exponent - 7.0).exp2()
        };
        let sign = if code >> 7 == 1 { -1.0 } else { 1.0 };
        (sign * magnitude * scale.exp2()) as f32
    };
    let weights = (0..rows * columns).map(weight).collect();
    let scale_name = name.replace(".weight", ".scale");
    checkpoint.tensors.insert(scale_name, (Dtype::F8_E8M0, blocks.to_vec(), scales.clone()));
    checkpoint
        .tensors
        .insert(name.to_owned(), (Dtype::F8_E4M3, vec![rows, columns], codes.clone()));
    weights
}

/// Replaces a tensor by random FP4 codes; returns the weights they stand for.
pub(crate) fn store_fp4(
    checkpoint: &mut Checkpoint,
    name: &str,
    rows: usize,
    columns: usize,
    random: &mut Random,
) -> Vec<f32> {
    const MAGNITUDES: [f64; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let packed: Vec<u8> = (0..rows * columns / 2).map(|_| random.byte()).collect();
    let scales: Vec<u8> = (0..rows * columns / 32).map(|_| 120 + random.byte() % 8).collect();
    let weight = |index: usize| {
        let byte = packed[index / 2];
        let code = if index.is_multiple_of(2) { byte & 15 } else { byte >> 4 };
        let scale = (f64::from(scales[index / 32]) - 127.0).exp2();
        let sign = if code & 8 == 8 { -1.0 } else { 1.0 };
        (sign * MAGNITUDES[usize::from(code & 7)] * scale) as f32
    };
    let weights = (0..rows * columns).map(weight).collect();
    let scale_name = name.replace(".weight", ".scale");
    let groups = vec![rows, columns / 32];
    checkpoint.tensors.insert(scale_name, (Dtype::F8_E8M0, groups, scales.clone()));
    checkpoint
        .tensors
        .insert(name.to_owned(), (Dtype::I8, vec![rows, columns / 2], packed.clone()));
    weights
}

/// Random bytes: the upper bits of Knuth's linear congruential generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}
