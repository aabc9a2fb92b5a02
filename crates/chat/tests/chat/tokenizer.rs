//! Oracle: ids by the Python package `tokenizers` on the published V4 tokenizer
//! (`testdata/golden/tokenizer.json`).

use std::collections::BTreeMap;

use chat::{StreamDecoder, Tokenizer, Vocabulary};
use serde_json::Value;

use crate::support::{golden, ids, text, tokenizer_json, v4_tokenizer};

/// Text to ids, and ids back to the same bytes, at once and one token at a time.
fn check(tokenizer: &Tokenizer, encode: fn(&Tokenizer, &str) -> Vec<u32>, case: &Value) {
    let input = text(case, "text");
    let expected = ids(&case["ids"]);
    assert_eq!(encode(tokenizer, input), expected, "ids of {input:?}");
    let decoded = case["decoded"].as_str().unwrap_or(input);
    let bytes = tokenizer.decode(&expected).expect("the ids exist");
    assert_eq!(String::from_utf8_lossy(&bytes), decoded, "text of {expected:?}");
    let mut decoder = StreamDecoder::new();
    let mut streamed: String = expected.iter().map(|&id| decoder.push(tokenizer, id)).collect();
    streamed += &decoder.finish();
    assert_eq!(streamed, decoded, "streamed text of {expected:?}");
}

fn check_all(tokenizer: &Tokenizer) {
    for case in golden("tokenizer.json", "cases") {
        check(tokenizer, Tokenizer::encode, &case);
    }
    for case in golden("tokenizer.json", "plain_cases") {
        check(tokenizer, Tokenizer::encode_plain, &case);
        let plain = tokenizer.encode_plain(text(&case, "text"));
        assert!(!plain.iter().any(|&id| tokenizer.is_added_token(id)), "{case}");
    }
}

#[test]
fn ids_are_those_of_the_reference() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    assert_eq!(tokenizer.vocab_size(), 129_280);
    assert_eq!(tokenizer.added_token_ids().len(), 1283);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(0), Some(1)));
    for added in golden("tokenizer.json", "added_tokens") {
        let id = added["id"].as_u64().expect("an id") as u32;
        let content = text(&added, "content");
        assert_eq!(tokenizer.token_id(content), Some(id), "{content}");
        assert!(tokenizer.is_added_token(id), "{content}");
        assert_eq!(tokenizer.token_bytes(id), content.as_bytes());
        assert_eq!(tokenizer.encode(content), [id], "{content}");
    }
    check_all(&tokenizer);
}

/// The way of a GGUF file: types 3 and 4 are all that is known about added tokens.
#[test]
fn a_gguf_vocabulary_gives_the_same_ids() {
    let Some(json) = tokenizer_json() else { return };
    let file: Value = serde_json::from_slice(&json).expect("tokenizer.json is JSON");
    let mut entries: BTreeMap<u64, (&str, i32)> = BTreeMap::new();
    for (token, id) in file["model"]["vocab"].as_object().expect("a vocabulary") {
        entries.insert(id.as_u64().expect("an id"), (token, 1));
    }
    for added in file["added_tokens"].as_array().expect("added tokens") {
        let kind = if added["special"] == true { 3 } else { 4 };
        entries.insert(added["id"].as_u64().expect("an id"), (text(added, "content"), kind));
    }
    let merges = file["model"]["merges"].as_array().expect("merges");
    let vocabulary = Vocabulary {
        tokens: entries.values().map(|(token, _)| (*token).to_owned()).collect(),
        token_types: entries.values().map(|(_, kind)| *kind).collect(),
        merges: merges.iter().map(|merge| merge.as_str().expect("a merge").to_owned()).collect(),
        pre: Some("joyai-llm".to_owned()),
        bos: Some(0),
        eos: Some(1),
    };
    assert_eq!((vocabulary.tokens.len(), vocabulary.merges.len()), (129_280, 127_741));
    check_all(&Tokenizer::from_gguf_parts(vocabulary).expect("a V4 vocabulary"));
}

#[test]
fn prompt_tokens_are_found_by_their_text() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let tokens = tokenizer.prompt_tokens().expect("V4 has all of them");
    assert_eq!((tokens.bos, tokens.eos), (0, 1));
    assert_eq!((tokens.user, tokens.assistant), (128_803, 128_804));
    assert_eq!((tokens.think_start, tokens.think_end, tokens.dsml), (128_821, 128_822, 128_825));
}

/// Long texts are cut and tokenized side by side; short ones are not.
#[test]
fn cut_texts_have_the_ids_of_their_lines() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let cases = golden("tokenizer.json", "cases");
    let line: String = cases.iter().map(|case| text(case, "text")).collect();
    let line = format!("<{line}>\n");
    let whole = tokenizer.encode_plain(&line.repeat(300));
    assert!(line.len() * 300 > 4 << 16, "the text is long enough to be cut");
    assert_eq!(whole, tokenizer.encode_plain(&line).repeat(300));
}
