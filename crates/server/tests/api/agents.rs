//! Agents that work: a request, a call of their tool, its result, and the end. The model is the one of
//! the example `scripted`, which takes the tool from the prompt.
//!
//! The `openai` and `anthropic` packages for Python are clients too. Without `testdata/cache/sdk`, a
//! virtual environment that has them, that test says so and passes; `IRONSTAR_REQUIRE_SDK` insists.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::answers::{Preference, answer};
use crate::client::{Server, Setup};
use crate::script::Script;
use crate::scripted::tiny;
use crate::scripted_model::ScriptedModel;

const REQUEST: &str = "Create a file notes.txt that holds 'seven', then say done.";
const COMMAND: &str = "printf '%s\\n' 'seven' > notes.txt";

fn server(preference: Preference) -> Server {
    let mut script = Script::new(Arc::clone(&tiny().tokenizer), preference);
    let model = ScriptedModel::new(tiny().geometry.clone(), move |timeline| script.next(timeline));
    let setup = Setup::default();
    let loaded = setup.loaded_with(Box::new(model));
    Server::without_model(setup.options).begin(loaded)
}

/// Tools as agents have them, and what is to be called.
fn tools() -> Vec<(Value, Preference, Value)> {
    let text = || json!({ "type": "string" });
    let tool = |name: &str, properties: Value, required: &[&str]| {
        json!({ "name": name, "parameters": {
            "type": "object", "properties": properties, "required": required,
        } })
    };
    let shell = |name: &str, properties: Value, required: &[&str], arguments: Value| {
        (tool(name, properties, required), Preference::Shell, arguments)
    };
    vec![
        shell("bash", json!({ "command": text() }), &["command"], json!({ "command": COMMAND })),
        shell(
            "exec",
            json!({ "cmd": text(), "mode": { "enum": ["fast", "slow"] }, "login": { "type": "boolean" } }),
            &["cmd", "mode"],
            json!({ "cmd": COMMAND, "mode": "fast" }),
        ),
        shell(
            "run_commands",
            json!({ "commands": { "type": "array", "items": text() }, "why": text() }),
            &["commands", "why"],
            json!({ "commands": [COMMAND], "why": "writes a file" }),
        ),
        (
            tool(
                "Write",
                json!({ "file_path": text(), "content": text() }),
                &["file_path", "content"],
            ),
            Preference::Write,
            json!({ "file_path": "notes.txt", "content": "seven" }),
        ),
    ]
}

#[test]
fn chat_agents_work() {
    for (tool, preference, arguments) in tools() {
        let server = server(preference);
        let mut messages = vec![json!({ "role": "user", "content": REQUEST })];
        let tools = json!([{ "type": "function", "function": tool }]);
        let ask = |messages: &[Value]| {
            let reply = server
                .post("/v1/chat/completions", &json!({ "messages": messages, "tools": tools }));
            assert_eq!(reply.status, 200, "{}", reply.body);
            reply.json()["choices"][0]["message"].clone()
        };
        let message = ask(&messages);
        let call = &message["tool_calls"][0];
        assert_eq!(call["function"]["name"], tool["name"], "{message}");
        let found: Value =
            serde_json::from_str(call["function"]["arguments"].as_str().expect("text"))
                .expect("JSON");
        assert_eq!(found, arguments);
        let result =
            json!({ "role": "tool", "tool_call_id": call["id"], "content": "it is written" });
        messages.extend([message, result]);
        assert_eq!(ask(&messages)["content"], "done");
    }
}

#[test]
fn agents_of_messages_work() {
    for (tool, preference, arguments) in tools() {
        let server = server(preference);
        let mut messages = vec![json!({ "role": "user", "content": REQUEST })];
        let tools = json!([{ "name": tool["name"], "input_schema": tool["parameters"] }]);
        let ask = |messages: &[Value]| {
            let body = json!({ "max_tokens": 999, "messages": messages, "tools": tools });
            let reply = server.post("/v1/messages", &body);
            assert_eq!(reply.status, 200, "{}", reply.body);
            let content = reply.json()["content"].clone();
            let last =
                content.as_array().and_then(|blocks| blocks.last()).expect("a block").clone();
            (content, last)
        };
        let (content, call) = ask(&messages);
        assert_eq!((&call["name"], &call["input"]), (&tool["name"], &arguments));
        messages.push(json!({ "role": "assistant", "content": content }));
        let result =
            json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "it is written" });
        messages.push(json!({ "role": "user", "content": [result] }));
        assert_eq!(ask(&messages).1["text"], "done");
    }
}

