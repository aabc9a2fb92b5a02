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

#[test]
fn calls_of_chat() {
    for (seed, thinking) in [(1, "disabled"), (2, "disabled"), (3, "enabled"), (4, "enabled")] {
        let tools = json!([{ "type": "function", "function": {
            "name": "look", "description": "Looks.", "parameters": parameters() } }]);
        let mut body = json!({
            "messages": [{ "role": "user", "content": format!("Look around, {seed}.") }],
            "tools": tools, "tool_choice": if thinking == "enabled" { "required" } else { "auto" },
            "seed": seed, "temperature": 1.5, "max_tokens": 1200, "thinking": { "type": thinking },
        });
        if thinking == "disabled" {
            // Forced without being in the prompt, so that the second prompt may be free.
            body["tool_choice"] = json!({ "type": "allowed_tools", "allowed_tools": {
                "mode": "auto", "tools": [{ "type": "function", "function": { "name": "look" } }] } });
        }
        let first = ask("/v1/chat/completions", &body);
        if !ended(&first) {
            continue;
        }
        let message = first.pointer("/choices/0/message").expect("a message").clone();
        for keeps_reasoning in [true, false] {
            let mut sent = message.clone();
            if !keeps_reasoning {
                sent.as_object_mut().expect("an object").remove("reasoning_content");
            }
            let mut body = body.clone();
            let calls = sent["tool_calls"].as_array().cloned().unwrap_or_default();
            let messages = body["messages"].as_array_mut().expect("a list");
            messages.push(sent);
            for call in &calls {
                messages
                    .push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "ok" }));
            }
            if calls.is_empty() {
                messages.push(json!({ "role": "user", "content": "And now?" }));
            }
            body["max_tokens"] = 8.into();
            let second = ask("/v1/chat/completions", &body);
            check(&first, &second, &format!("{thinking}, {seed}, {keeps_reasoning}"));
        }
    }
}

#[test]
fn forced_calls_of_all_apis() {
    for seed in 0..4 {
        let tools = json!([{ "type": "function", "function": {
            "name": "look", "description": "Looks.", "parameters": parameters() } }]);
        let mut body = json!({
            "messages": [{ "role": "user", "content": format!("Look around {seed} times.") }],
            "tools": tools, "tool_choice": "required", "seed": seed, "temperature": 2.0,
            "max_tokens": 900, "thinking": { "type": "disabled" },
        });
        let first = ask("/v1/chat/completions", &body);
        if !ended(&first) {
            continue;
        }
        let message = first.pointer("/choices/0/message").expect("a message").clone();
        let calls = message["tool_calls"].as_array().expect("it had to").clone();
        let messages = body["messages"].as_array_mut().expect("a list");
        messages.push(message);
        for call in calls {
            messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "ok" }));
        }
        body["max_tokens"] = 8.into();
        body["tool_choice"] = "auto".into();
        let second = ask("/v1/chat/completions", &body);
        check(&first, &second, "chat");
    }
    let tools = json!([{ "name": "look", "description": "Looks.", "input_schema": parameters() }]);
    let mut body = json!({
        "messages": [{ "role": "user", "content": "Look around, please." }],
        "tools": tools, "tool_choice": { "type": "any" }, "max_tokens": 900, "temperature": 1.0,
        "thinking": { "type": "disabled" },
    });
    let first = ask("/v1/messages", &body);
    let results: Vec<Value> = first["content"]
        .as_array()
        .expect("blocks")
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| json!({ "type": "tool_result", "tool_use_id": block["id"], "content": "ok" }))
        .collect();
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.push(json!({ "role": "assistant", "content": first["content"] }));
    messages.push(json!({ "role": "user", "content": results }));
    body["max_tokens"] = 8.into();
    check(&first, &ask("/v1/messages", &body), "messages");

    let tools = json!([{ "type": "function", "name": "look", "description": "Looks.",
        "parameters": parameters(), "strict": false }]);
    let mut body = json!({
        "input": [{ "role": "user", "content": "Look around, will you?" }], "tools": tools,
        "tool_choice": "required", "max_output_tokens": 900, "temperature": 1.0,
        "reasoning": { "effort": "none" },
    });
    let first = ask("/v1/responses", &body);
    let output = first["output"].as_array().expect("items").clone();
    let input = body["input"].as_array_mut().expect("a list");
    input.extend(output.iter().cloned());
    for call in output.iter().filter(|item| item["type"] == "function_call") {
        input.push(json!({ "type": "function_call_output", "call_id": call["call_id"],
            "output": "ok" }));
    }
    body["max_output_tokens"] = 8.into();
    body["tool_choice"] = "auto".into();
    check(&first, &ask("/v1/responses", &body), "responses");
}

#[test]
fn reasoning_of_all_apis_stays_where_tools_are() {
    let tools = json!([{ "name": "look", "description": "Looks.", "input_schema": parameters() }]);
    let mut body = json!({
        "messages": [{ "role": "user", "content": "How do I start the server?" }],
        "tools": tools, "max_tokens": 900, "thinking": { "type": "enabled", "budget_tokens": 1024 },
    });
    let first = ask("/v1/messages", &body);
    assert!(ended(&first), "{first}");
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.push(json!({ "role": "assistant", "content": first["content"] }));
    let has_calls = first["stop_reason"] == "tool_use";
    assert!(!has_calls, "it knows the answer: {first}");
    messages.push(json!({ "role": "user", "content": "And how do I stop it?" }));
    body["max_tokens"] = 8.into();
    check(&first, &ask("/v1/messages", &body), "messages");

    let tools = json!([{ "type": "function", "name": "look", "description": "Looks.",
        "parameters": parameters(), "strict": false }]);
    let mut body = json!({
        "input": [{ "role": "user", "content": "How do I start the server?" }], "tools": tools,
        "max_output_tokens": 900,
    });
    let first = ask("/v1/responses", &body);
    assert!(ended(&first), "{first}");
    let input = body["input"].as_array_mut().expect("a list");
    input.extend(first["output"].as_array().expect("items").iter().cloned());
    input.push(json!({ "role": "user", "content": "And how do I stop it?" }));
    body["max_output_tokens"] = 8.into();
    check(&first, &ask("/v1/responses", &body), "responses");
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
    let tools = json!([{ "type": "function", "function": {
        "name": "look", "description": "Looks.", "parameters": parameters() } }]);
    let mut body = json!({
        "messages": [{ "role": "user", "content": "Look around once more." }], "tools": tools,
        "tool_choice": "required", "parallel_tool_calls": false, "seed": 7, "temperature": 2.0,
        "max_tokens": 900, "thinking": { "type": "disabled" },
    });
    let first = ask("/v1/chat/completions", &body);
    let mut message = first.pointer("/choices/0/message").expect("a message").clone();
    let id = message["tool_calls"][0]["id"].clone();
    message["tool_calls"][0]["function"]["arguments"] = r#"{"place":"here","marks":[]}"#.into();
    let messages = body["messages"].as_array_mut().expect("a list");
    messages.push(message);
    messages.push(json!({ "role": "tool", "tool_call_id": id, "content": "ok" }));
    body["max_tokens"] = 8.into();
    body["tool_choice"] = "auto".into();
    let second = ask("/v1/chat/completions", &body);
    let (prompt, answer, _) = usage(&first);
    let (_, _, cached) = usage(&second);
    assert!(cached < prompt + answer - 1, "{cached} of {prompt} + {answer}");
}
