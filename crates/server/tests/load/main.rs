//! Many clients at once, on the built-in model: some are answered, some leave, some are wrong.
//!
//! Oracle: each question asked alone. On the CPU company does not change an answer, so each reply
//! that comes to its end has to be the one that was given alone. Afterwards no slot is held, every
//! job is accounted for, and memory has not grown.
//!
//! `IRONSTAR_LOAD_REQUESTS=10000` makes the run longer than CI has time for.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engine::{
    BackendChoice, LoadOptions, ModelFile, SampleParams, Scheduler, SchedulerOptions, SlotState,
    private_bytes,
};
use serde_json::{Value, json};
use server::{ApiKeys, Loaded, Service, ServiceOptions};

const N_SLOTS: usize = 8;
const N_CLIENTS: usize = 24;
/// Bytes by which memory may grow between the first quarter and the end.
const GROWTH: u64 = 32 << 20;
const PATIENCE: Duration = Duration::from_mins(10);

fn n_requests() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the program")]
    let wanted = std::env::var("IRONSTAR_LOAD_REQUESTS").ok();
    wanted.and_then(|n| n.parse().ok()).unwrap_or(300)
}

/// A server on the built-in model, which ends with the process.
fn start(n_slots: usize) -> (SocketAddr, Scheduler) {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/models/tiny.gguf"));
    let file = ModelFile::open(path).expect("the built-in model is there");
    let options = LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() };
    let model = file.load(&options, &mut |_| {}).expect("it is sound");
    let tokenizer = file.tokenizer().expect("it has a vocabulary");
    let slots = SchedulerOptions { n_slots, context: 1024, max_queued: N_CLIENTS };
    let scheduler = Scheduler::start(model, tokenizer.eos(), slots).expect("there is memory");
    let service = Service::new(ServiceOptions {
        keys: ApiKeys::default(),
        cors: false,
        keep_alive: Duration::from_secs(5),
        trace: None,
    });
    service.begin(Loaded {
        model_name: "tiny".to_owned(),
        scheduler: scheduler.clone(),
        tokenizer: Arc::new(tokenizer),
        context: 1024,
        dialect: file.dialect().0,
        sampling: SampleParams::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a bound address");
    listener.set_nonblocking(true).expect("a socket");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            service.run(listener, std::future::pending()).await.expect("it runs");
        });
    });
    (address, scheduler)
}

/// One of the questions that are asked, over and over.
fn question(i: usize) -> Value {
    const WORDS: [&str; 6] =
        ["the port", "hello", "a file", "a shell command", "7 + 5", "the context"];
    let text = format!("{} {}?", WORDS[i % WORDS.len()], "word ".repeat(i % 5));
    json!({
        "messages": [{ "role": "user", "content": text }], "thinking": { "type": "disabled" },
        "temperature": if i.is_multiple_of(2) { 0.0 } else { 1.0 }, "seed": i,
        "max_tokens": 2 + i % 12, "stream": i.is_multiple_of(3),
    })
}

const N_QUESTIONS: usize = 20;

fn send(address: SocketAddr, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).expect("the server reads");
    stream
}

fn read(mut stream: TcpStream) -> String {
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("the server answers and closes");
    String::from_utf8(reply).expect("text")
}

/// What was said in a reply, streamed or not, or `None` if the server was too busy.
fn said(reply: &str) -> Option<String> {
    if reply.starts_with("HTTP/1.1 503") {
        return None;
    }
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    let texts = |json: &str| -> String {
        let json: Value = serde_json::from_str(json).unwrap_or_default();
        let choice = &json["choices"][0];
        let text = |value: &Value| value["content"].as_str().unwrap_or_default().to_owned();
        text(&choice["message"]) + &text(&choice["delta"])
    };
    let lines = reply.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
    Some(lines.filter(|line| line.starts_with('{')).map(texts).collect())
}

/// Numbers that differ, the same ones in each run.
fn mix(i: usize) -> usize {
    let x = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (x ^ (x >> 29)) as usize
}

/// What a client does with its turn.
fn visit(address: SocketAddr, i: usize, alone: &[String]) {
    let chance = mix(i);
    let which = (chance / 100) % N_QUESTIONS;
    let body = question(which).to_string();
    match chance % 100 {
        // Leaves after a while: in the queue, in prefill or in the answer.
        0..20 => {
            let mut stream = send(address, &body);
            std::thread::sleep(Duration::from_millis((chance / 7 % 120) as u64));
            if i.is_multiple_of(2) {
                let mut bytes = [0; 64];
                let _ = stream.read(&mut bytes);
            }
        }
        // Says half of what it announced, and leaves.
        20..25 => {
            let mut stream = TcpStream::connect(address).expect("the server listens");
            let head =
                "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n{";
            stream.write_all(head.as_bytes()).expect("the server reads");
        }
        25..35 => {
            let cut = &body[..chance / 11 % body.len()];
            assert!(read(send(address, cut)).starts_with("HTTP/1.1 400"));
        }
        _ => loop {
            if let Some(found) = said(&read(send(address, &body))) {
                assert_eq!(found, alone[which], "question {which}: company changed the answer");
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        },
    }
}

#[test]
fn nobody_is_harmed_by_the_others() {
    let (solo, solo_scheduler) = start(1);
    let alone: Vec<String> = (0..N_QUESTIONS)
        .map(|i| said(&read(send(solo, &question(i).to_string()))).expect("nobody else asks"))
        .collect();
    solo_scheduler.shutdown();
    assert!(alone.iter().any(|text| !text.is_empty()), "the model says something");

    let (address, scheduler) = start(N_SLOTS);
    let (n, next, memory) = (n_requests(), AtomicUsize::new(0), AtomicUsize::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..N_CLIENTS {
            scope.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= n {
                        return;
                    }
                    if i == n / 4 {
                        let held = private_bytes().unwrap_or_default();
                        memory.store(held as usize, Ordering::Relaxed);
                    }
                    visit(address, i, &alone);
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let idle = |snapshot: &engine::Snapshot| {
        snapshot.waiting == 0 && snapshot.slots.iter().all(|slot| slot.state == SlotState::Idle)
    };
    while !idle(&scheduler.snapshot()) {
        assert!(began.elapsed() < PATIENCE, "a slot is stuck: {:?}", scheduler.snapshot());
        std::thread::sleep(Duration::from_millis(10));
    }
    let totals = scheduler.snapshot().totals;
    // Those that left while they waited never had a slot.
    assert!(totals.finished + totals.cancelled + totals.failed >= totals.started, "{totals:?}");
    assert_eq!(totals.failed, 0);
    assert!(totals.finished > 0 && totals.cancelled > 0, "{totals:?}");
    let (before, after) = (memory.load(Ordering::Relaxed) as u64, private_bytes().unwrap_or(0));
    report(n, seconds, &totals, before, after);
    assert!(after <= before + GROWTH, "memory grew from {before} to {after} bytes");
    scheduler.shutdown();
}

#[expect(clippy::print_stderr, reason = "the numbers of a long run are what it is run for")]
fn report(n: usize, seconds: f64, totals: &engine::Totals, before: u64, after: u64) {
    eprintln!(
        "{n} requests in {seconds:.0} s: {} answered, {} cancelled, {} tokens, {:.1} tokens a \
         batch; memory {:.1} MiB at a quarter, {:.1} MiB at the end",
        totals.finished,
        totals.cancelled,
        totals.generated_tokens,
        (totals.generated_tokens + totals.prompt_tokens - totals.reused_tokens) as f64
            / totals.steps as f64,
        before as f64 / 1_048_576.0,
        after as f64 / 1_048_576.0,
    );
}
