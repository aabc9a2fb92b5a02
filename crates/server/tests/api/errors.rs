//! Requests that are refused: each with the status, the shape and the words of its API.

use std::io::Write as _;

use serde_json::{Value, json};
use server::{ApiKeys, ServiceOptions};

use crate::client::{Reply, Server, Setup};
use crate::scripted::says;

const PATHS: [&str; 4] =
    ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/completions"];

fn server() -> Server {
    Setup { context: 256, ..Setup::of([says("hello", "x")]) }.start()
}

/// The message of an error, whose shape has to be that of the path's API.
fn message(path: &str, reply: &Reply) -> String {
    let json = reply.json();
    let error = &json["error"];
    assert_eq!(json.get("type").is_some(), path.starts_with("/v1/messages"), "{json}");
    assert!(error["type"].is_string(), "{json}");
    error["message"].as_str().expect("a message").to_owned()
}

/// A body that would be answered, and more fields.
fn chat(more: impl Into<Value>) -> String {
    let mut body = json!({ "messages": [{ "role": "user", "content": "hello" }] });
    let Value::Object(more) = more.into() else { panic!("fields") };
    body.as_object_mut().expect("an object").extend(more);
    body.to_string()
}

/// A path, a body that is not of its API, the field to be named, and words of the message.
type Wrong = (&'static str, String, &'static str, &'static str);

/// Wishes that the sampler does not fulfil.
fn wrong_sampling() -> Vec<Wrong> {
    vec![
        (PATHS[0], chat(json!({ "logit_bias": [1] })), "logit_bias", "an object of token ids"),
        (PATHS[0], chat(json!({ "logit_bias": { "a": 1 } })), "logit_bias", "the key \"a\""),
        (PATHS[0], chat(json!({ "logit_bias": { "-1": 1 } })), "logit_bias", "the key \"-1\""),
        (PATHS[0], chat(json!({ "logit_bias": { "1": "x" } })), "logit_bias", "of 1 is \"x\""),
        (PATHS[0], chat(json!({ "logit_bias": { "1": 101 } })), "logit_bias", "from -100 to 100"),
        (PATHS[0], chat(json!({ "logit_bias": { "9999999": 1 } })), "logit_bias", "9999999"),
        (PATHS[0], chat(json!({ "presence_penalty": 3 })), "presence_penalty", "[-2, 2]"),
        (PATHS[0], chat(json!({ "repetition_penalty": 0 })), "repetition_penalty", "from 0.01"),
        (PATHS[1], chat(json!({ "max_tokens": 9, "frequency_penalty": 3 })), "", "from -2 to 2"),
        (
            PATHS[2],
            json!({ "input": "x", "presence_penalty": "x" }).to_string(),
            "presence_penalty",
            "expected a number",
        ),
        (
            PATHS[3],
            json!({ "prompt": "x", "frequency_penalty": 3 }).to_string(),
            "frequency_penalty",
            "from -2 to 2",
        ),
        (
            PATHS[3],
            json!({ "prompt": "x", "stop": vec!["a"; 17] }).to_string(),
            "stop",
            "more than 16",
        ),
    ]
}

fn wrong_bodies() -> Vec<Wrong> {
    vec![
        (PATHS[0], "{".into(), "", "not JSON"),
        (PATHS[0], "[]".into(), "", "not a JSON object"),
        (PATHS[0], format!("{} x", chat(json!({}))), "", "not JSON"),
        (PATHS[0], "{}".into(), "messages", "missing field `messages`"),
        (PATHS[0], chat(json!({ "messages": null })), "messages", "null"),
        (
            PATHS[0],
            chat(json!({ "messages": [{ "role": "x" }] })),
            "messages[0].role",
            "unknown variant",
        ),
        (PATHS[0], chat(json!({ "temperature": 9 })), "temperature", "[0, 2]"),
        (PATHS[0], chat(json!({ "temperature": "hot" })), "temperature", "hot"),
        (PATHS[0], chat(json!({ "max_tokens": -1 })), "max_tokens", "-1"),
        (PATHS[0], chat(json!({ "n": 2 })), "n", "one answer"),
        (PATHS[0], chat(json!({ "min_p": 2 })), "min_p", "from 0 to 1"),
        (PATHS[0], chat(json!({ "top_k": "x" })), "top_k", "an integer"),
        (PATHS[0], chat(json!({ "tools": [{ "type": "function" }] })), "tools[0]", "function"),
        (PATHS[1], chat(json!({ "messages": 3 })), "", "messages"),
        (PATHS[1], chat(json!({ "system": 3 })), "", "system"),
        (PATHS[1], chat(json!({ "max_tokens": 0 })), "", "max_tokens"),
        (PATHS[2], "{}".into(), "", "input"),
        (PATHS[2], json!({ "input": 5 }).to_string(), "input", "a string or a list"),
        (
            PATHS[2],
            json!({ "input": "x", "max_output_tokens": 0 }).to_string(),
            "max_output_tokens",
            "range",
        ),
        (PATHS[2], json!({ "input": "x", "background": true }).to_string(), "background", ""),
        (PATHS[2], json!({ "input": "x", "conversation": "c" }).to_string(), "conversation", ""),
        (PATHS[3], "{}".into(), "prompt", "missing field"),
        (PATHS[3], json!({ "prompt": 5 }).to_string(), "prompt", "expected a text"),
        (PATHS[3], json!({ "prompt": [] }).to_string(), "prompt", "empty"),
        (
            PATHS[3],
            json!({ "prompt": [9_999_999] }).to_string(),
            "prompt",
            "outside the vocabulary",
        ),
        (PATHS[3], json!({ "prompt": ["a", "b"] }).to_string(), "prompt", "one prompt"),
        (
            PATHS[3],
            json!({ "prompt": "x", "temperature": -1 }).to_string(),
            "temperature",
            "negative",
        ),
        (PATHS[3], json!({ "prompt": "x", "logprobs": 99 }).to_string(), "logprobs", "20"),
        (PATHS[3], json!({ "prompt": "x", "stop": [""] }).to_string(), "stop", "empty"),
        (PATHS[3], json!({ "prompt": "x", "n": 3 }).to_string(), "n", "one answer"),
    ]
}

#[test]
fn bodies_that_are_not_of_the_api() {
    let server = server();
    for (path, body, param, words) in wrong_bodies().into_iter().chain(wrong_sampling()) {
        for stream in [false, true] {
            // What is wrong is known before a stream begins.
            let body =
                if stream { body.replacen('{', "{\"stream\":true,", 1) } else { body.clone() };
            let body = body.replace(",}", "}");
            let reply = server.ask("POST", path, "", &body);
            assert_eq!(reply.status, 400, "{path} {body}: {}", reply.body);
            let message = message(path, &reply);
            assert!(message.contains(words), "{path} {body}: {message}");
            let found = &reply.json()["error"]["param"];
            assert_eq!(found.as_str().unwrap_or_default(), param, "{path} {body}");
        }
    }
}

/// What clients send without meaning anything by it.
#[test]
fn null_is_absent_and_unknown_fields_are_skipped() {
    let server = server();
    let nulls = [
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "stream",
        "stop",
        "tools",
        "model",
        "tool_choice",
        "response_format",
        "thinking",
        "reasoning_effort",
        "n",
        "logprobs",
        "stream_options",
        "metadata",
        "system",
        "stop_sequences",
        "instructions",
        "reasoning",
        "text",
        "previous_response_id",
        "store",
        "top_k",
        "min_p",
        "logit_bias",
        "presence_penalty",
        "suffix",
        "echo",
        "output_config",
    ];
    for path in PATHS {
        let mut body = match path {
            "/v1/responses" => json!({ "input": "hello" }),
            "/v1/completions" => json!({ "prompt": "hello" }),
            _ => json!({ "messages": [{ "role": "user", "content": "hello" }] }),
        };
        for key in nulls {
            body[key] = Value::Null;
        }
        body["frobnicate"] = json!({ "deep": [1, 2, { "x": null }] });
        let reply = server.post(path, &body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    }
}

/// A limit that no context has is no mistake: the context ends the answer.
#[test]
fn a_limit_beyond_the_context_is_none() {
    let server = server();
    for path in PATHS {
        let body = json!({
            "messages": [{ "role": "user", "content": "hello" }], "input": "hello", "prompt": "hello",
            "max_tokens": 9_000_000, "max_output_tokens": 9_000_000,
        });
        let reply = server.post(path, &body);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    }
}

#[test]
fn a_prompt_that_does_not_fit() {
    let server = server();
    let long = "hello ".repeat(400);
    for path in PATHS {
        let mut body = match path {
            "/v1/responses" => json!({ "input": long }),
            "/v1/completions" => json!({ "prompt": long }),
            _ => json!({ "messages": [{ "role": "user", "content": long }] }),
        };
        body["stream"] = true.into();
        let reply = server.post(path, &body);
        assert_eq!(reply.status, 400);
        let error = &reply.json()["error"];
        assert!(error["n_prompt_tokens"].as_u64().expect("a number") > 256, "{error}");
        assert_eq!(error["n_ctx"], 256);
        let message = message(path, &reply);
        if path == "/v1/messages" {
            assert!(message.starts_with("prompt is too long: "), "{message}");
            assert!(message.ends_with(" tokens > 255 maximum"), "{message}");
        } else {
            assert_eq!(error["code"], "context_length_exceeded");
        }
    }
}

#[test]
fn paths_and_methods() {
    let server = server();
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/messages/nothing", 404),
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/v1/messages", 405),
    ] {
        let reply = server.ask(method, path, "", "");
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(message(path, &reply).contains(path));
        if status == 405 {
            assert_eq!(reply.header("allow"), Some("POST"));
        }
    }
    // The query is not part of the path.
    let body = json!({ "messages": [{ "role": "user", "content": "hello" }] });
    assert_eq!(server.post("/v1/messages?beta=true", &body).status, 200);
}

#[test]
fn keys_open_what_is_closed() {
    let keys = ApiKeys::new(["first", "second"]);
    let setup = Setup::of([says("hello", "x")]);
    let server = Setup { options: ServiceOptions { keys, ..setup.options }, ..setup }.start();
    let body = json!({ "messages": [{ "role": "user", "content": "hello" }] }).to_string();
    for (headers, status) in [
        ("", 401),
        ("authorization: Bearer wrong\r\n", 401),
        ("authorization: Bearer second\r\n", 200),
        ("x-api-key: first\r\n", 200),
        ("x-api-key: firs\r\n", 401),
    ] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            let reply = server.ask("POST", path, headers, &body);
            assert_eq!(reply.status, status, "{path} {headers}");
            if status == 401 {
                assert_eq!(reply.json()["error"]["type"], "authentication_error");
                message(path, &reply);
            }
        }
        assert_eq!(server.ask("GET", "/v1/models", headers, "").status, status);
        assert_eq!(server.ask("GET", "/metrics", headers, "").status, status);
        assert_eq!(server.ask("GET", "/health", headers, "").status, 200);
    }
}

