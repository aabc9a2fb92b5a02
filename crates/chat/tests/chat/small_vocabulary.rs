//! A byte-level vocabulary small enough to reason about: the rules of BPE and of the file format
//! need no published tokenizer. Expected values are worked out by hand.

use chat::{Dialect, Error, StreamDecoder, Thinking, Tokenizer, Vocabulary, render_chat};

/// Three control tokens, the 256 bytes in byte order, three merges with their tokens, an unused
/// entry and a user-defined token.
fn small() -> Vocabulary {
    let control = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"];
    let mut shifted = (0x100..).map(|code| char::from_u32(code).expect("below the surrogates"));
    let bytes = (0..=255u8).map(|byte| match byte {
        33..=126 | 161..=172 | 174..=255 => char::from(byte),
        _ => shifted.next().expect("endless"),
    });
    let mut tokens: Vec<String> = control.map(str::to_owned).to_vec();
    tokens.extend(bytes.map(String::from));
    tokens.extend(["he", "ll", "Ġt", "<|unused|>", "<think>"].map(str::to_owned));
    let mut token_types = vec![1; tokens.len()];
    token_types[..3].fill(3);
    token_types[262] = 5;
    token_types[263] = 4;
    Vocabulary {
        tokens,
        token_types,
        merges: ["h e", "l l", "Ġ t"].map(str::to_owned).to_vec(),
        pre: Some("joyai-llm".to_owned()),
        bos: Some(0),
        eos: Some(1),
    }
}

fn id(byte: u8) -> u32 {
    u32::from(byte) + 3
}

fn check(text: &str, expected: &[u32]) {
    let tokenizer = Tokenizer::from_gguf_parts(small()).expect("the vocabulary is sound");
    let ids = tokenizer.encode(text);
    assert_eq!(ids, expected, "{text:?}");
    assert_eq!(tokenizer.decode(&ids).expect("its own ids"), text.as_bytes());
}

#[test]
fn merges_and_splits() {
    check("", &[]);
    check("hello", &[259, 260, id(b'o')]);
    // Two digits stay apart from the letter before them, the space joins the word after it.
    check("l12 t", &[id(b'l'), id(b'1'), id(b'2'), 261]);
    // Only the last of several spaces joins the word.
    check("  t", &[id(b' '), 261]);
    check("é", &[id(0xc3), id(0xa9)]);
    check("\0\u{7f}\u{ad}", &[id(0), id(0x7f), id(0xc2), id(0xad)]);
    // An unused entry is not matched, nothing merges into it.
    check("<|", &[id(b'<'), id(b'|')]);
    check("he<think>he<｜end▁of▁sentence｜>", &[259, 263, 259, 1]);
}

#[test]
fn plain_encoding_knows_no_added_token() {
    let tokenizer = Tokenizer::from_gguf_parts(small()).expect("the vocabulary is sound");
    for text in ["<think>", "x<｜begin▁of▁sentence｜>", "<｜▁pad▁｜>"] {
        let ids = tokenizer.encode_plain(text);
        assert!(ids.len() >= 6 && !ids.iter().any(|&id| tokenizer.is_added_token(id)), "{text}");
        assert_eq!(tokenizer.decode(&ids).expect("its own ids"), text.as_bytes());
    }
}

#[test]
fn tokens_and_their_bytes() {
    let tokenizer = Tokenizer::from_gguf_parts(small()).expect("the vocabulary is sound");
    assert_eq!(tokenizer.vocab_size(), 264);
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(0), Some(1)));
    assert_eq!(tokenizer.token_bytes(261), b" t");
    assert_eq!(tokenizer.token_bytes(2), "<｜▁pad▁｜>".as_bytes());
    assert_eq!(tokenizer.token_bytes(264), b"");
    assert_eq!(tokenizer.token_id("Ġt"), Some(261));
    assert_eq!(tokenizer.token_id("<think>"), Some(263));
    assert_eq!(tokenizer.token_id("nothing"), None);
    assert_eq!(tokenizer.added_token_ids(), [0, 1, 2, 263]);
    let error = tokenizer.decode(&[3, 264]).expect_err("the vocabulary ends at 263");
    assert_eq!(error.to_string(), "token id 264 is outside the vocabulary of 264 tokens");
}

