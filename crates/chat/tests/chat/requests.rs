//! Requests of the three APIs. The expected prompts follow from the template (prompt
//! specification section 3.9) and the expected sampling from the vendor's documented defaults.

use chat::{Api, Dialect, Error, convert_request, render_request};
use serde_json::{Value, json};

use crate::support::v4_tokenizer;

const HIGH: &str = "Reasoning Effort: Absolute maximum with no shortcuts permitted.";
const MAX: &str = "Reasoning Effort: Beyond maximum";

struct Expected {
    prefix: Option<&'static str>,
    ending: &'static str,
    temperature: f64,
    max_tokens: u32,
}

fn check(api: Api, dialect: Dialect, body: &Value, expected: &Expected) {
    let Some(tokenizer) = v4_tokenizer() else { return };
    let rendered = render_request(api, body.to_string().as_bytes(), dialect, &tokenizer)
        .unwrap_or_else(|error| panic!("{api} {body}: {error}"));
    let json = serde_json::to_value(&rendered).expect("a rendered request is JSON");
    let prompt = json["prompt"].as_str().expect("the prompt is a text");
    let after_bos = prompt.strip_prefix("<｜begin▁of▁sentence｜>").expect("BOS comes first");
    match expected.prefix {
        Some(prefix) => assert!(after_bos.starts_with(prefix), "{prompt}"),
        None => assert!(!after_bos.starts_with("Reasoning Effort"), "{prompt}"),
    }
    assert!(prompt.ends_with(expected.ending), "{prompt}");
    assert_eq!(rendered.tokens[0], tokenizer.bos().expect("V4 has a BOS"));
    assert_eq!(rendered.tokens, tokenizer.encode(prompt), "nothing here spells a control token");
    let sampling = &json["sampling"];
    assert_eq!(sampling["temperature"], expected.temperature, "{body}");
    assert_eq!(sampling["max_tokens"], expected.max_tokens, "{body}");
}

fn hello(api: Api, more: &Value) -> Value {
    let mut body = match api {
        Api::Chat => json!({"messages": [
            {"role": "system", "content": "You are helpful."}, {"role": "user", "content": "Hello"}]}),
        Api::Messages => json!({"system": "You are helpful.", "max_tokens": 100,
            "messages": [{"role": "user", "content": "Hello"}]}),
        Api::Responses => json!({"instructions": "You are helpful.", "input": "Hello"}),
    };
    body["model"] = json!("whatever");
    for (key, value) in more.as_object().expect("more fields") {
        body[key] = value.clone();
    }
    body
}

const THINKING: &str = "You are helpful.<｜User｜>Hello<｜Assistant｜><think>";
const ANSWERING: &str = "You are helpful.<｜User｜>Hello<｜Assistant｜></think>";

#[test]
fn thinking_with_high_effort_is_the_default() {
    for (api, max_tokens) in [(Api::Chat, 65_536), (Api::Responses, 65_536), (Api::Messages, 100)] {
        let body = hello(api, &json!({"temperature": 0.5}));
        let expected =
            Expected { prefix: Some(HIGH), ending: THINKING, temperature: 1.0, max_tokens };
        check(api, Dialect::V4_0731, &body, &expected);
        check(api, Dialect::V4Preview, &body, &Expected { prefix: None, ..expected });
    }
}

#[test]
fn effort_and_thinking_are_taken_from_the_request() {
    let max = |prefix| Expected {
        prefix: Some(prefix),
        ending: THINKING,
        temperature: 1.0,
        max_tokens: 131_072,
    };
    let body = hello(Api::Chat, &json!({"reasoning_effort": "max"}));
    check(Api::Chat, Dialect::V4_0731, &body, &max(MAX));
    check(Api::Chat, Dialect::V4Preview, &body, &max(HIGH));
    let body = hello(Api::Responses, &json!({"reasoning": {"effort": "max"}}));
    check(Api::Responses, Dialect::V4_0731, &body, &max(MAX));
    let low = Expected { prefix: None, max_tokens: 65_536, ..max(MAX) };
    let body = hello(Api::Chat, &json!({"reasoning_effort": "low"}));
    check(Api::Chat, Dialect::V4_0731, &body, &low);
    let off = Expected { prefix: None, ending: ANSWERING, temperature: 0.5, max_tokens: 8192 };
    let body = hello(Api::Chat, &json!({"thinking": {"type": "disabled"}, "temperature": 0.5}));
    check(Api::Chat, Dialect::V4_0731, &body, &off);
    let body = hello(Api::Messages, &json!({"thinking": {"type": "disabled"}, "temperature": 0.5}));
    check(Api::Messages, Dialect::V4_0731, &body, &Expected { max_tokens: 100, ..off });
}

#[test]
fn web_search_tools_are_dropped() {
    let plain =
        Expected { prefix: Some(HIGH), ending: THINKING, temperature: 1.0, max_tokens: 100 };
    let tools = json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]});
    check(Api::Messages, Dialect::V4_0731, &hello(Api::Messages, &tools), &plain);
    let tools = json!({"tools": [{"type": "web_search"}]});
    let plain = Expected { max_tokens: 65_536, ..plain };
    check(Api::Responses, Dialect::V4_0731, &hello(Api::Responses, &tools), &plain);
}

#[test]
fn sampling_parameters_are_passed_on() {
    let body = hello(
        Api::Chat,
        &json!({"thinking": {"type": "disabled"}, "top_p": 0.5, "max_tokens": 7, "stop": ["a", "b"],
               "seed": 3, "logprobs": true, "top_logprobs": 2}),
    );
    let request = convert_request(Api::Chat, body.to_string().as_bytes()).expect("it is valid");
    assert_eq!(request.parsing_options.stop_sequences, ["a", "b"]);
    let Some(tokenizer) = v4_tokenizer() else { return };
    let body = body.to_string();
    let rendered = render_request(Api::Chat, body.as_bytes(), Dialect::V4_0731, &tokenizer)
        .expect("it is valid");
    assert_eq!(
        serde_json::to_value(rendered.sampling).expect("sampling is JSON"),
        json!({"temperature": 1.0, "top_p": 0.5, "max_tokens": 7, "stop": ["a", "b"], "seed": 3,
               "top_logprobs": 2})
    );
}

#[test]
fn bad_requests_are_refused_with_a_reason() {
    let refused = |api: Api, body: &str| {
        let error = convert_request(api, body.as_bytes()).expect_err("a bad request");
        let source = std::error::Error::source(&error).expect("a reason").to_string();
        (error, source)
    };
    let (error, source) = refused(Api::Chat, "{");
    assert!(matches!(error, Error::ParseRequest { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the request body is not a valid chat request");
    assert!(source.contains("EOF"), "{source}");
    let (_, source) = refused(Api::Responses, r#"{"input": "x"}"#);
    assert!(source.contains("missing field `model`"), "{source}");
    let (error, source) = refused(
        Api::Chat,
        r#"{"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 9}"#,
    );
    assert!(matches!(error, Error::Request { .. }), "{error:?}");
    assert!(source.contains("temperature"), "{source}");
    assert!("completions".parse::<Api>().is_err());
}

/// The preview was not trained with a low effort; agents ask for it all the same.
#[test]
fn low_effort_is_the_least_that_the_dialect_has() {
    let body = hello(Api::Chat, &json!({"reasoning_effort": "low"}));
    let least = Expected { prefix: None, ending: THINKING, temperature: 1.0, max_tokens: 65_536 };
    check(Api::Chat, Dialect::V4Preview, &body, &least);
}
