//! Answers of a form.

use serde_json::{Value, json};

use crate::service::{ask, check, refused};

/// One whose values are short, whatever is drawn.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 12 },
            "kind": { "$ref": "#/$defs/Kind" },
            "sizes": { "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 99 },
                       "maxItems": 3 },
            "note": { "anyOf": [{ "type": "null" }, { "type": "boolean" }] },
        },
        "required": ["name", "kind", "sizes", "note"],
        "additionalProperties": false,
        "$defs": { "Kind": { "enum": ["star", "dwarf", "giant"] } },
    })
}

fn messages() -> Value {
    json!([{ "role": "user", "content": "Describe a star as json." }])
}

#[test]
fn chat_answers_follow_their_schema_at_any_seed() {
    for seed in 0..5 {
        let body = json!({
            "messages": messages(), "seed": seed, "temperature": 2.0, "max_tokens": 400,
            "thinking": { "type": "disabled" },
            "response_format": { "type": "json_schema",
                "json_schema": { "name": "star", "strict": true, "schema": schema() } },
        });
        let reply = ask("/v1/chat/completions", &body);
        let choice = &reply["choices"][0];
        assert_eq!(choice["finish_reason"], "stop", "{reply}");
        let text = choice["message"]["content"].as_str().expect("text");
        check(&schema(), &serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")));
    }
}

#[test]
fn all_apis_hold_answers_to_a_schema() {
    let format =
        json!({ "type": "json_schema", "name": "star", "schema": schema(), "strict": true });
    let body = json!({ "input": "Describe a star.", "reasoning": { "effort": "none" },
        "max_output_tokens": 400, "text": { "format": format } });
    let reply = ask("/v1/responses", &body);
    let text = reply["output"][0]["content"][0]["text"].as_str().expect("text");
    check(&schema(), &serde_json::from_str(text).expect("JSON"));
    for (outer, key) in [("output_config", "format"), ("", "output_format")] {
        let mut body = json!({ "messages": messages(), "max_tokens": 400,
            "thinking": { "type": "disabled" } });
        let place = if outer.is_empty() { &mut body[key] } else { &mut body[outer][key] };
        *place = json!({ "type": "json_schema", "schema": schema() });
        let reply = ask("/v1/messages", &body);
        let text = reply["content"][0]["text"].as_str().expect("text");
        check(&schema(), &serde_json::from_str(text).expect("JSON"));
        assert_eq!(reply["stop_reason"], "end_turn");
    }
}

#[test]
fn reasoning_is_free_and_the_answer_is_not() {
    let body = json!({
        "messages": messages(), "max_tokens": 1500, "seed": 1,
        "response_format": { "type": "json_object" },
    });
    let reply = ask("/v1/chat/completions", &body);
    let choice = &reply["choices"][0];
    if choice["finish_reason"] == "stop" {
        let text = choice["message"]["content"].as_str().expect("text");
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert!(value.is_object(), "{text}");
    }
}

#[test]
fn expressions_and_choices() {
    let with = |key: &str, value: Value| {
        let mut body = json!({ "messages": messages(), "seed": 5, "temperature": 2.0,
            "max_tokens": 100, "thinking": { "type": "disabled" } });
        body[key] = value;
        let reply = ask("/v1/chat/completions", &body);
        reply["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
    };
    let is_date = |text: &str| {
        let digits =
            |range: std::ops::Range<usize>| text[range].bytes().all(|b| b.is_ascii_digit());
        text.len() == 10 && digits(0..4) && &text[4..5] == "-" && digits(5..7) && digits(8..10)
    };
    let pattern = r"\d{4}-\d\d-\d\d";
    for (key, value) in [
        ("structured_outputs", json!({ "regex": pattern })),
        ("guided_regex", json!(pattern)),
        ("response_format", json!({ "type": "regex", "regex": pattern })),
    ] {
        let text = with(key, value);
        assert!(is_date(&text), "{key}: {text}");
    }
    for (key, value) in [
        ("structured_outputs", json!({ "choice": ["red", "blue"] })),
        ("guided_choice", json!(["red", "blue"])),
    ] {
        let text = with(key, value);
        assert!(text == "red" || text == "blue", "{key}: {text}");
    }
    let text = with("structured_outputs", json!({ "json": schema() }));
    check(&schema(), &serde_json::from_str(&text).expect("JSON"));
}

#[test]
fn forms_that_cannot_be_had_are_refused() {
    let never = json!({ "type": "integer", "minimum": 2, "maximum": 1 });
    let json_schema = |schema: &Value| json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": schema } });
    let chat = |key: &str, value: Value| {
        let mut body = json!({ "messages": messages() });
        body[key] = value;
        refused("/v1/chat/completions", &body)
    };
    let told = chat("response_format", json_schema(&never));
    assert!(told.contains("response_format.json_schema.schema"), "{told}");
    let told = chat("response_format", json_schema(&json!({ "type": "strnig" })));
    assert!(told.contains("Invalid json schema"), "{told}");
    let told = chat("structured_outputs", json!({ "regex": "(" }));
    assert!(told.contains("structured_outputs.regex"), "{told}");
    let told = chat("structured_outputs", json!({ "regex": "a", "choice": ["b"] }));
    assert!(told.contains("only one"), "{told}");
    let told = chat("guided_choice", json!([]));
    assert!(told.contains("structured_outputs.choice"), "{told}");
    let format = json!({ "format": { "type": "json_schema", "name": "x", "schema": never } });
    let told = refused("/v1/responses", &json!({ "input": "x", "text": format }));
    assert!(told.contains("text.format.schema"), "{told}");
    let format = json!({ "format": { "type": "json_schema", "schema": never } });
    let body = json!({ "messages": messages(), "max_tokens": 9, "output_config": format });
    let told = refused("/v1/messages", &body);
    assert!(told.contains("output_config.format.schema"), "{told}");
    let body =
        json!({ "messages": messages(), "max_tokens": 9, "output_format": { "type": "xml" } });
    assert!(refused("/v1/messages", &body).contains("output_format"));
}

/// A bias of 100 outweighs the model, in every API and whether it thinks or not.
#[test]
fn biases_say_what_is_said() {
    let tokenizer = crate::service::tokenizer();
    let token = tokenizer.encode_plain(" star").first().copied().expect("a token");
    let word = String::from_utf8(tokenizer.decode(&[token]).expect("its own")).expect("text");
    let fields = json!({ "logit_bias": { (token.to_string()): 100 }, "temperature": 0, "max_tokens": 3,
        "max_output_tokens": 3, "messages": messages(), "input": "A star?", "prompt": "A star" });
    for (path, place) in [
        ("/v1/chat/completions", "/choices/0/message/content"),
        ("/v1/messages", "/content/0/text"),
        ("/v1/responses", "/output/0/content/0/text"),
        ("/v1/completions", "/choices/0/text"),
    ] {
        let mut body = fields.clone();
        match path {
            "/v1/responses" => body["reasoning"] = json!({ "effort": "none" }),
            _ => body["thinking"] = json!({ "type": "disabled" }),
        }
        let reply = ask(path, &body);
        assert_eq!(reply.pointer(place).and_then(Value::as_str), Some(&*word.repeat(3)), "{reply}");
    }
    let mut body = fields.clone();
    body["presence_penalty"] = 2.into();
    let reply = ask("/v1/chat/completions", &body);
    assert_eq!(reply["choices"][0]["message"]["reasoning_content"], word.repeat(3), "{reply}");
}