#[test]
fn streaming_waits_for_whole_characters() {
    let tokenizer = Tokenizer::from_gguf_parts(small()).expect("the vocabulary is sound");
    let mut decoder = StreamDecoder::new();
    let pieces: Vec<String> =
        tokenizer.encode("h€!").into_iter().map(|id| decoder.push(&tokenizer, id)).collect();
    assert_eq!(pieces, ["h", "", "", "€", "!"]);
    assert_eq!(decoder.push(&tokenizer, id(0xe2)), "");
    assert_eq!(decoder.finish(), "\u{fffd}");
}

#[test]
fn a_prompt_needs_control_tokens_only_when_it_is_asked_for() {
    let tokenizer = Tokenizer::from_gguf_parts(small()).expect("the vocabulary is sound");
    let error = tokenizer.prompt_tokens().expect_err("most are missing");
    assert_eq!(
        error.to_string(),
        "the vocabulary cannot write V4 prompts: it has no <｜User｜>, <｜Assistant｜>, </think>, \
         ｜DSML｜"
    );
    let prompt =
        render_chat(Dialect::V4_0731, None, "he", Thinking::default()).expect("the text renders");
    let error = prompt.encode(&tokenizer).expect_err("<｜User｜> is missing");
    assert!(error.to_string().ends_with("it has no <｜User｜>"), "{error}");
}

fn check_refused(change: impl FnOnce(&mut Vocabulary), expected: &str) {
    let mut vocabulary = small();
    change(&mut vocabulary);
    let error = Tokenizer::from_gguf_parts(vocabulary).expect_err(expected);
    assert_eq!(error.to_string(), expected);
}

#[test]
fn contradictions_are_refused() {
    check_refused(
        |v| v.pre = Some("llama-bpe".to_owned()),
        "the file splits text with the pre-tokenizer `llama-bpe`; this program takes `joyai-llm` \
         (tokenizer.ggml.pre), the one of DeepSeek V4",
    );
    check_refused(|v| v.token_types.truncate(9), "the vocabulary has 264 tokens but 9 token types");
    check_refused(
        |v| v.eos = Some(264),
        "the EOS token id 264 is outside the vocabulary of 264 tokens",
    );
    check_refused(
        |v| v.tokens[262] = "he".to_owned(),
        "token ids 259 and 262 are both spelled `he`",
    );
    check_refused(
        |v| v.tokens[3] = "zero".to_owned(),
        "the vocabulary has no token for the byte 0x00; a byte-level one has all 256",
    );
    let merge = |merge: &'static str| move |v: &mut Vocabulary| v.merges[1] = merge.to_owned();
    let refused = "does not join two tokens into a third one";
    check_refused(merge("ll"), &format!("merge 1 (`ll`) {refused}"));
    check_refused(merge("l  l"), &format!("merge 1 (`l  l`) {refused}"));
    check_refused(merge("he ll"), &format!("merge 1 (`he ll`) {refused}"));
    check_refused(
        merge("<｜begin▁of▁sentence｜> <｜begin▁of▁sentence｜>"),
        &format!("merge 1 (`<｜begin▁of▁sentence｜> <｜begin▁of▁sentence｜>`) {refused}"),
    );
    let empty = Tokenizer::from_gguf_parts(Vocabulary::default()).expect_err("no bytes");
    assert!(matches!(empty, Error::MissingByte { byte: 0 }), "{empty:?}");
}

#[test]
fn foreign_tokenizer_files_are_refused() {
    let check = |json: &str, expected: &str| {
        let error = Tokenizer::from_bytes(json.as_bytes()).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    };
    check("[]", "the tokenizer is not a Hugging Face tokenizer.json of a BPE model");
    let file = |model: &str, rest: &str| {
        format!(
            r#"{{"model": {{"vocab": {{}}, "merges": [] {model}}}, "pre_tokenizer": null {rest}}}"#
        )
    };
    let foreign = |part: &str| format!("the tokenizer's {part} is not that of DeepSeek V4");
    check(&file(r#", "type": "Unigram""#, ""), &foreign("model type"));
    check(&file(r#", "byte_fallback": true"#, ""), &foreign("BPE variant"));
    check(&file("", r#", "normalizer": {"type": "NFC"}"#), &foreign("normalizer"));
    check(&file("", ""), &foreign("pre-tokenizer"));
    let error = Tokenizer::from_file("no such file.json").expect_err("it does not exist");
    assert_eq!(error.to_string(), "cannot read the tokenizer file no such file.json");
}
