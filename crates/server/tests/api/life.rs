//! What happens over time: loading, waiting, signs of life, leaving, ending.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use engine::SlotState;
use serde_json::{Value, json};
use server::{Service, ServiceOptions, Trace};

use crate::client::{Reply, Server, Setup, send};
use crate::scripted::{Script, says, tiny};
use crate::scripted_model::{Next, ScriptedModel};

const CHAT: &str = "/v1/chat/completions";

fn ask(text: &str, stream: bool) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }], "stream": stream,
            "thinking": { "type": "disabled" } })
}

/// An answer that takes its time: so many tokens, `pace` each.
fn slow(asked: &str, n: usize, pace: Duration) -> Script {
    Script { pace, ..says(asked, &" word".repeat(n)) }
}

const PACE: Duration = Duration::from_millis(5);

/// Reads until a line of the reply holds `text`.
fn read_until(reader: &mut BufReader<TcpStream>, text: &str) -> String {
    let mut all = String::new();
    loop {
        let n = reader.read_line(&mut all).expect("the server answers");
        assert!(n > 0, "the reply ended without {text}: {all}");
        if all.lines().last().is_some_and(|line| line.contains(text)) {
            return all;
        }
    }
}

fn is_decoding(snapshot: &engine::Snapshot) -> bool {
    snapshot.slots.iter().any(|slot| slot.state == SlotState::Decode)
}

fn is_idle(snapshot: &engine::Snapshot) -> bool {
    snapshot.waiting == 0 && snapshot.slots.iter().all(|slot| slot.state == SlotState::Idle)
}

#[test]
fn a_server_without_its_model_asks_for_patience() {
    let setup = Setup::of([says("hello", "x")]);
    let loaded = setup.loaded();
    let server = Server::without_model(setup.options);
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (503, &"loading".into()));
    assert!(health.header("retry-after").is_some());
    for (path, kind) in [(CHAT, "server_error"), ("/v1/messages", "overloaded_error")] {
        let reply = server.post(path, &ask("hello", true));
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (503, &kind.into()));
        assert!(reply.header("retry-after").is_some());
    }
    assert_eq!(server.get("/v1/models").status, 503);
    assert_eq!(server.get("/metrics").status, 200);
    let server = server.begin(loaded);
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(server.post(CHAT, &ask("hello", false)).status, 200);
}

#[test]
fn a_full_queue_is_503_and_never_429() {
    let scripts = [slow("hello", 2000, PACE)];
    let server = Setup { n_slots: 1, max_queued: 1, ..Setup::of(scripts) }.start();
    let body = ask("hello", true).to_string();
    let running = server.send("POST", CHAT, "", &body);
    server.wait_for("an answer", is_decoding);
    let waiting = server.send("POST", CHAT, "", &body);
    server.wait_for("a queue", |snapshot| snapshot.waiting == 1);
    for (path, kind) in [(CHAT, "server_error"), ("/v1/messages", "overloaded_error")] {
        let reply = server.post(path, &ask("hello", true));
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (503, &kind.into()));
        assert!(reply.header("retry-after").is_some());
    }
    drop((running, waiting));
    server.wait_for("both to end", is_idle);
}

/// A closed connection ends its job within a step, whatever the job is at.
#[test]
fn a_client_that_leaves_is_noticed() {
    let long = "hello ".repeat(600);
    let server = Setup { n_slots: 1, ..Setup::of([slow("hello", 3000, PACE)]) }.start();
    for stream in [true, false] {
        // In decode.
        let connection = server.send("POST", CHAT, "", &ask("hello", stream).to_string());
        server.wait_for("an answer", is_decoding);
        // In the queue.
        let queued = server.send("POST", CHAT, "", &ask("hello", stream).to_string());
        server.wait_for("a queue", |snapshot| snapshot.waiting == 1);
        drop(queued);
        server.wait_for("an empty queue", |snapshot| snapshot.waiting == 0);
        assert!(is_decoding(&server.snapshot()), "the other one goes on");
        let left = Instant::now();
        drop(connection);
        server.wait_for("the end", is_idle);
        assert!(left.elapsed() < Duration::from_secs(1), "{:?}", left.elapsed());
        // In prefill.
        let connection = server.send("POST", CHAT, "", &ask(&long, stream).to_string());
        server.wait_for("a prefill", |s| s.slots[0].state == SlotState::Prefill);
        drop(connection);
        server.wait_for("the end", is_idle);
        assert!(server.snapshot().slots[0].n_generated == 0);
    }
    assert_eq!(server.snapshot().totals.cancelled, 6);
    // What was run of a prompt is not run again.
    let before = server.snapshot().totals.reused_tokens;
    let connection = server.send("POST", CHAT, "", &ask(&long, true).to_string());
    server.wait_for("reuse", |snapshot| snapshot.totals.reused_tokens > before);
    drop(connection);
}

