//! What goes over the wire, request by request.
//!
//! Golden: `transcripts/*.txt`, our own earlier output, read by us against the APIs' references. A
//! difference is left beside its golden as `*.txt.new`, to be read and renamed. Ids and times are
//! replaced, since they differ each time.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::{Reply, Server, Setup};
use crate::scripted::{Script, says};

const CALL: &str = "I look.</think>Let me see.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"bash\">\n\
     <｜DSML｜parameter name=\"command\" string=\"true\">echo \"a\\n\" > b</｜DSML｜parameter>\n\
     <｜DSML｜parameter name=\"times\" string=\"false\">2</｜DSML｜parameter>\n\
     </｜DSML｜invoke>\n</｜DSML｜tool_calls>";

fn scripts() -> Vec<Script> {
    vec![
        says("think and answer", "I think.</think>I answer: 日本, 🤭."),
        says("only answer", "No thought."),
        says("use the tool", CALL),
        says("count", "one two three four five"),
        says("Once upon", " a time"),
        says("<｜fim▁end｜>", "between"),
        Script { fails_after: Some(3), ..says("break", "one two three four five") },
    ]
}

fn bash() -> Value {
    json!({ "type": "object", "properties": { "command": { "type": "string" },
            "times": { "type": "integer" } }, "required": ["command"] })
}

/// Puts stable names in the place of ids and times.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn replace(&mut self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(item)),
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    match value {
                        Value::String(id) if is_id(key) => {
                            let n = self.0.len() + 1;
                            let kind = id.split(['_', '-']).next().unwrap_or_default();
                            let name = format!("{kind}-{n}");
                            if !id.is_empty() && id != "scripted" {
                                id.clone_from(self.0.entry(id.clone()).or_insert(name));
                            }
                        }
                        Value::Number(_) | Value::String(_) if is_time(key) => {
                            *value = "time".into();
                        }
                        value => self.replace(value),
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_time(key: &str) -> bool {
    key.starts_with("created") || key == "completed_at"
}

fn is_id(key: &str) -> bool {
    key.ends_with("id") || key == "signature" || key == "encrypted_content"
}

fn show(names: &mut Names, reply: &Reply) -> String {
    let named = |names: &mut Names, json: &str| {
        let Ok(mut value) = serde_json::from_str::<Value>(json) else { return json.to_owned() };
        names.replace(&mut value);
        value.to_string()
    };
    let content_type = reply.header("content-type").unwrap_or_default();
    let mut lines = vec![format!("{} {content_type}", reply.status)];
    lines.extend(reply.body.lines().map(|line| match line.strip_prefix("data: ") {
        Some(data) => format!("data: {}", named(names, data)),
        None => named(names, line),
    }));
    lines.join("\n") + "\n"
}

/// Compares a transcript with its golden.
fn check(name: &str, transcript: &str) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/transcripts"));
    let golden = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap_or_default();
    if golden != transcript {
        let new = folder.join(format!("{name}.txt.new"));
        std::fs::write(&new, transcript).expect("the folder can be written");
        panic!("{name} differs from its golden; see {}", new.display());
    }
}

/// Sends requests to a fresh server, one after the other, and compares all that goes over the wire.
fn transcript(name: &str, path: &str, bodies: &[Value]) {
    let server = Setup::of(scripts()).start();
    let mut names = Names::default();
    let show = |body: &Value| {
        let reply = server.post(path, body);
        format!("POST {path}\n{body}\n\n{}\n", show(&mut names, &reply))
    };
    check(name, &bodies.iter().map(show).collect::<String>());
}

/// The body, streamed and not.
fn both(body: &Value) -> [Value; 2] {
    let mut streamed = body.clone();
    streamed["stream"] = true.into();
    [body.clone(), streamed]
}

fn chat(asked: &str, more: &Value) -> Value {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": asked }] });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("fields").clone());
    body
}

fn chat_tools() -> Value {
    json!({ "tools": [{ "type": "function", "function": { "name": "bash", "parameters": bash() } }] })
}

#[test]
fn chat_completions() {
    let off = json!({ "thinking": { "type": "disabled" } });
    let usage = json!({ "stream_options": { "include_usage": true }, "stream": true });
    let logprobs = json!({ "thinking": { "type": "disabled" }, "logprobs": true, "top_logprobs": 1,
                           "max_tokens": 2 });
    let stop = json!({ "thinking": { "type": "disabled" }, "stop": ["three"] });
    let bodies = [
        both(&chat("think and answer", &json!({}))).to_vec(),
        both(&chat("only answer", &off)).to_vec(),
        vec![chat("think and answer", &usage)],
        both(&chat("use the tool", &chat_tools())).to_vec(),
        both(&chat("count", &stop)).to_vec(),
        vec![chat("count", &logprobs)],
        both(&chat("break", &off)).to_vec(),
    ];
    transcript("chat", "/v1/chat/completions", &bodies.concat());
}

