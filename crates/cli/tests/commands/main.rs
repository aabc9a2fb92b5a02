//! Every command on the tiny checkpoint, run as a user runs it.
//!
//! Oracle: `testdata/oracle/tiny_nano/reference.npz`, logits by transformers (without roundings)
//! and by a numpy model (with them). Everything else is algebra, or plain data in and out.

mod bad_input;
mod bench;
mod built_in;
mod cache;
mod chat;
mod doctor;
mod documents;
mod download;
mod fences;
mod hub;
mod imatrix;
mod quantize;
mod serve;
mod setup;
mod tiny;

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use npyz::npz::NpzArchive;
use serde_json::{Value, json};
use tiny::{Folder, checkpoint};

const VOCAB_SIZE: usize = 320;

/// An array of the oracle.
fn reference<T: npyz::Deserialize>(name: &str) -> Vec<T> {
    let mut archive = NpzArchive::open(checkpoint().join("reference.npz")).expect("the oracle");
    let array = archive.by_name(name).expect("a readable archive").expect("a known array");
    array.into_vec().expect("the array has this type")
}

fn write_tokens(folder: &Folder) -> usize {
    let tokens: Vec<i32> = reference("tokens");
    fs::write(folder.path("tokens.json"), json!(tokens).to_string()).expect("a folder");
    tokens.len()
}

fn logits_bytes(folder: &Folder, flags: &[&str]) -> Vec<u8> {
    let mut args = vec!["logits", "-m", "tiny.gguf", "--tokens", "tokens.json", "--out", "out.f32"];
    args.extend(flags);
    assert_eq!(folder.succeed(&args, b""), b"");
    fs::read(folder.path("out.f32")).expect("it was written")
}