/// A client that only stops sending still wants its answer.
#[test]
fn a_client_that_has_said_everything_is_answered() {
    let server = Setup::of([slow("hello", 20, PACE)]).start();
    let connection = server.send("POST", CHAT, "", &ask("hello", true).to_string());
    server.wait_for("an answer", is_decoding);
    let reply = Reply::read(connection);
    assert!(reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
}

/// What runs is ended, what comes is sent away, and a supervisor sees it.
#[test]
fn an_engine_that_has_ended_is_seen() {
    let server = Setup::of([says("hello", "x")]).start();
    assert_eq!(server.get("/health").status, 200);
    server.shut_down_engine();
    let health = server.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (503, &"stopped".into()));
    assert_eq!(server.post(CHAT, &ask("hello", false)).status, 503);
}

/// A bug in a model costs the answer and ends the process, rather than leave one that answers nothing.
#[test]
fn a_server_whose_engine_dies_ends() {
    let setup = Setup::default();
    let bug = |_: &[u32]| -> Next { panic!("a bug, for this test") };
    let model = ScriptedModel::new(tiny().geometry.clone(), bug);
    let loaded = setup.loaded_with(Box::new(model));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a bound address");
    let service = Service::new(setup.options);
    let load = move || Ok::<_, io::Error>(loaded);
    let serving = std::thread::spawn(move || server::serve(listener, &service, load));
    let reply = loop {
        let reply = Reply::read(send(address, "POST", CHAT, "", &ask("hello", false).to_string()));
        if reply.status != 503 {
            break reply;
        }
    };
    assert_eq!(reply.status, 500, "{}", reply.body);
    let ended = serving.join().expect("it does not panic itself");
    assert_eq!(ended.expect_err("it says so").to_string(), "the engine has died");
}

/// Each API's stream says something while its client waits: in the queue, in prefill, in decode.
#[test]
fn streams_give_signs_of_life() {
    let pause = Duration::from_millis(150);
    let scripts = [slow("hold", 3000, PACE), slow("hello", 2, pause * 4)];
    let mut setup = Setup { n_slots: 1, ..Setup::of(scripts) };
    setup.options.keep_alive = pause;
    let server = setup.start();
    let cases = [
        (CHAT, ask("hello", true), "\"delta\":{}"),
        ("/v1/messages", ask("hello", true), "event: ping"),
        (
            "/v1/responses",
            json!({ "input": "hello", "stream": true, "reasoning": { "effort": "none" } }),
            "event: response.in_progress",
        ),
        ("/v1/completions", json!({ "prompt": "hello", "stream": true }), "\"text\":\"\""),
    ];
    for (path, body, sign) in cases {
        // The client before was told that its answer ends before the snapshot was.
        server.wait_for("an empty server", is_idle);
        let holder = server.send("POST", CHAT, "", &ask("hold", true).to_string());
        server.wait_for("an answer", is_decoding);
        let asked = Instant::now();
        let mut reader = BufReader::new(server.send("POST", path, "", &body.to_string()));
        // The headers come at once, the signs soon.
        let head = read_until(&mut reader, "transfer-encoding");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(asked.elapsed() < pause * 2, "{:?}", asked.elapsed());
        for _ in 0..2 {
            read_until(&mut reader, sign);
        }
        assert_eq!(server.snapshot().waiting, 1, "{path} still waits");
        drop(holder);
        // The prompt and the answer take four pauses a token.
        server.wait_for("a prefill", |s| s.waiting == 0);
        read_until(&mut reader, sign);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).expect("the reply ends");
        assert!(rest.contains(sign), "{path}: {rest}");
    }
}

