//! The tokenizer of the checkpoint. Oracle: the `tokenizer.json` itself, as `chat` reads it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::checkpoint::Checkpoint;
use crate::{check_refused, convert_well};

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
