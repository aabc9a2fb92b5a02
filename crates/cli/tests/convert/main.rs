//! `ironstar convert`, run as a user runs it.
//!
//! Oracles: the tiny checkpoint as the `safetensors` crate reads it; the names and dimensions that
//! the engine demands (`model`); F16 as the `half` crate rounds; the released FP8 and FP4 formats
//! worked out from their definition (`checkpoint`).
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod checkpoint;
mod generation;
mod recipes;
mod tokenizer;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gguf::{MappedFile, TensorType};
use model::{Geometry, Role, tensor_specs};
use safetensors::Dtype;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::checkpoint::{Checkpoint, Random, store_fp4, store_fp8, tiny_dir};

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

/// The dimensions of the tiny checkpoint, typed a second time from its configuration.
fn tiny_geometry() -> Geometry {
    let flash = Geometry::flash();
    let mut yarn = flash.yarn;
    yarn.original_context = 256;
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
        swiglu_limits: vec![1.0; 5],
        yarn,
        ..flash
    }
}

#[test]
fn metadata_is_the_geometry_of_the_configuration() {
    let temp = TempDir::new().unwrap();
    let (file, stderr) = convert_well(&tiny_dir(), &temp.path().join("x.gguf"), &["--type", "f32"]);
    let metadata = &file.header().metadata;
    assert_eq!(Geometry::from_metadata(metadata).unwrap(), tiny_geometry());
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
    check_refused(ratios, &[], &["fewer entries", "neither 0 nor a power of two from 4"]);
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