#[test]
fn messages() {
    let tools = json!({ "tools": [{ "name": "bash", "input_schema": bash() }] });
    let stop = json!({ "thinking": { "type": "disabled" }, "stop_sequences": ["three"] });
    let short = json!({ "thinking": { "type": "disabled" }, "max_tokens": 2 });
    let off = json!({ "thinking": { "type": "disabled" } });
    let bodies = [
        both(&chat("think and answer", &json!({ "max_tokens": 100 }))),
        both(&chat("use the tool", &tools)),
        both(&chat("count", &stop)),
        both(&chat("count", &short)),
        both(&chat("break", &off)),
    ];
    transcript("messages", "/v1/messages?beta=true", &bodies.concat());
    transcript("count_tokens", "/v1/messages/count_tokens", &[chat("count", &tools)]);
}

#[test]
fn responses() {
    let tools = json!([{ "type": "function", "name": "bash", "parameters": bash() }]);
    let off = json!({ "effort": "none" });
    let bodies = [
        both(&json!({ "model": "m", "input": "think and answer", "metadata": { "a": "b" } })),
        both(&json!({ "model": "m", "input": "use the tool", "tools": tools, "store": false })),
        both(&json!({ "model": "m", "input": "count", "reasoning": off, "max_output_tokens": 2 })),
        both(&json!({ "model": "m", "input": "break", "reasoning": off })),
    ];
    transcript("responses", "/v1/responses", &bodies.concat());
}

#[test]
fn completions() {
    let echo = json!({ "prompt": "Once upon", "echo": true, "logprobs": 1 });
    let usage = json!({ "prompt": ["Once upon"], "stream": true,
                        "stream_options": { "include_usage": true } });
    let ids: Vec<u32> = crate::scripted::tiny().tokenizer.encode_plain("Once upon");
    let bodies = [
        json!({ "prompt": "Once upon", "model": "m" }),
        json!({ "prompt": ids, "max_tokens": 1 }),
        json!({ "prompt": "Once upon", "stop": " time" }),
        json!({ "prompt": "before", "suffix": "after" }),
        json!({ "prompt": "Once upon", "max_tokens": 0, "echo": true, "logprobs": 0 }),
        echo.clone(),
        usage,
    ];
    transcript("completions", "/v1/completions", &bodies);
    let mut streamed = echo;
    streamed["stream"] = true.into();
    transcript("completions_echo_streamed", "/v1/completions", &[streamed]);
}

/// A second turn refers to the first one, by its response or by its items.
#[test]
fn stored_responses_are_referred_to() {
    let server = Setup::of(scripts()).start();
    let first = server.post("/v1/responses", &json!({ "input": "think and answer" })).json();
    let id = first["id"].as_str().expect("an id");
    let stored = server.get(&format!("/v1/responses/{id}"));
    assert_eq!((stored.status, stored.json()), (200, first.clone()));

    let again = json!({ "input": "only answer", "previous_response_id": id });
    let again = server.post("/v1/responses", &again);
    assert_eq!(again.status, 200, "{}", again.body);
    let again = again.json();
    assert_eq!(again["previous_response_id"], id);
    let items = first["output"].as_array().expect("items").iter();
    let items = items.map(|item| json!({ "type": "item_reference", "id": item["id"] }));
    let question = json!({ "role": "user", "content": "think and answer" });
    let last = json!({ "role": "user", "content": "only answer" });
    let input: Vec<Value> = [question].into_iter().chain(items).chain([last]).collect();
    let by_items = server.post("/v1/responses", &json!({ "input": input })).json();
    assert_eq!(by_items["usage"]["input_tokens"], again["usage"]["input_tokens"]);

    let deleted = server.ask("DELETE", &format!("/v1/responses/{id}"), "", "");
    assert_eq!((deleted.status, &deleted.json()["deleted"]), (200, &true.into()));
    assert_eq!(server.get(&format!("/v1/responses/{id}")).status, 404);
    let gone = json!({ "input": "only answer", "previous_response_id": id });
    assert_eq!(server.post("/v1/responses", &gone).status, 404);

    let unstored = json!({ "input": "only answer", "store": false });
    let unstored = server.post("/v1/responses", &unstored).json();
    let id = unstored["id"].as_str().expect("an id");
    assert_eq!(server.get(&format!("/v1/responses/{id}")).status, 404);
}

#[test]
fn what_the_server_says_of_itself() {
    let server: Server = Setup::of(scripts()).start();
    let mut names = Names::default();
    let paths = ["/health", "/api/hello", "/v1/models", "/v1/models/scripted", "/v1/models/other"];
    let show = |path| format!("GET {path}\n\n{}\n", show(&mut names, &server.get(path)));
    check("status", &paths.map(show).concat());
    let stats = server.get("/v1/stats").json();
    assert_eq!(
        (&stats["model"], &stats["slots"][1]["state"]),
        (&"scripted".into(), &"idle".into())
    );
    let head = server.ask("HEAD", "/", "", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    server.post("/v1/chat/completions", &chat("count", &json!({})));
    // The answer may be there before the engine's own numbers are.
    server.wait_for("an end", |snapshot| snapshot.totals.finished == 1);
    let metrics = server.get("/metrics").body;
    for line in [
        "ironstar_requests_finished_total 1",
        "ironstar_first_token_seconds_count 1",
        "ironstar_http_requests_total{path=\"/v1/chat/completions\",status=\"200\"} 1",
        "# TYPE ironstar_token_seconds histogram",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
}
