//! `imatrix` as a user runs it.
//!
//! Oracle: `testdata/oracle/imatrix`, the squares and the perplexity by a numpy model. The layout of
//! the file is typed here a second time, from what llama.cpp's reader asks of it; that reader, on its
//! own, has accepted such a file.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use gguf::{MappedFile, TensorType};
use npyz::npz::NpzArchive;

use crate::tiny::{Folder, oracle};

/// The largest relative difference of a column's sum: activations are rounded, so one that is off
/// in its last bit may be off by a rounding step further on.
const TOLERANCE: f32 = 2e-3;

/// An array of the oracle, as f32.
fn array(archive: &mut NpzArchive<BufReader<File>>, name: &str) -> Vec<f32> {
    let array = archive.by_name(name).expect("a readable archive").expect("a known array");
    match array.dtype().descr().as_str() {
        "'<f4'" => array.into_vec::<f32>().expect("F32"),
        "'<f8'" => array.into_vec::<f64>().expect("F64").into_iter().map(|x| x as f32).collect(),
        other => panic!("{name} is {other}"),
    }
}

/// The sums and the counts of each weight, by name, as llama.cpp lays them out.
fn read_like_llama_cpp(file: &MappedFile) -> BTreeMap<String, (Vec<f32>, Vec<f32>)> {
    let metadata = &file.header().metadata;
    assert_eq!(metadata.string("general.type").expect("it is there"), "imatrix");
    assert_eq!(metadata.strings("imatrix.datasets").expect("it is there"), ["text.txt"]);
    assert_eq!(metadata.u64("imatrix.chunk_count").expect("it is there"), 4);
    assert_eq!(metadata.u64("imatrix.chunk_size").expect("it is there"), 64);
    let values = |name: &str| {
        let tensor = file.tensor(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(tensor.kind, TensorType::F32, "{name}");
        assert!(name.len() < 64, "{name} is too long for ggml");
        (tensor.dims.clone(), tensor.decode().expect("floats"))
    };
    let names = file.header().tensors.iter().filter_map(|info| info.name.strip_suffix(".in_sum2"));
    let weights = names.map(|name| {
        let (sums_dims, sums) = values(&format!("{name}.in_sum2"));
        let (counts_dims, counts) = values(&format!("{name}.counts"));
        assert_eq!(counts_dims, [1, sums_dims[1]], "{name}");
        (name.to_owned(), (sums, counts))
    });
    weights.collect()
}

fn check_against_numpy(backend: &str) {
    let folder = Folder::with_tiny();
    fs::copy(oracle("imatrix/text.txt"), folder.path("text.txt")).expect("the oracle");
    let args = ["imatrix", "-m", "tiny.gguf", "-f", "text.txt", "-o", "out.gguf", "--ctx", "64"];
    let output = folder.run(&[&args[..], &["--backend", backend]].concat(), b"");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{stderr}");

    let mut archive = NpzArchive::open(oracle("imatrix/squares.npz")).expect("the oracle");
    let n_weights = archive.array_names().filter(|name| name.ends_with(".counts")).count();
    let found = MappedFile::open(folder.path("out.gguf")).expect("it was written");
    let found = read_like_llama_cpp(&found);
    assert_eq!(found.len(), n_weights, "{backend}");
    for (name, (sums, counts)) in found {
        let expected = array(&mut archive, &name);
        assert_eq!(counts, array(&mut archive, &format!("{name}.counts")), "{backend}: {name}");
        let columns = sums.len() / counts.len();
        for (sums, expected) in sums.chunks(columns).zip(expected.chunks(columns)) {
            let largest = expected.iter().fold(0.0_f32, |largest, &sum| largest.max(sum));
            for (found, expected) in sums.iter().zip(expected) {
                let apart = (found - expected).abs();
                assert!(apart <= TOLERANCE * largest, "{backend}: {name} {found} for {expected}");
            }
        }
    }
    let (_, perplexity) = stderr.trim_end().rsplit_once(' ').expect("a summary");
    let perplexity: f32 = perplexity.parse().expect("a number");
    let expected = array(&mut archive, "perplexity")[0];
    assert!((perplexity / expected - 1.0).abs() < 1e-4, "{perplexity} for {expected}");
}

#[test]
fn squares_on_the_reference_are_those_of_the_numpy_model() {
    check_against_numpy("reference");
}

#[test]
fn squares_on_the_cpu_are_those_of_the_numpy_model() {
    check_against_numpy("cpu");
}

/// Root of `sum of importance * (found - expected)^2`, relative to the expected weights.
fn weighted_error(found: &[f32], expected: &[f32], importance: impl Fn(usize) -> f32) -> f64 {
    let (mut error, mut total) = (0.0, 0.0);
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let importance = f64::from(importance(i));
        error += importance * (f64::from(*found) - f64::from(*expected)).powi(2);
        total += importance * f64::from(*expected).powi(2);
    }
    (error / total).sqrt()
}

