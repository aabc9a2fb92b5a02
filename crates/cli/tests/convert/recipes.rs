//! The recipes of `quantize` in `convert`. Truth: `quantize` itself, which has its own tests, on the
//! same checkpoint in F32; for FP4 the weights worked out from the definition of the format.

use std::fs;
use std::path::Path;
use std::process::Command;

use gguf::{MappedFile, TensorType};
use model::Geometry;
use tempfile::TempDir;

use crate::checkpoint::{Checkpoint, Random, store_fp4};
use crate::{check_refused, convert_well, tiny_geometry};

/// Small, but every format's blocks divide the rows of the experts.
fn wide() -> Checkpoint {
    Checkpoint::wide(&Geometry {
        hidden_size: 256,
        expert_width: 256,
        n_layers: 2,
        n_experts: 4,
        compress_ratios: vec![0, 4],
        swiglu_limits: vec![1.0; 2],
        ..tiny_geometry()
    })
}

fn quantize(input: &Path, out: &Path, recipe: &str) -> MappedFile {
    let output = Command::new(env!("CARGO_BIN_EXE_ironstar"))
        .arg("quantize")
        .args([input, out])
        .args(["--recipe", recipe])
        .output()
        .expect("the binary can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    MappedFile::open(out).unwrap()
}

#[test]
fn a_recipe_gives_what_quantize_makes_of_f32() {
    let temp = TempDir::new().unwrap();
    let path = |name: &str| temp.path().join(name);
    wide().write(&path("wide"));
    convert_well(&path("wide"), &path("f32.gguf"), &["--type", "f32"]);
    let own = "default = \"F16\"\n[[tensor]]\nname = \"*_exps.weight\"\ntype = \"Q2_K\"
        [[tensor]]\nname = \"{*_norm,*_base,*_scale,*_sinks}*\"\ntype = \"F32\"
        [[tensor]]\nname = \"*.bias\"\ntype = \"F32\"";
    fs::write(path("own.toml"), own).unwrap();
    let own = path("own.toml").to_str().unwrap().to_owned();
    for (recipe, gate, file_type) in [
        ("q2", TensorType::Iq2Xxs, Some(19)),
        ("q4", TensorType::Q4K, Some(15)),
        ("mxfp4", TensorType::Mxfp4, Some(38)),
        (&own, TensorType::Q2K, None),
    ] {
        let expected = quantize(&path("f32.gguf"), &path("quantized.gguf"), recipe);
        let args = ["--type", recipe, "--threads", "2", "--force"];
        let (found, stderr) = convert_well(&path("wide"), &path("converted.gguf"), &args);
        assert_eq!(found.header().tensors.len(), expected.header().tensors.len());
        for tensor in &expected.header().tensors {
            let [found, expected] = [&found, &expected].map(|file| file.tensor(&tensor.name));
            let (found, expected) = (found.unwrap(), expected.unwrap());
            assert_eq!((found.kind, &found.dims), (expected.kind, &expected.dims));
            assert!(found.data[..] == expected.data[..], "{recipe}: {}", tensor.name);
        }
        assert_eq!(found.tensor("blk.1.ffn_gate_exps.weight").unwrap().kind, gate);
        let metadata = &found.header().metadata;
        assert_eq!(metadata.optional_u64("general.file_type").unwrap(), file_type, "{recipe}");
        assert_eq!(metadata.u64("general.quantization_version").unwrap(), 2);
        let name = Path::new(recipe).file_stem().unwrap().to_str().unwrap();
        assert_eq!(metadata.string("quantize.recipe").unwrap(), name);
        assert_eq!(stderr.contains("IQ2_XXS without importance"), recipe == "q2", "{stderr}");
        fs::remove_file(path("quantized.gguf")).unwrap();
    }
}

#[test]
fn mxfp4_keeps_the_released_experts_exactly() {
    let mut released = Checkpoint::tiny();
    let mut random = Random(3);
    let mut expected = Vec::new();
    for name in released.sources("blk.2.ffn_down_exps.weight") {
        let [rows, columns] = released.tensors[&name].1[..] else { panic!("{name} is a matrix") };
        expected.extend(store_fp4(&mut released, &name, rows, columns, &mut random));
    }
    let temp = TempDir::new().unwrap();
    released.write(&temp.path().join("tiny"));
    let out = temp.path().join("out.gguf");
    let (file, stderr) = convert_well(&temp.path().join("tiny"), &out, &["--type", "mxfp4"]);
    let tensor = file.tensor("blk.2.ffn_down_exps.weight").unwrap();
    assert_eq!(tensor.kind, TensorType::Mxfp4);
    assert_eq!(tensor.decode().unwrap(), expected);
    assert!(!stderr.contains("warning"), "{stderr}");
}

#[test]
fn what_a_recipe_keeps_is_stored_as_in_f16() {
    let temp = TempDir::new().unwrap();
    let path = |name: &str| temp.path().join(name);
    Checkpoint::tiny().write(&path("tiny"));
    fs::write(path("keep.toml"), "default = \"keep\"\n[[tensor]]\nname = \"x\"\ntype = \"F32\"")
        .unwrap();
    let recipe = path("keep.toml").to_str().unwrap().to_owned();
    let (f16, _) = convert_well(&path("tiny"), &path("f16.gguf"), &["--type", "f16"]);
    let (kept, stderr) = convert_well(&path("tiny"), &path("kept.gguf"), &["--type", &recipe]);
    assert!(stderr.contains("warning: no tensor takes the rule for \"x\""), "{stderr}");
    for (kept_info, info) in kept.header().tensors.iter().zip(&f16.header().tensors) {
        assert_eq!((&kept_info.name, kept_info.kind), (&info.name, info.kind));
        let [kept, expected] = [&kept, &f16].map(|file| file.tensor(&info.name).unwrap());
        assert!(kept.data[..] == expected.data[..], "{}", info.name);
    }
}

#[test]
fn recipes_that_cannot_be_used_are_refused() {
    let nothing = |_: &mut Checkpoint, _: &Path| {};
    let no_type = ["--type is none of f32, f16, q8_0", "\"q3\"", "q2, q4, mxfp4"];
    check_refused(nothing, &["--type", "q3"], &no_type);
    let temp = TempDir::new().unwrap();
    let path = temp.path().join("bad.toml");
    let args = ["--type", path.to_str().unwrap()];
    fs::write(&path, "default = \"Q9\"").unwrap();
    check_refused(nothing, &args, &["bad.toml", "\"Q9\" is no type of weights"]);
    fs::write(&path, "default = \"Q4_K\"").unwrap();
    check_refused(nothing, &args, &["token_embd.weight has rows of 64", "no whole blocks of Q4_K"]);
    fs::write(&path, "default = \"MXFP4\"\nfallback = [\"F32\"]").unwrap();
    let not_finite = |c: &mut Checkpoint, _: &Path| c.set_f32("embed.weight", 3, f32::INFINITY);
    check_refused(not_finite, &args, &["embed.weight holds inf", "damaged"]);
}
