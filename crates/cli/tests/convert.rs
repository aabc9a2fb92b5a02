//! `ironstar convert`, run as a user runs it.
//!
//! Oracles: the tiny checkpoint as the `safetensors` crate reads it; the names and dimensions that
//! the engine demands (`model`); F16 as the `half` crate rounds; the released FP8 and FP4 formats
//! worked out here from their definition (specification f.7 and f.8). The table of names is typed
//! a second time from the specification (b.7).
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gguf::{MappedFile, TensorType};
use model::{Geometry, Role, tensor_specs};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use tempfile::TempDir;

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
struct Checkpoint {
    config: Value,
    tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>,
}

impl Checkpoint {
    fn tiny() -> Self {
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

    fn write(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("config.json"), self.config.to_string()).unwrap();
        self.write_shard(&dir.join("model.safetensors"), |_| true);
    }

    fn write_shard(&self, path: &Path, belongs: impl Fn(&str) -> bool) {
        let chosen = self.tensors.iter().filter(|(name, _)| belongs(name));
        let views = chosen.map(|(name, (dtype, shape, data))| {
            (name.as_str(), TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        safetensors::serialize_to_file(views, None, path).unwrap();
    }

    fn set_f32(&mut self, name: &str, index: usize, value: f32) {
        let data = &mut self.tensors.get_mut(name).expect("a tensor of the checkpoint").2;
        data[4 * index..][..4].copy_from_slice(&value.to_le_bytes());
    }

    /// The weights of a tensor that is not quantised.
    fn floats(&self, name: &str) -> Vec<f32> {
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
    fn sources(&self, gguf_name: &str) -> Vec<String> {
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

fn tiny_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/oracle/tiny_nano")
}

fn convert(dir: &Path, out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ironstar"))
        .arg("convert")
        .args([dir, out])
        .args(more)
        .output()
        .expect("the binary can be run")
}

fn convert_well(dir: &Path, out: &Path, more: &[&str]) -> (MappedFile, String) {
    let output = convert(dir, out, more);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    (MappedFile::open(out).unwrap(), stderr)
}

/// The type that the recipe gives a tensor, as the documentation of `convert` has it.
fn expected_type(output_type: &str, name: &str, role: Role, columns: u64) -> TensorType {
    let leaf = name.trim_start_matches(|c| c != '.').trim_start_matches('.');
    let leaf = leaf.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches('.');
    let is_ape = name.ends_with("_ape.weight");
    let is_projection = name == "output.weight"
        || (leaf.starts_with("attn_") && !leaf.starts_with("attn_compressor"))
        || leaf.ends_with("_exps.weight")
        || leaf.ends_with("_shexp.weight");
    match (output_type, role) {
        (_, Role::HashTable) => TensorType::I32,
        ("f32", _) => TensorType::F32,
        (_, Role::Vector) if !is_ape => TensorType::F32,
        ("q8_0", _) if is_projection && columns.is_multiple_of(32) => TensorType::Q8_0,
        _ => TensorType::F16,
    }
}

fn assert_stored(kind: TensorType, name: &str, found: &[f32], source: &[f32]) {
    assert_eq!(found.len(), source.len(), "{name}");
    if kind != TensorType::Q8_0 {
        let expected = source.iter().map(|&weight| match kind {
            TensorType::F16 => half::f16::from_f32(weight).to_f32(),
            _ => weight,
        });
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found.to_bits(), expected.to_bits(), "{name}, weight {index}");
        }
        return;
    }
    for (found, source) in found.chunks(32).zip(source.chunks(32)) {
        let largest = source.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        // Half a step, and the scale's rounding to 11 bits.
        let tolerance = largest * (0.5 / 127.0 + 1.0 / 2048.0);
        for (found, source) in found.iter().zip(source) {
            assert!((found - source).abs() <= tolerance, "{name}: {found} for {source}");
        }
    }
}

/// Converts and compares every tensor that the engine demands with `weights_of` its source.
fn check(
    checkpoint: &Checkpoint,
    output_type: &str,
    weights_of: impl Fn(&str) -> Vec<f32>,
) -> MappedFile {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("tiny");
    checkpoint.write(&dir);
    let (file, _) = convert_well(&dir, &temp.path().join("out.gguf"), &["--type", output_type]);
    let geometry = Geometry::from_metadata(&file.header().metadata).unwrap();
    let specs = tensor_specs(&geometry);
    assert_eq!(file.header().tensors.len(), specs.len());
    for spec in &specs {
        let tensor = file.tensor(&spec.name).unwrap_or_else(|| panic!("{} is missing", spec.name));
        assert_eq!(tensor.dims, spec.dims, "{}", spec.name);
        let kind = expected_type(output_type, &spec.name, spec.role, spec.dims[0]);
        assert_eq!(tensor.kind, kind, "{}", spec.name);
        assert!(spec.role.accepted().contains(&kind), "{} as {kind}", spec.name);
        let sources = checkpoint.sources(&spec.name);
        if spec.role == Role::HashTable {
            let (dtype, _, data) = &checkpoint.tensors[&sources[0]];
            assert_eq!(*dtype, Dtype::I64);
            let ids = data.chunks(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()));
            let found = tensor.decode_i32().unwrap();
            assert!(found.iter().map(|id| i64::from(*id)).eq(ids), "{}", spec.name);
        } else {
            let weights: Vec<f32> = sources.iter().flat_map(|name| weights_of(name)).collect();
            assert_stored(kind, &spec.name, &tensor.decode().unwrap(), &weights);
        }
    }
    file
}

/// Converts and expects one line on stderr with all of `expected`, and nothing left behind.
fn check_refused(change: impl FnOnce(&mut Checkpoint, &Path), more: &[&str], expected: &[&str]) {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("tiny");
    let mut checkpoint = Checkpoint::tiny();
    fs::create_dir_all(&dir).unwrap();
    change(&mut checkpoint, &dir);
    if !dir.join("model.safetensors").exists() {
        checkpoint.write(&dir);
    }
    let out_dir = temp.path().join("out");
    fs::create_dir(&out_dir).unwrap();
    let output = convert(&dir, &out_dir.join("x.gguf"), more);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty());
    for part in expected {
        assert!(stderr.contains(part), "{part:?} is not in: {stderr}");
    }
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    assert_eq!(fs::read_dir(&out_dir).unwrap().count(), 0, "files were left behind");
}

#[test]
fn tiny_checkpoint_to_every_type() {
    let tiny = Checkpoint::tiny();
    for output_type in ["f32", "f16", "q8_0"] {
        check(&tiny, output_type, |name| tiny.floats(name));
    }
}

#[test]
fn metadata_is_the_geometry_of_the_configuration() {
    let temp = TempDir::new().unwrap();
    let (file, stderr) = convert_well(&tiny_dir(), &temp.path().join("x.gguf"), &["--type", "f32"]);
    let metadata = &file.header().metadata;
    let flash = Geometry::flash();
    let mut yarn = flash.yarn;
    yarn.original_context = 256;
    let expected = Geometry {
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
        swiglu_limits: vec![1.0; 5],
        yarn,
        ..flash
    };
    assert_eq!(Geometry::from_metadata(metadata).unwrap(), expected);
    assert_eq!(metadata.string("general.name").unwrap(), "tiny_nano");
    assert_eq!(metadata.u64("general.file_type").unwrap(), 0);
    assert_eq!(metadata.u64("deepseek4.context_length").unwrap(), 4096);
    assert_eq!(metadata.strings("tokenizer.ggml.tokens").unwrap().len(), 320);
    assert!(stderr.contains("every byte is a token"), "{stderr}");
    assert!(stderr.contains("left out: 53 tensors of draft blocks"), "{stderr}");
    assert!(!stderr.contains("unknown"), "{stderr}");
}

#[test]
fn released_fp8_and_fp4_are_decoded() {
    let mut random = Random(1);
    let mut released = Checkpoint::tiny();
    let mut decoded = BTreeMap::new();
    for (name, (_, shape, _)) in Checkpoint::tiny().tensors {
        let [rows, columns] = shape[..] else { continue };
        if name.contains(".ffn.experts.") {
            decoded
                .insert(name.clone(), store_fp4(&mut released, &name, rows, columns, &mut random));
        } else if name.contains(".attn.w") || name.contains(".shared_experts.") {
            decoded
                .insert(name.clone(), store_fp8(&mut released, &name, rows, columns, &mut random));
        }
    }
    for (name, (dtype, _, data)) in &mut released.tensors {
        // Norms and small matrices are released in BF16.
        if name.ends_with("norm.weight") || name.ends_with("gate.weight") {
            *dtype = Dtype::BF16;
            *data = data.chunks(4).flat_map(|b| [b[2], b[3]]).collect();
        }
    }
    let weights_of =
        |name: &str| decoded.get(name).cloned().unwrap_or_else(|| released.floats(name));
    for output_type in ["f32", "f16", "q8_0"] {
        check(&released, output_type, weights_of);
    }
}

/// Replaces a tensor by random FP8 codes; returns the weights they stand for.
fn store_fp8(
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
fn store_fp4(
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
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}

#[test]
fn shards_and_one_file_give_the_same_bytes() {
    let temp = TempDir::new().unwrap();
    let [whole, sharded] = ["a/tiny", "b/tiny"].map(|name| temp.path().join(name));
    let tiny = Checkpoint::tiny();
    tiny.write(&whole);
    tiny.write(&sharded);
    fs::remove_file(sharded.join("model.safetensors")).unwrap();
    let in_first = |name: &str| name.contains('2');
    tiny.write_shard(&sharded.join("model-1.safetensors"), in_first);
    tiny.write_shard(&sharded.join("model-2.safetensors"), |name| !in_first(name));
    let file_of = |name: &str| format!("model-{}.safetensors", if in_first(name) { 1 } else { 2 });
    let map: BTreeMap<_, _> = tiny.tensors.keys().map(|name| (name, file_of(name))).collect();
    let index = json!({ "metadata": {}, "weight_map": map });
    fs::write(sharded.join("model.safetensors.index.json"), index.to_string()).unwrap();
    let [one, two] = ["one.gguf", "two.gguf"].map(|name| temp.path().join(name));
    convert_well(&whole, &one, &[]);
    convert_well(&sharded, &two, &[]);
    assert!(fs::read(one).unwrap() == fs::read(two).unwrap());
}

#[test]
fn an_existing_file_is_kept_unless_forced() {
    let temp = TempDir::new().unwrap();
    let out = temp.path().join("x.gguf");
    fs::write(&out, "precious").unwrap();
    let output = convert(&tiny_dir(), &out, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--force"));
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    convert_well(&tiny_dir(), &out, &["--force"]);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
}

#[test]
fn configurations_of_other_models_are_refused() {
    let model_type = |name: &str| {
        let name = name.to_owned();
        move |c: &mut Checkpoint, _: &Path| c.config["model_type"] = name.into()
    };
    check_refused(model_type("deepseek_v41"), &[], &["V4.1"]);
    check_refused(model_type("llama"), &[], &["\"llama\"", "deepseek_v4"]);
    let several = |c: &mut Checkpoint, _: &Path| {
        let config = c.config.as_object_mut().unwrap();
        config.remove("hc_mult");
        config.remove("rope_theta");
        config["rope_scaling"].as_object_mut().unwrap().remove("factor");
        config["norm_topk_prob"] = false.into();
        config["head_dim"] = "80".into();
    };
    let problems = [
        "hc_mult is missing",
        "rope_theta is missing",
        "rope_scaling.factor is missing",
        "norm_topk_prob is false",
        "head_dim is \"80\"",
    ];
    check_refused(several, &[], &problems);
    let ratios = |c: &mut Checkpoint, _: &Path| c.config["compress_ratios"] = json!([0, 0, 5]);
    check_refused(ratios, &[], &["fewer entries", "none of 0, 4 and 8"]);
    let huge = |c: &mut Checkpoint, _: &Path| {
        c.config["num_hidden_layers"] = (1 << 24).into();
        c.config["n_routed_experts"] = (1 << 24).into();
    };
    check_refused(huge, &[], &["num_hidden_layers is absurdly", "n_routed_experts is absurdly"]);
}

#[test]
fn all_problems_of_tensors_are_reported_at_once() {
    let change = |c: &mut Checkpoint, _: &Path| {
        c.tensors.remove("layers.3.attn.compressor.ape");
        c.tensors.remove("layers.4.ffn.experts.7.w2.weight");
        c.tensors.get_mut("norm.weight").unwrap().1 = vec![8, 8];
        c.tensors.get_mut("layers.1.attn.wkv.weight").unwrap().0 = Dtype::I32;
        let mut random = Random(2);
        store_fp8(c, "layers.1.attn.wq_b.weight", 320, 32, &mut random);
        store_fp8(c, "layers.1.attn.wo_b.weight", 64, 32, &mut random);
        c.tensors.remove("layers.1.attn.wo_b.scale");
        c.tensors.get_mut("layers.1.attn.wq_b.scale").unwrap().1 = vec![1, 3];
    };
    let problems = [
        "layers.3.attn.compressor.ape is missing",
        "layers.4.ffn.experts.7.w2.weight is missing",
        "norm.weight has the shape [8, 8], expected [64]",
        "layers.1.attn.wkv.weight is stored as I32",
        "layers.1.attn.wq_b.scale has the shape [1, 3], expected [3, 1]",
        "layers.1.attn.wo_b.scale is missing",
    ];
    check_refused(change, &[], &problems);
    let nothing = |c: &mut Checkpoint, _: &Path| c.tensors.retain(|name, _| name == "norm.weight");
    check_refused(nothing, &[], &["embed.weight is missing", "; and 2"]);
}

#[test]
fn weights_that_do_not_fit_the_type_are_refused() {
    let set = |name: &'static str, value: f32| {
        move |c: &mut Checkpoint, _: &Path| c.set_f32(name, 3, value)
    };
    let wkv = "layers.2.attn.wkv.weight";
    check_refused(set(wkv, 65_520.0), &["--type", "f16"], &[wkv, "65520", "--type f32"]);
    check_refused(set("embed.weight", -1e6), &["--type", "q8_0"], &["embed.weight", "-1000000"]);
    check_refused(set(wkv, 1e7), &["--type", "q8_0"], &[wkv, "10000000"]);
    check_refused(set(wkv, f32::NAN), &["--type", "f32"], &[wkv, "NaN", "damaged"]);
    let mut largest = Checkpoint::tiny();
    largest.set_f32(wkv, 3, 65_519.0);
    check(&largest, "f16", |name| largest.floats(name));
    let wrong_expert = |c: &mut Checkpoint, _: &Path| {
        c.tensors.get_mut("layers.0.ffn.gate.tid2eid").unwrap().2[8 * 3 * 7] = 8;
    };
    let sentence = "layers.0.ffn.gate.tid2eid sends token 7 to expert 8, but there are 8 experts";
    check_refused(wrong_expert, &[], &[sentence]);
}

#[test]
fn damaged_files_are_refused() {
    let write = |bytes: Vec<u8>| {
        move |c: &mut Checkpoint, dir: &Path| {
            c.write(dir);
            fs::write(dir.join("model.safetensors"), bytes).unwrap();
        }
    };
    let whole = fs::read(tiny_dir().join("model.safetensors")).unwrap();
    let not_whole = "model.safetensors is not a whole safetensors file";
    check_refused(write(Vec::new()), &[], &[not_whole, "0 bytes"]);
    check_refused(write(whole[..100].to_vec()), &[], &[not_whole, "ends inside its header"]);
    check_refused(write(whole[..whole.len() - 1].to_vec()), &[], &[not_whole, "its header says"]);
    check_refused(write(vec![0xff; 64]), &[], &[not_whole, "claims"]);
    let mut flipped = whole.clone();
    flipped[9] = b'x';
    check_refused(write(flipped), &[], &[not_whole, "cannot be understood"]);
}

#[test]
fn indexes_that_lead_astray_are_refused() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("tiny");
    let tiny = Checkpoint::tiny();
    tiny.write(&dir);
    fs::rename(dir.join("model.safetensors"), dir.join("a.safetensors")).unwrap();
    let refused = |map: Value, expected: &str| {
        let index = json!({ "weight_map": map }).to_string();
        fs::write(dir.join("model.safetensors.index.json"), index).unwrap();
        let output = convert(&dir, &temp.path().join("x.gguf"), &[]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    };
    refused(json!({ "norm.weight": "../a.safetensors" }), "outside its folder");
    refused(json!({ "norm.weight": "b.safetensors" }), "cannot open");
    refused(json!({ "norm.weights": "a.safetensors" }), "\"norm.weights\" is not in");
    refused(json!(3), "is no index");
    fs::remove_file(dir.join("model.safetensors.index.json")).unwrap();
    let output = convert(&dir, &temp.path().join("x.gguf"), &[]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("has neither"));
    let output = convert(&temp.path().join("nowhere"), &temp.path().join("x.gguf"), &[]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("has no config.json"));
}

/// A `tokenizer.json` of DeepSeek V4's kind with 265 tokens and `n_more` after them: BOS and EOS,
/// the bytes, the tokens of both spellings of a merge, and added tokens that are and are not
/// special.
fn tokenizer_json(n_more: usize) -> Value {
    let split = |regex: &str| {
        let pattern = json!({ "Regex": regex });
        json!({ "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false })
    };
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    });
    let pre_tokenizers = [
        split(r"\p{N}{1,3}"),
        split("[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+"),
        split(concat!(
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"##,
            "[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*",
            "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
        )),
        byte_level,
    ];
    let mut shifted = (0x100..).filter_map(char::from_u32);
    let bytes = (0..=255_u8).map(|byte| match byte {
        33..=126 | 161..=172 | 174..=255 => char::from(byte),
        _ => shifted.next().unwrap(),
    });
    let bytes =
        bytes.map(String::from).chain(["he".to_owned(), "Ġthe".to_owned(), "Ġt".to_owned()]);
    let more = (0..n_more).map(|i| format!("more{i}"));
    let ids = (2..261).chain(265..);
    let vocab: serde_json::Map<_, _> =
        bytes.chain(more).zip(ids).map(|(token, id)| (token, json!(id))).collect();
    let added = [
        (0, "<｜begin▁of▁sentence｜>", true),
        (1, "<｜end▁of▁sentence｜>", true),
        (261, "<｜User｜>", true),
        (262, "<｜Assistant｜>", true),
        (263, "<think>", false),
        (264, "</think>", false),
    ];
    let added = added.map(|(id, content, special)| {
        json!({ "id": id, "content": content, "special": special, "lstrip": false, "rstrip": false })
    });
    json!({
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": pre_tokenizers },
        "model": { "type": "BPE", "vocab": vocab, "merges": ["h e", ["Ġ", "t"], "Ġt he"] },
    })
}

#[test]
fn the_tokenizer_of_the_checkpoint_is_kept() {
    let temp = TempDir::new().unwrap();
    let dir = temp.path().join("tiny");
    Checkpoint::tiny().write(&dir);
    let json = dir.join("tokenizer.json");
    fs::write(&json, tokenizer_json(0).to_string()).unwrap();
    let out = temp.path().join("x.gguf");
    let (file, stderr) = convert_well(&dir, &out, &[]);
    assert!(stderr.contains("tokenizer of the checkpoint"), "{stderr}");

    let metadata = &file.header().metadata;
    let mut types = vec![1; 320];
    types[..2].fill(3);
    types[261..265].copy_from_slice(&[3, 3, 4, 4]);
    types[265..].fill(5);
    assert_eq!(metadata.integers("tokenizer.ggml.token_type").unwrap(), types);
    assert_eq!(metadata.strings("tokenizer.ggml.merges").unwrap(), ["h e", "Ġ t", "Ġt he"]);
    assert_eq!(metadata.string("tokenizer.ggml.pre").unwrap(), "joyai-llm");
    let id = |key: &str| metadata.u64(&format!("tokenizer.ggml.{key}_token_id")).unwrap();
    assert_eq!(["bos", "eos", "padding"].map(id), [0, 1, 1]);

    // Oracle: the tokenizer.json, read by `chat`.
    let text = "<｜User｜>Is the heat 12345 there?\n<think>日本語 é";
    let tokenize = |flag: &str, path: &Path| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
            .args(["tokenize", flag])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice::<Vec<u32>>(&output.stdout).unwrap()
    };
    let expected = tokenize("--tokenizer", &json);
    assert!(expected.contains(&261) && expected.contains(&263), "{expected:?}");
    assert_eq!(tokenize("-m", &out), expected);
}

#[test]
fn tokenizers_that_do_not_belong_to_the_model_are_refused() {
    let write = |json: String| {
        move |_: &mut Checkpoint, dir: &Path| fs::write(dir.join("tokenizer.json"), json).unwrap()
    };
    let too_long = "tokenizer.json has 321 tokens, but the model has only 320";
    check_refused(write(tokenizer_json(56).to_string()), &[], &[too_long]);
    check_refused(write("{}".to_owned()), &[], &["tokenizer.json cannot be used"]);
    let mut foreign = tokenizer_json(0);
    foreign["pre_tokenizer"] = Value::Null;
    check_refused(write(foreign.to_string()), &[], &["pre-tokenizer is not that of DeepSeek V4"]);
}