fn logits(folder: &Folder, flags: &[&str]) -> Vec<f32> {
    let bytes = logits_bytes(folder, flags);
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Largest difference in each row, relative to the row's largest logit.
fn differences(found: &[f32], expected: &[f32]) -> Vec<f32> {
    assert_eq!(found.len(), expected.len());
    let rows = found.chunks_exact(VOCAB_SIZE).zip(expected.chunks_exact(VOCAB_SIZE));
    rows.map(|(found, expected)| {
        let largest = expected.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
        let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
        apart.fold(0.0_f32, f32::max) / largest
    })
    .collect()
}

fn check_against_transformers(backend: &str) {
    let folder = Folder::with_tiny();
    let n_tokens = write_tokens(&folder);
    let found = logits(&folder, &["--backend", backend, "--no-kv-rounding"]);
    let worst = differences(&found, &reference::<f32>("logits_transformers"));
    assert_eq!(worst.len(), n_tokens);
    let worst = worst.iter().copied().fold(0.0, f32::max);
    assert!(worst <= 1e-5, "{backend} differs by {worst:e} at worst");
}

#[test]
fn reference_logits_without_roundings_are_those_of_transformers() {
    check_against_transformers("reference");
}

#[test]
fn cpu_logits_without_roundings_are_those_of_transformers() {
    check_against_transformers("cpu");
}

/// Whether the gpu backend can be tried; says so if not.
fn has_gpu(folder: &Folder) -> bool {
    let args = ["logits", "-m", "tiny.gguf", "--tokens", "tokens.json", "--out", "out.f32"];
    let output = folder.run(&[args.as_slice(), &["--backend", "gpu"]].concat(), b"");
    if output.status.success() {
        return true;
    }
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("no graphics device was found"), "{message}");
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the program")]
    let required = std::env::var_os("IRONSTAR_REQUIRE_GPU").is_some();
    assert!(!required, "there is no GPU, and IRONSTAR_REQUIRE_GPU is set");
    say_skipped();
    false
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_skipped() {
    eprintln!("skipped: no GPU (a software one such as lavapipe will do)");
}

#[test]
fn gpu_logits_without_roundings_are_those_of_transformers() {
    let folder = Folder::with_tiny();
    write_tokens(&folder);
    if has_gpu(&folder) {
        check_against_transformers("gpu");
    }
}

/// A last-bit difference can flip an FP8 or FP4 code. The flip stays in KV, so later rows are a
/// little off and those that read the flipped row may be far off; what comes before it is exact.
#[test]
fn logits_with_roundings_are_those_of_the_numpy_model() {
    let median = |apart: &[f32]| {
        let mut sorted = apart.to_vec();
        sorted.sort_by(f32::total_cmp);
        sorted[sorted.len() / 2]
    };
    let folder = Folder::with_tiny();
    write_tokens(&folder);
    let gpu = has_gpu(&folder).then_some("gpu");
    for backend in ["reference", "cpu"].into_iter().chain(gpu) {
        let found = logits(&folder, &["--backend", backend]);
        let apart = differences(&found, &reference::<f32>("logits_ds4"));
        let flip = apart.iter().position(|apart| *apart > 1e-3).unwrap_or(apart.len());
        assert!(flip >= 100, "{backend} is off at row {flip} by {:e}", apart[flip]);
        let before = median(&apart[..flip]);
        assert!(before <= 1e-5, "{backend} has a median difference of {before:e} before a flip");
        let overall = median(&apart);
        assert!(overall <= 1e-4, "{backend} has a median difference of {overall:e}");
    }
}

#[test]
fn chunks_do_not_change_a_bit() {
    let folder = Folder::with_tiny();
    let n_tokens = write_tokens(&folder);
    let all = logits_bytes(&folder, &["--backend", "cpu"]);
    assert_eq!(all.len(), n_tokens * VOCAB_SIZE * 4);
    for chunk in ["1", "7", "64"] {
        let chunked = logits_bytes(&folder, &["--backend", "cpu", "--chunk", chunk]);
        assert!(chunked == all, "chunks of {chunk} change the logits");
    }
    let last = logits_bytes(&folder, &["--backend", "cpu", "--chunk", "7", "--last"]);
    assert!(last == all[all.len() - VOCAB_SIZE * 4..], "--last is another row");
}

#[test]
fn a_seed_fixes_the_answer_and_statistics_are_one_line() {
    let folder = Folder::with_tiny();
    let run = |flags: &[&str]| {
        let mut args = vec!["run", "-m", "tiny.gguf", "-n", "24", "--ctx", "1024"];
        args.extend(flags);
        let output = folder.run(&args, b"from stdin");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        let line = stderr.strip_suffix('\n').expect("a whole line");
        assert!(!line.contains('\n'), "{stderr}");
        assert!(line.starts_with("prompt ") && line.contains("; generated "), "{line}");
        assert!(line.contains(" tok/s, ") && line.contains(" GB/s"), "{line}");
        String::from_utf8(output.stdout).expect("whole characters")
    };
    let first = run(&["-p", "Hello", "--seed", "1"]);
    assert_eq!(run(&["-p", "Hello", "--seed", "1"]), first);
    assert_eq!(run(&["Hello", "--seed", "1", "--threads", "1"]), first);
    assert_ne!(run(&["-p", "Hello", "--seed", "2"]), first);
    assert_ne!(run(&["-p", "Hello", "--seed", "1", "--nothink"]), first);
    assert_eq!(run(&["-f", "-", "--temp", "0"]), run(&["-p", "from stdin", "--temp", "0"]));
    fs::write(folder.path("prompt.txt"), "from stdin").unwrap();
    assert_eq!(run(&["-f", "prompt.txt", "--temp", "0"]), run(&["from stdin", "--temp", "0"]));
    // A prompt that begins with BOS is the rendered form of the same.
    let rendered = "<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜></think>";
    assert_eq!(run(&["Hi", "--nothink", "--temp", "0"]), run(&[rendered, "--temp", "0"]));
}

#[test]
fn text_goes_to_ids_and_back() {
    let folder = Folder::with_tiny();
    let model = ["-m", "tiny.gguf"];
    let run = |command: &str, flags: &[&str], stdin: &[u8]| {
        folder.succeed(&[&[command], &model[..], flags].concat(), stdin)
    };
    let text = "Grüße <think> 🦀\n".as_bytes();
    let ids = run("tokenize", &[], text);
    let plain = run("tokenize", &["--plain"], text);
    let tokens = |json: &[u8]| serde_json::from_slice::<Vec<u32>>(json).unwrap();
    // Bytes are tokens here, and `<think>` is one.
    assert_eq!(tokens(&plain).len(), text.len());
    assert_eq!(tokens(&ids).len(), text.len() - "<think>".len() + 1);
    assert_eq!(run("detokenize", &[], &ids), text);
    assert_eq!(run("detokenize", &[], &plain), text);

    let both: Value =
        serde_json::from_slice(&run("tokenize", &["--json"], "aü".as_bytes())).unwrap();
    assert_eq!(both["pieces"], json!(["a", "\u{fffd}", "\u{fffd}"]));
    assert_eq!(both["tokens"].as_array().unwrap().len(), 3);
}

#[test]
fn requests_become_prompts() {
    let folder = Folder::with_tiny();
    let check = |api: &str, body: Value| {
        let args = ["render", "--api", api, "-m", "tiny.gguf"];
        let output = folder.succeed(&args, body.to_string().as_bytes());
        let output: Value = serde_json::from_slice(&output).unwrap();
        let prompt = output["prompt"].as_str().unwrap();
        assert!(prompt.contains("<｜User｜>Hi<｜Assistant｜>"), "{prompt}");
        let ids = folder.succeed(&["tokenize", "-m", "tiny.gguf"], prompt.as_bytes());
        assert_eq!(output["tokens"], serde_json::from_slice::<Value>(&ids).unwrap());
        assert!(output["sampling"]["temperature"].is_number());
    };
    let messages = json!([{ "role": "user", "content": "Hi" }]);
    check("chat", json!({ "model": "any", "messages": messages }));
    check("messages", json!({ "model": "any", "max_tokens": 9, "messages": messages }));
    check("responses", json!({ "model": "any", "input": "Hi" }));
}

#[test]
fn inspect_tells_what_a_file_is() {
    let folder = Folder::with_tiny();
    let json = folder.succeed(&["inspect", "tiny.gguf", "--json", "--ctx", "1000"], b"");
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["architecture"], "deepseek4");
    assert_eq!(json["runs"], true);
    assert_eq!(json["prompt_format"], "0731");
    assert_eq!(json["geometry"]["compress_ratios"], json!([0, 0, 4, 128, 4]));
    assert_eq!(json["tokenizer"]["vocab_size"], VOCAB_SIZE);
    assert_eq!(json["memory"]["context"], 1000);
    assert!(json["active_bytes_per_token"].as_u64().unwrap() > 0);
    let groups = json["tensors"].as_array().unwrap();
    assert_eq!(groups[0]["type"], "F32");

    let text = String::from_utf8(folder.succeed(&["inspect", "tiny.gguf"], b"")).unwrap();
    assert!(text.contains("runs          yes"), "{text}");
    assert!(text.contains("memory for a context of 4096 tokens"), "{text}");
}