/// A short question is not held up by another conversation that goes on for long.
#[test]
fn conversations_are_answered_side_by_side() {
    let server = Setup::of([slow("long", 3000, PACE), slow("short", 5, PACE)]).start();
    let long = server.send("POST", CHAT, "", &ask("long", true).to_string());
    server.wait_for("an answer", is_decoding);
    let reply = server.post(CHAT, &ask("short", false)).json();
    assert_eq!(reply["choices"][0]["message"]["content"], " word word word word word");
    assert!(is_decoding(&server.snapshot()), "the long one goes on");
    drop(long);
}

/// Whoever is being answered hears that the server goes, in the words of the API.
/// One that does not say how long it is counts as large, while it is read.
#[test]
fn bodies_need_room_only_until_they_are_read() {
    const N: usize = 12;
    let scripts = [slow("hello", 4000, PACE)];
    let server = Setup { n_slots: 1, max_queued: N, ..Setup::of(scripts) }.start();
    let body = ask("hello", false).to_string();
    let streams: Vec<TcpStream> = (1..=N)
        .map(|n| {
            let mut stream = server.open();
            let head = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
            let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            let request = format!("{head}transfer-encoding: chunked\r\n\r\n{body}");
            stream.write_all(request.as_bytes()).expect("the server reads");
            server.wait_for("a queue", |it| it.totals.started as usize + it.waiting >= n);
            stream
        })
        .collect();
    assert_eq!(server.snapshot().totals.finished, 0, "all before the last one still wait");
    drop(streams);
    server.wait_for("an end", is_idle);
}

#[test]
fn a_server_that_stops_says_so() {
    let cases = [
        (CHAT, ask("hello", true), "\"message\":\"the server is shutting down\""),
        ("/v1/messages", ask("hello", true), "\"type\":\"overloaded_error\""),
        (
            "/v1/responses",
            json!({ "input": "hello", "stream": true, "reasoning": { "effort": "none" } }),
            "event: response.failed",
        ),
        (
            "/v1/completions",
            json!({ "prompt": "hello", "stream": true, "max_tokens": 900 }),
            "shutting",
        ),
    ];
    for (path, body, words) in cases {
        let mut server = Setup { n_slots: 1, ..Setup::of([slow("hello", 900, PACE)]) }.start();
        let streamed = server.send("POST", path, "", &body.to_string());
        server.wait_for("an answer", is_decoding);
        let whole = server.send("POST", CHAT, "", &ask("hello", false).to_string());
        server.wait_for("a queue", |snapshot| snapshot.waiting == 1);
        server.stop();
        let reply = Reply::read(streamed);
        assert!(reply.body.contains(words), "{path}: {}", reply.body);
        assert!(!reply.body.contains("\"finish_reason\":\"stop\""), "{}", reply.body);
        assert_eq!(Reply::read(whole).status, 503);
        assert!(
            TcpStream::connect(server.address).is_err() || {
                // The listener may be a moment late.
                std::thread::sleep(Duration::from_millis(200));
                TcpStream::connect(server.address).is_err()
            }
        );
    }
}

/// A client that does not read does not hold up others, and a reply that nobody takes ends.
#[test]
fn a_client_that_does_not_read_harms_nobody() {
    let server = Setup::of([slow("hello", 3000, Duration::ZERO), says("short", "x")]).start();
    let deaf = server.send("POST", CHAT, "", &ask("hello", true).to_string());
    for _ in 0..3 {
        assert_eq!(server.post(CHAT, &ask("short", false)).status, 200);
    }
    deaf.shutdown(Shutdown::Both).expect("a socket");
    server.wait_for("the end", is_idle);
}

#[test]
fn a_trace_holds_what_was_said_and_nothing_else_does() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let trace = Some(Trace::open(file.path()).expect("it can be written"));
    let setup = Setup::of([says("hello", "I hear you")]);
    let server = Setup { options: ServiceOptions { trace, ..setup.options }, ..setup }.start();
    let reply = server.post(CHAT, &ask("hello", true));
    let lines = std::fs::read_to_string(file.path()).expect("the trace is there");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let [asked, answered] = &lines[..] else { panic!("{lines:?}") };
    let id = reply.header("x-request-id").expect("replies are numbered");
    assert_eq!((&asked["request"], &answered["request"]), (&id.into(), &id.into()));
    assert_eq!(asked["body"]["messages"][0]["content"], "hello");
    assert!(asked["prompt"].as_str().expect("a prompt").ends_with("hello<｜Assistant｜></think>"));
    assert_eq!(answered["text"], "I hear you");
    assert_eq!(answered["reason"], "EndOfTurn");
}
