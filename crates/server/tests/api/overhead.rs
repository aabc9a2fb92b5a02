//! What a token costs the server beside the engine: processor time and allocations of the thread that
//! does all there is to do between the engine's and the client's.

use std::io::Read as _;
use std::net::TcpListener;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use server::Service;
use tokio::sync::oneshot;

use crate::client::{Setup, send};
use crate::scripted::{Script, says};

/// Tokens of a short and of a long answer.
const N_SHORT: usize = 50;
const N_LONG: usize = 250;
/// One of so many runs has to do: others on the machine make them dearer, never cheaper.
const N_RUNS: usize = 8;
/// Allocations that a streamed token may take.
const MAX_ALLOCATIONS: u64 = 40;
/// Time that it may take; builds for tests are not optimised.
const MAX_TIME: Duration =
    if cfg!(debug_assertions) { Duration::from_millis(1) } else { Duration::from_micros(50) };

/// What something cost the thread that did it.
#[derive(Debug, Clone, Copy)]
struct Cost {
    allocations: u64,
    time: Duration,
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What it costs to answer one request with `n_tokens` tokens, beginning and end of the server
/// included.
fn cost(path: &str, body: &Value, n_tokens: usize) -> Cost {
    let script =
        Script { pace: Duration::from_micros(200), ..says("Count.", &"word ".repeat(n_tokens)) };
    let setup = Setup::of([script]);
    let loaded = setup.loaded();
    let service = Service::new(setup.options);
    service.begin(loaded);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a bound address");
    listener.set_nonblocking(true).expect("a socket");
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let before = thread_time();
        let counted = allocation_counter::measure(|| {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                let stop = async { drop(stopped.await) };
                service.run(listener, stop).await.expect("it ends well");
            });
        });
        Cost { allocations: counted.count_total, time: thread_time().saturating_sub(before) }
    };
    let thread = std::thread::spawn(serve);
    let mut stream = send(address, "POST", path, "", &body.to_string());
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the server closes the connection");
    assert!(reply.matches("word").count() >= n_tokens, "{reply}");
    drop(stop);
    thread.join().expect("the server ends well")
}

#[test]
fn a_token_costs_the_server_little() {
    let message = json!([{ "role": "user", "content": "Count." }]);
    let asked = [
        ("/v1/chat/completions", json!({ "messages": message })),
        ("/v1/messages", json!({ "messages": message, "max_tokens": 4000 })),
        ("/v1/responses", json!({ "input": "Count." })),
    ];
    for (path, mut body) in asked {
        (body["stream"], body["thinking"]) = (true.into(), json!({ "type": "disabled" }));
        let run = |_| {
            let [short, long] = [N_SHORT, N_LONG].map(|n| cost(path, &body, n));
            let n = (N_LONG - N_SHORT) as u32;
            let allocations = long.allocations.saturating_sub(short.allocations) / u64::from(n);
            Cost { allocations, time: long.time.saturating_sub(short.time) / n }
        };
        let runs: Vec<Cost> = (0..N_RUNS).map(run).collect();
        println!("{path}: {runs:?} a token");
        let does = |it: &Cost| it.allocations <= MAX_ALLOCATIONS && it.time <= MAX_TIME;
        assert!(runs.iter().any(does), "{path}: {runs:?}");
    }
}