/// What is really measured, on the built-in model, makes rounding cost less where it matters.
#[test]
fn a_measured_importance_lowers_the_error_that_it_weighs() {
    const NAME: &str = "blk.2.ffn_down_exps.weight";
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tiny.gguf");
    let model = model.to_str().expect("the repository's path is UTF-8");
    let folder = Folder::empty();
    let text = "How do I start the server? ironstar serve. ".repeat(12);
    fs::write(folder.path("text.txt"), text).expect("the folder is writable");
    let args = ["imatrix", "-m", "tiny", "-f", "text.txt", "-o", "i.gguf", "--ctx", "32"];
    folder.succeed(&[&args[..], &["--chunks", "4"]].concat(), b"");

    let recipe = format!("default = \"keep\"\n[[tensor]]\nname = \"{NAME}\"\ntype = \"IQ2_XXS\"");
    fs::write(folder.path("r.toml"), recipe).expect("the folder is writable");
    let quantize = |out: &str, more: &[&str]| {
        folder.succeed(&[&["quantize", model, out, "--recipe", "r.toml"], more].concat(), b"");
        let file = MappedFile::open(folder.path(out)).expect("it was written");
        file.tensor(NAME).expect("it is kept").decode().expect("it holds weights")
    };
    let plain = quantize("plain.gguf", &[]);
    let weighted = quantize("weighted.gguf", &["--imatrix", "i.gguf"]);

    let before = MappedFile::open(model).expect("it is part of the repository");
    let before = before.tensor(NAME).expect("it is in the file");
    let matrices = MappedFile::open(folder.path("i.gguf")).expect("it was written");
    let read = |suffix: &str| {
        let tensor = matrices.tensor(&format!("{NAME}.{suffix}")).expect("it was measured");
        tensor.decode().expect("floats")
    };
    let (sums, counts) = (read("in_sum2"), read("counts"));
    let (columns, matrix_len) = (before.columns(), before.columns() * before.dims[1] as usize);
    let importance = |i: usize| {
        let expert = i / matrix_len;
        sums[expert * columns + i % columns] / counts[expert].max(1.0)
    };
    let before = before.decode().expect("it holds weights");
    let [plain, weighted] =
        [plain, weighted].map(|found| weighted_error(&found, &before, importance));
    assert!(weighted < 0.9 * plain, "{weighted:.4} with importance, {plain:.4} without");
}

#[test]
fn texts_and_sizes_that_cannot_be_measured_are_refused() {
    let folder = Folder::with_tiny();
    fs::write(folder.path("text.txt"), "some text").expect("the folder is writable");
    fs::write(folder.path("empty.txt"), "").expect("the folder is writable");
    fs::write(folder.path("latin1.txt"), [b'a', 0xe9]).expect("the folder is writable");
    let check = |text: &str, more: &[&str], expected: &str| {
        let args = ["imatrix", "-m", "tiny.gguf", "-f", text, "-o", "out.gguf"];
        let output = folder.run(&[&args[..], more].concat(), b"");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        assert!(!folder.path("out.gguf").exists(), "{stderr}");
    };
    check("none.txt", &[], "cannot read the text none.txt");
    check("empty.txt", &[], "empty.txt holds no text");
    check("latin1.txt", &[], "cannot read the text latin1.txt");
    check("text.txt", &["--ctx", "1"], "--ctx must be at least 2");
    check("text.txt", &["--ctx", "5000"], "4096");
    check("text.txt", &["--backend", "gpu"], "gpu");
    fs::write(folder.path("kept.gguf"), "precious").expect("the folder is writable");
    let args = ["imatrix", "-m", "tiny.gguf", "-f", "text.txt", "-o", "kept.gguf"];
    let output = folder.run(&args, b"");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--force"));
    assert_eq!(fs::read(folder.path("kept.gguf")).expect("it is kept"), b"precious");
}