#[test]
fn agents_of_responses_work() {
    for (tool, preference, arguments) in tools() {
        let server = server(preference);
        let tools = json!([{
            "type": "function", "name": tool["name"], "parameters": tool["parameters"],
        }]);
        let ask = |input: &Value, previous: &Value| {
            let body = json!({ "input": input, "tools": tools, "previous_response_id": previous });
            let reply = server.post("/v1/responses", &body);
            assert_eq!(reply.status, 200, "{}", reply.body);
            let response = reply.json();
            let last = response["output"]
                .as_array()
                .and_then(|items| items.last())
                .expect("an item")
                .clone();
            (response["id"].clone(), last)
        };
        let (id, call) = ask(&REQUEST.into(), &Value::Null);
        assert_eq!(call["name"], tool["name"], "{call}");
        let found: Value =
            serde_json::from_str(call["arguments"].as_str().expect("text")).expect("JSON");
        assert_eq!(found, arguments);
        let output = json!({
            "type": "function_call_output", "call_id": call["call_id"], "output": "it is written",
        });
        assert_eq!(ask(&json!([output]), &id).1["content"][0]["text"], "done");
    }
}

#[test]
fn a_prompt_without_tools_gets_what_it_asks_for() {
    let schema = json!({ "type": "object", "properties": {
        "title": { "type": "string" }, "n": { "type": "integer", "minimum": 3 },
    }, "required": ["title", "n"] });
    let server = server(Preference::Shell);
    let body = json!({ "messages": [{ "role": "user", "content": "A title?" }], "response_format": {
        "type": "json_schema", "json_schema": { "name": "title", "schema": schema },
    } });
    let reply = server.post("/v1/chat/completions", &body).json();
    let content = reply["choices"][0]["message"]["content"].as_str().expect("text");
    assert_eq!(content, r#"{"title":"writes a file","n":3}"#);
    let edits = format!(
        "Answer with blocks:\n<<<<<<< SEARCH\n...\n<｜User｜>{REQUEST}<｜Assistant｜></think>"
    );
    let block = "notes.txt\n```\n<<<<<<< SEARCH\n=======\nseven\n>>>>>>> REPLACE\n```\n\ndone";
    assert_eq!(answer(&edits, Preference::Shell), block);
    let reminded = format!(
        "<｜User｜>{REQUEST}<system-reminder>\n\nRead 'x' in a.b\n</system-reminder><｜Assistant｜></think>"
    );
    assert_eq!(answer(&reminded, Preference::Shell), "done");
}

/// Clients exist that refuse a path that is not absolute.
#[test]
fn a_path_is_absolute_where_the_schema_wants_it() {
    let path = |description: &str, place: &str| {
        let file_path = json!({ "type": "string", "description": description });
        let properties = json!({ "file_path": file_path, "content": { "type": "string" } });
        let tool = json!({ "name": "write_file", "parameters": { "properties": properties } });
        let tools = format!("### Available Tool Schemas\n\n{tool}\n\n");
        let prompt = format!("{tools}{place}<｜User｜>{REQUEST}<｜Assistant｜></think>");
        let said = answer(&prompt, Preference::Write);
        let (_, rest) = said.split_once("\"file_path\" string=\"true\">").expect("a path");
        rest.split_once("</").expect("an end").0.to_owned()
    };
    let place = "I work in the directory: /srv/project\nand nowhere else";
    assert_eq!(path("The absolute path", place), "/srv/project/notes.txt");
    assert_eq!(path("The path", place), "notes.txt");
    assert_eq!(path("The absolute path", ""), "notes.txt");
}

#[test]
fn the_packages_for_python_work() {
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/cache/sdk/bin/python3");
    if !Path::new(sdk).exists() {
        #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
        let required = std::env::var_os("IRONSTAR_REQUIRE_SDK").is_some();
        assert!(!required, "no {sdk}, and IRONSTAR_REQUIRE_SDK is set");
        return say_skipped(sdk);
    }
    let server = server(Preference::Shell);
    for script in ["openai_sdk.py", "anthropic_sdk.py"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(script);
        let mut command = Command::new(sdk);
        let run = command.arg(path).arg(format!("http://{}", server.address)).output();
        let run = run.expect("python starts");
        assert!(run.status.success(), "{script}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_skipped(sdk: &str) {
    eprintln!("skipped: no {sdk}");
}
