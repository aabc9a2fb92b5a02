//! The next turn's prompt begins with the last prompt and the tokens that were drawn for it.
//!
//! What the engine says it had in KV is the measure: after an answer of `c` tokens to a prompt of
//! `p`, a conversation that goes on has `p + c` tokens there, or one less, since the last one that
//! was drawn may not have been run. Arguments are drawn at a high temperature, so that their white
//! space, their order and the way they are cut into tokens are unlike any other writer's.

use serde_json::{Value, json};

use crate::service::ask;

fn parameters() -> Value {
    json!({ "type": "object", "properties": {
        "place": { "type": "string", "enum": ["here", "there", "everywhere"] },
        "marks": { "type": "array", "minItems": 2, "maxItems": 4,
                   "items": { "type": "object", "properties": { "x": { "enum": [1, 2.5, "a"] } },
                              "required": ["x"], "additionalProperties": false } },
        "deep": { "type": "boolean" },
    }, "required": ["place", "marks"] })
}

/// Numbers of a reply's usage: of the prompt, of the answer, and of the prompt in KV.
fn usage(reply: &Value) -> (u64, u64, u64) {
    let number = |places: &[&str]| {
        let found = places.iter().find_map(|place| reply.pointer(place)?.as_u64());
        found.unwrap_or_else(|| panic!("none of {places:?} in {reply}"))
    };
    let cached = number(&[
        "/usage/prompt_tokens_details/cached_tokens",
        "/usage/input_tokens_details/cached_tokens",
        "/usage/cache_read_input_tokens",
    ]);
    let prompt = number(&["/usage/prompt_tokens", "/usage/input_tokens"]);
    let beside = reply.pointer("/usage/cache_read_input_tokens").is_some();
    let answer = number(&["/usage/completion_tokens", "/usage/output_tokens"]);
    (if beside { prompt + cached } else { prompt }, answer, cached)
}

fn check(first: &Value, second: &Value, what: &str) {
    let (prompt, answer, _) = usage(first);
    let (_, _, cached) = usage(second);
    let expected = prompt + answer - 1;
    assert!(
        (expected..=expected + 1).contains(&cached),
        "{what}: {cached} tokens in KV of {prompt} + {answer}\n{first}\n{second}"
    );
}

/// Whether a reply came to its end.
fn ended(reply: &Value) -> bool {
    let reasons = ["/choices/0/finish_reason", "/stop_reason", "/status"];
    let reason = reasons.iter().find_map(|place| reply.pointer(place)).expect("a reason");
    !["length", "max_tokens", "incomplete"].iter().any(|cut| reason == cut)
}

fn chat_tools() -> Value {
    json!([{ "type": "function", "function": {
        "name": "look", "description": "Looks.", "parameters": parameters() } }])
}

/// A chat with an answer in it, and what is said next: the results of its calls, or a question.
fn go_on(body: &Value, message: &Value) -> Value {
    let mut body = body.clone();
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.push(message.clone());
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    for call in &calls {
        messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "ok" }));
    }
    if calls.is_empty() {
        messages.push(json!({ "role": "user", "content": "And now?" }));
    }
    body["max_tokens"] = 8.into();
    body["tool_choice"] = "auto".into();
    body
}

#[test]
fn calls_of_chat() {
    for (seed, thinking, keeps_reasoning) in
        [(1, "disabled", false), (3, "enabled", true), (4, "enabled", false)]
    {
        let choice = if thinking == "enabled" { "required" } else { "auto" };
        let body = json!({
            "messages": [{ "role": "user", "content": format!("Look around, {seed}.") }],
            "tools": chat_tools(), "tool_choice": choice, "seed": seed, "temperature": 1.5,
            "max_tokens": 1200, "thinking": { "type": thinking },
        });
        let first = ask("/v1/chat/completions", &body);
        if !ended(&first) {
            continue;
        }
        let mut message = first.pointer("/choices/0/message").expect("a message").clone();
        if !keeps_reasoning {
            message.as_object_mut().expect("an object").remove("reasoning_content");
        }
        let second = ask("/v1/chat/completions", &go_on(&body, &message));
        check(&first, &second, &format!("{thinking}, {seed}, {keeps_reasoning}"));
    }
}

