//! Golden files, and the V4 tokenizer where it is available.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chat::{Tokenizer, Vocabulary};
use serde_json::Value;

fn testdata() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata"))
}

/// A file of `testdata/golden`, and the list under `key` in it, which must not be empty.
pub(crate) fn golden(file: &str, key: &str) -> Vec<Value> {
    let path = testdata().join("golden").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let json: Value = serde_json::from_str(&text).expect("a golden file is JSON");
    let cases = json[key].as_array().expect("a golden file holds a list of cases").clone();
    assert!(!cases.is_empty(), "{file} has no {key}");
    cases
}

pub(crate) fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("`{key}` of {case} is not a text"))
}

pub(crate) fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("a list of token ids")
}

/// The bytes of the V4 `tokenizer.json`, or `None` after saying that the test is skipped.
///
/// The file is too large to keep; `testdata/golden/README.md` says where it comes from.
pub(crate) fn tokenizer_json() -> Option<Vec<u8>> {
    let path = testdata().join("cache/tokenizer.json");
    if let Ok(json) = std::fs::read(&path) {
        return Some(json);
    }
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the program")]
    let required = std::env::var_os("IRONSTAR_REQUIRE_TOKENIZER").is_some();
    assert!(!required, "{} is missing, and IRONSTAR_REQUIRE_TOKENIZER is set", path.display());
    say_skipped(&path);
    None
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_skipped(missing: &Path) {
    eprintln!("skipped: no {} (testdata/golden/README.md says how to get it)", missing.display());
}

/// The V4 tokenizer, loaded once for all tests of a process.
pub(crate) fn v4_tokenizer() -> Option<Arc<Tokenizer>> {
    static TOKENIZER: OnceLock<Option<Arc<Tokenizer>>> = OnceLock::new();
    TOKENIZER
        .get_or_init(|| {
            let json = tokenizer_json()?;
            Some(Arc::new(Tokenizer::from_bytes(&json).expect("the V4 tokenizer loads")))
        })
        .clone()
}

/// A vocabulary of the control tokens that prompts need and the 256 bytes, in this order.
pub(crate) fn byte_vocabulary() -> Vocabulary {
    let control = [
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "<｜User｜>",
        "<｜Assistant｜>",
        "<think>",
        "</think>",
        "｜DSML｜",
    ];
    let mut shifted = (0x100..).map(|code| char::from_u32(code).expect("below the surrogates"));
    let bytes = (0..=255u8).map(|byte| match byte {
        33..=126 | 161..=172 | 174..=255 => char::from(byte),
        _ => shifted.next().expect("endless"),
    });
    let tokens: Vec<String> =
        control.map(str::to_owned).into_iter().chain(bytes.map(String::from)).collect();
    let mut token_types = vec![1; tokens.len()];
    token_types[..control.len()].fill(3);
    Vocabulary { tokens, token_types, merges: Vec::new(), pre: None, bos: Some(0), eos: Some(1) }
}

/// The tokenizer of [`byte_vocabulary`].
pub(crate) fn byte_tokenizer() -> Arc<Tokenizer> {
    Arc::new(Tokenizer::from_gguf_parts(byte_vocabulary()).expect("a sound vocabulary"))
}