#[test]
fn inspect_works_on_files_that_cannot_run() {
    let folder = Folder::with_tiny();
    folder.rewrite("llama.gguf", |content| {
        content.set("general.architecture", "llama");
        content.set("general.name", "a preview of something");
        content.remove("tokenizer.ggml.tokens");
    });
    let json = folder.succeed(&["inspect", "llama.gguf", "--json"], b"");
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["runs"], false);
    let reason = json["runs_not_because"].as_str().unwrap();
    assert!(reason.contains("the file holds a `llama` model"), "{reason}");
    assert_eq!(json["geometry"], Value::Null);
    assert_eq!(json["prompt_format"], "preview");
    assert!(json["tokenizer"]["error"].as_str().unwrap().contains("vocabulary"));
}

#[test]
fn a_closed_pipe_is_success() {
    let folder = Folder::with_tiny();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
        .args(["inspect", "--json"])
        .arg(folder.path("tiny.gguf"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_answer_and_the_statistics_still_come() {
    let folder = Folder::with_tiny();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ironstar"))
        .args(["run", "--nothink", "--temp", "0", "-p", "Hello", "-m"])
        .arg(folder.path("tiny.gguf"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).expect("the answer begins");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.ends_with("; cancelled\n"), "{stderr}");
    assert_eq!(rest.last(), Some(&b'\n'));
}
