//! Oracle: messages by vllm's strict parser (`testdata/golden/prompt_v4_parse.json`).
//!
//! The vendor's parser is lenient. Where the strict one refuses, what the lenient one makes of the
//! text is written down here, with the reason.

use std::sync::Arc;

use chat::{Output, OutputStart, Tokenizer, ToolCall, parse_text, parse_tokens};
use serde_json::Value;

use crate::support::{golden, text, v4_tokenizer};

const EOS: &str = "<｜end▁of▁sentence｜>";

/// What the strict parser refuses, why the lenient one does not, and what it makes of it.
fn lenient(name: &str) -> Option<Output> {
    let content = |content: &str| Output { content: content.to_owned(), ..Output::default() };
    match name {
        // Generation ends at EOS, which is not part of the output: it may as well be missing.
        "no_eos" => Some(content("Hello.")),
        // What follows a finished block of calls is dropped.
        "trailing_text" => Some(Output {
            tool_calls: vec![ToolCall {
                name: "bash".to_owned(),
                arguments: r#"{"command": "ls"}"#.to_owned(),
            }],
            ..Output::default()
        }),
        // A think token outside its place is text.
        "special_in_text" => Some(content("a<think>b")),
        _ => None,
    }
}

fn expected(case: &Value) -> Output {
    let message = &case["expected"];
    let calls = message["tool_calls"].as_array().expect("a list of calls");
    let call = |call: &Value| ToolCall {
        name: text(&call["function"], "name").to_owned(),
        arguments: text(&call["function"], "arguments").to_owned(),
    };
    Output {
        reasoning: text(message, "reasoning").to_owned(),
        content: text(message, "content").to_owned(),
        tool_calls: calls.iter().map(call).collect(),
    }
}

/// Arguments are compared as JSON where they are JSON.
fn comparable(mut output: Output) -> Output {
    for call in &mut output.tool_calls {
        if let Ok(json) = serde_json::from_str::<Value>(&call.arguments) {
            call.arguments = json.to_string();
        }
    }
    output
}

fn check(parse: impl Fn(&str, OutputStart) -> Output) {
    for case in golden("prompt_v4_parse.json", "cases") {
        let name = text(&case, "name");
        let start = match text(&case, "thinking_mode") {
            "thinking" => OutputStart::Reasoning,
            _ => OutputStart::Content,
        };
        let output = text(&case, "text");
        let ours = parse(output.strip_suffix(EOS).unwrap_or(output), start);
        let theirs = match lenient(name) {
            Some(output) => {
                assert!(case["error"].is_string(), "{name} is not refused by the strict parser");
                output
            }
            None => expected(&case),
        };
        assert_eq!(comparable(ours), comparable(theirs), "{name}");
    }
}

#[test]
fn text_parses_like_the_reference() {
    check(|output, start| parse_text(output, start).expect("text always parses"));
}

#[test]
fn tokens_parse_like_the_reference() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    check(|output, start| {
        parse_tokens(&tokenizer, &tokenizer.encode(output), start).expect("the ids exist")
    });
}

/// A model that spells markup with ordinary tokens is talking about it.
#[test]
fn spelled_markup_is_content() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let spelled = "a</think>b\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n";
    let parse = |encode: fn(&Tokenizer, &str) -> Vec<u32>, tokenizer: &Arc<Tokenizer>| {
        let ids = encode(tokenizer, spelled);
        parse_tokens(tokenizer, &ids, OutputStart::Reasoning).expect("the ids exist")
    };
    let plain = parse(Tokenizer::encode_plain, &tokenizer);
    assert_eq!(plain, Output { reasoning: spelled.to_owned(), ..Output::default() });
    let marked = parse(Tokenizer::encode, &tokenizer);
    assert_eq!((marked.reasoning.as_str(), marked.content.as_str()), ("a", "b"));
    assert_eq!(marked.tool_calls[0].name, "f");
}

#[test]
fn foreign_ids_are_an_error() {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let error = parse_tokens(&tokenizer, &[129_280], OutputStart::Content).expect_err("no such id");
    assert_eq!(error.to_string(), "the model output could not be decoded");
}

#[test]
fn output_that_is_cut_inside_a_character_keeps_what_is_before() {
    let tokenizer = crate::support::byte_tokenizer();
    let ids = tokenizer.encode("I think.</think>An é");
    let output = parse_tokens(&tokenizer, &ids[..ids.len() - 1], OutputStart::Reasoning);
    let output = output.expect("its own tokens");
    assert_eq!((output.reasoning.as_str(), output.content.as_str()), ("I think.", "An "));
}
