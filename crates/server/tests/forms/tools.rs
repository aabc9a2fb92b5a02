//! Tool calls that have to be made, in the words of each API.

use serde_json::{Value, json};

use crate::service::{ask, check, refused, stream};

fn parameters(name: &str) -> Value {
    match name {
        "look" => json!({ "type": "object", "properties": {
            "place": { "type": "string", "enum": ["here", "there", "everywhere"] },
            "depth": { "type": "integer", "minimum": 1, "maximum": 9 },
            "deep": { "type": "boolean" },
        }, "required": ["place", "depth"] }),
        _ => json!({ "type": "object", "properties": {
            "marks": { "type": "array", "items": { "enum": ["a", "b"] }, "maxItems": 3 },
        }, "required": ["marks"], "additionalProperties": false }),
    }
}

fn chat_tools() -> Value {
    let tool = |name: &str| {
        json!({ "type": "function", "function": {
            "name": name, "description": "Does it.", "parameters": parameters(name) } })
    };
    json!([tool("look"), tool("mark")])
}

fn messages() -> Value {
    json!([{ "role": "user", "content": "Look around." }])
}

/// Checks the calls of a chat message, and returns how many there are.
fn check_chat(choice: &Value) -> Vec<String> {
    assert_eq!(choice["finish_reason"], "tool_calls", "{choice}");
    let calls = choice["message"]["tool_calls"].as_array().expect("calls");
    let names = calls.iter().map(|call| {
        let name = call["function"]["name"].as_str().expect("a name");
        let arguments = call["function"]["arguments"].as_str().expect("text");
        let arguments: Value =
            serde_json::from_str(arguments).unwrap_or_else(|e| panic!("{e}: {arguments}"));
        check(&parameters(name), &arguments);
        name.to_owned()
    });
    names.collect()
}

#[test]
fn required_calls_are_valid_at_any_seed() {
    for seed in 0..5 {
        let body = json!({
            "messages": messages(), "tools": chat_tools(), "tool_choice": "required",
            "parallel_tool_calls": false, "seed": seed, "temperature": 2.0, "max_tokens": 500,
            "thinking": { "type": "disabled" },
        });
        let reply = ask("/v1/chat/completions", &body);
        assert_eq!(check_chat(&reply["choices"][0]).len(), 1, "{reply}");
    }
}

#[test]
fn a_named_tool_is_called_whether_the_model_thinks_or_not() {
    let named = json!({ "type": "function", "function": { "name": "mark" } });
    let some = json!({ "type": "allowed_tools", "allowed_tools": { "mode": "required",
        "tools": [{ "type": "function", "function": { "name": "mark" } }] } });
    for choice in [named, some] {
        for thinking in ["enabled", "disabled"] {
            let body = json!({
                "messages": messages(), "tools": chat_tools(), "tool_choice": choice,
                "parallel_tool_calls": false, "seed": 3, "max_tokens": 3000,
                "thinking": { "type": thinking },
            });
            let reply = ask("/v1/chat/completions", &body);
            let choice = &reply["choices"][0];
            if thinking == "disabled" || choice["finish_reason"] != "length" {
                assert_eq!(check_chat(choice), ["mark"], "{reply}");
            }
        }
    }
}

#[test]
fn messages_and_responses_force_tools_too() {
    let tools = json!([{ "name": "look", "input_schema": parameters("look") },
        { "name": "mark", "input_schema": parameters("mark") }]);
    for choice in [
        json!({ "type": "any", "disable_parallel_tool_use": true }),
        json!({ "type": "tool", "name": "look", "disable_parallel_tool_use": true }),
    ] {
        let body = json!({ "messages": messages(), "tools": tools, "tool_choice": choice,
            "max_tokens": 500, "thinking": { "type": "disabled" } });
        let reply = ask("/v1/messages", &body);
        assert_eq!(reply["stop_reason"], "tool_use", "{reply}");
        let calls: Vec<&Value> = reply["content"]
            .as_array()
            .expect("blocks")
            .iter()
            .filter(|block| block["type"] == "tool_use")
            .collect();
        assert_eq!(calls.len(), 1, "{reply}");
        check(&parameters(calls[0]["name"].as_str().expect("a name")), &calls[0]["input"]);
    }
    let tool = |name: &str| json!({ "type": "function", "name": name, "parameters": parameters(name), "strict": false });
    let body = json!({ "input": "Look around.", "tools": [tool("look"), tool("mark")],
        "tool_choice": { "type": "function", "name": "look" }, "parallel_tool_calls": false,
        "reasoning": { "effort": "none" }, "max_output_tokens": 500 });
    let reply = ask("/v1/responses", &body);
    let call = &reply["output"][0];
    assert_eq!(call["type"], "function_call", "{reply}");
    let arguments = call["arguments"].as_str().expect("text");
    check(&parameters("look"), &serde_json::from_str(arguments).expect("JSON"));
}

#[test]
fn arguments_stream_as_they_are_written() {
    let body = json!({
        "messages": messages(), "tools": chat_tools(), "tool_choice": "required", "seed": 11,
        "parallel_tool_calls": false, "max_tokens": 500, "thinking": { "type": "disabled" },
    });
    let events = stream("/v1/chat/completions", body);
    let pieces: Vec<&str> = events
        .iter()
        .filter_map(|event| {
            event.pointer("/choices/0/delta/tool_calls/0/function/arguments")?.as_str()
        })
        .filter(|piece| !piece.is_empty())
        .collect();
    assert!(pieces.len() > 3, "{pieces:?}");
    let _: Value = serde_json::from_str(&pieces.concat()).expect("JSON in pieces");
}

#[test]
fn choices_that_cannot_be_had_are_refused() {
    let chat = |choice: Value, tools: Value| {
        refused(
            "/v1/chat/completions",
            &json!({ "messages": messages(), "tools": tools, "tool_choice": choice }),
        )
    };
    let unknown = json!({ "type": "function", "function": { "name": "leap" } });
    assert!(chat(unknown, chat_tools()).contains("leap"));
    assert!(chat(json!("required"), json!([])).contains("tool_choice"));
    let empty =
        json!({ "type": "allowed_tools", "allowed_tools": { "mode": "auto", "tools": [] } });
    assert!(chat(empty, chat_tools()).contains("allowed_tools"));
    let strict = json!([{ "type": "function", "function": { "name": "f", "strict": true,
        "parameters": { "type": "object", "properties": { "x": { "$ref": "#/$defs/X" } },
            "$defs": { "X": { "type": "integer", "minimum": 2, "maximum": 1 } } } } }]);
    let told = chat(json!("auto"), strict);
    assert!(told.contains("`f`"), "{told}");
}