#[test]
fn forced_calls_of_chat() {
    for seed in 0..3 {
        let body = json!({
            "messages": [{ "role": "user", "content": format!("Look around {seed} times.") }],
            "tools": chat_tools(), "tool_choice": "required", "seed": seed, "temperature": 2.0,
            "max_tokens": 900, "thinking": { "type": "disabled" },
        });
        let first = ask("/v1/chat/completions", &body);
        if ended(&first) {
            let message = first.pointer("/choices/0/message").expect("a message");
            check(&first, &ask("/v1/chat/completions", &go_on(&body, message)), "chat");
        }
    }
}

/// A conversation of the Messages API with an answer in it, and what is said next.
fn go_on_messages(body: &mut Value, first: &Value) {
    let blocks = first["content"].as_array().expect("blocks");
    let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
    let results = calls
        .map(|block| json!({ "type": "tool_result", "tool_use_id": block["id"], "content": "ok" }));
    let mut next: Vec<Value> = results.collect();
    if next.is_empty() {
        next.push(json!({ "type": "text", "text": "And now?" }));
    }
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.push(json!({ "role": "assistant", "content": blocks }));
    messages.push(json!({ "role": "user", "content": next }));
    body["max_tokens"] = 8.into();
}

#[test]
fn calls_of_messages() {
    let tools = json!([{ "name": "look", "description": "Looks.", "input_schema": parameters() }]);
    for thinking in ["disabled", "enabled"] {
        let mut body = json!({
            "messages": [{ "role": "user", "content": format!("Look around, {thinking}.") }],
            "tools": tools, "tool_choice": { "type": "any" }, "max_tokens": 1200,
            "thinking": { "type": thinking },
        });
        let first = ask("/v1/messages", &body);
        if ended(&first) {
            go_on_messages(&mut body, &first);
            check(&first, &ask("/v1/messages", &body), thinking);
        }
    }
}

#[test]
fn calls_of_responses() {
    let tools = json!([{ "type": "function", "name": "look", "description": "Looks.",
        "parameters": parameters(), "strict": false }]);
    for effort in ["none", "low"] {
        let mut body = json!({
            "input": [{ "role": "user", "content": format!("Look around, {effort}.") }],
            "tools": tools, "tool_choice": "required", "max_output_tokens": 1200,
            "reasoning": { "effort": effort },
        });
        let first = ask("/v1/responses", &body);
        if !ended(&first) {
            continue;
        }
        let output = first["output"].as_array().expect("items").clone();
        let input = body["input"].as_array_mut().expect("a list");
        input.extend(output.iter().cloned());
        for call in output.iter().filter(|item| item["type"] == "function_call") {
            input.push(json!({ "type": "function_call_output", "call_id": call["call_id"],
                "output": "ok" }));
        }
        body["max_output_tokens"] = 8.into();
        body["tool_choice"] = "auto".into();
        check(&first, &ask("/v1/responses", &body), effort);
    }
}

#[test]
fn text_is_the_same_tokens_again() {
    for seed in 0..4 {
        let mut body = json!({
            "messages": [{ "role": "user", "content": format!("Say something, {seed}.") }],
            "seed": seed, "temperature": 2.0, "max_tokens": 60, "thinking": { "type": "disabled" },
        });
        let first = ask("/v1/chat/completions", &body);
        let messages = body["messages"].as_array_mut().expect("a list");
        messages.push(first.pointer("/choices/0/message").expect("a message").clone());
        messages.push(json!({ "role": "user", "content": "And then?" }));
        body["max_tokens"] = 8.into();
        check(&first, &ask("/v1/chat/completions", &body), &format!("seed {seed}"));
    }
}

#[test]
fn a_call_that_was_changed_is_not_the_one_that_was_drawn() {
    let body = json!({
        "messages": [{ "role": "user", "content": "Look around once more." }],
        "tools": chat_tools(), "tool_choice": "required", "parallel_tool_calls": false, "seed": 7,
        "temperature": 2.0, "max_tokens": 900, "thinking": { "type": "disabled" },
    });
    let first = ask("/v1/chat/completions", &body);
    let mut message = first.pointer("/choices/0/message").expect("a message").clone();
    message["tool_calls"][0]["function"]["arguments"] = r#"{"place":"here","marks":[]}"#.into();
    let second = ask("/v1/chat/completions", &go_on(&body, &message));
    let (prompt, answer, _) = usage(&first);
    let (_, _, cached) = usage(&second);
    assert!(cached < prompt + answer - 1, "{cached} of {prompt} + {answer}");
}