#[test]
fn pages_of_other_origins_are_let_in_only_if_asked_for() {
    let setup = Setup::of([says("hello", "x")]);
    let open = Setup { options: ServiceOptions { cors: true, ..setup.options }, ..setup }.start();
    let origin = "origin: http://elsewhere\r\n";
    let preflight = format!(
        "{origin}access-control-request-method: POST\r\n\
                             access-control-request-headers: authorization\r\n"
    );
    let reply = open.ask("OPTIONS", "/v1/messages", &preflight, "");
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, Some("*")));
    assert!(reply.header("access-control-allow-headers").is_some());
    let refused = open.ask("POST", "/v1/messages", origin, "{");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (400, Some("*")));
    let closed = server().ask("GET", "/v1/models", origin, "");
    assert_eq!(closed.header("access-control-allow-origin"), None);
}

#[test]
fn bodies_and_headers_have_a_limit() {
    let server = server();
    for path in PATHS {
        let mut stream = server.open();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                            content-length: {}\r\n\r\n",
            (64 << 20) + 1
        );
        stream.write_all(head.as_bytes()).expect("the server reads");
        let reply = Reply::read(stream);
        assert_eq!(reply.status, 413);
        message(path, &reply);
    }
    let mut stream = server.open();
    let head = format!(
        "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {}\r\n\r\n",
        "y".repeat(300 << 10)
    );
    // The server may stop reading before the end.
    let _ = stream.write_all(head.as_bytes());
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut stream, &mut bytes);
    assert!(
        read.is_err() || bytes.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
    assert_eq!(server.get("/health").status, 200);
}

/// A body in chunks, asked for with `Expect`, and two requests on one connection.
#[test]
fn http_as_clients_speak_it() {
    let server = server();
    let body = json!({ "messages": [{ "role": "user", "content": "hello" }] }).to_string();
    let (first, second) = body.split_at(10);
    let mut stream = server.open();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n\
         GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        first.len(),
        second.len()
    );
    stream.write_all(request.as_bytes()).expect("the server reads");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut bytes).expect("the server closes");
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.starts_with("HTTP/1.1 100 Continue"), "{text}");
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    assert!(text.ends_with("{\"status\":\"ok\"}"), "{text}");
}

/// Bytes that are no request, or half of one, do no harm.
#[test]
fn bytes_that_are_not_http() {
    let server = server();
    for bytes in [&b"\0\xff\xfe\r\n\r\n"[..], b"GET\r\n\r\n", b"POST /v1/messages HTTP/1.1\r\n"] {
        let mut stream = server.open();
        stream.write_all(bytes).expect("the server reads");
        stream.shutdown(std::net::Shutdown::Write).expect("a socket");
        let mut answer = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"));
    }
    assert_eq!(server.get("/health").status, 200);
}
