//! A server over the built-in model, and a client of its own few lines.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chat::{Dialect, Tokenizer};
use engine::{LoadOptions, ModelFile, SampleParams, Scheduler, SchedulerOptions};
use serde_json::Value;
use server::{ApiKeys, Loaded, Service, ServiceOptions};

/// Tokens of a conversation.
const CONTEXT: usize = 4096;

fn file() -> ModelFile {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/models/tiny.gguf");
    ModelFile::open(path).expect("the built-in model")
}

/// The vocabulary of the server's model.
pub(crate) fn tokenizer() -> Tokenizer {
    file().tokenizer().expect("it has a vocabulary")
}

/// The address of the one server of this process.
fn address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let file = file();
        let tokenizer = tokenizer();
        let model = file.load(&LoadOptions::default(), &mut |_| {}).expect("it loads");
        let slots = SchedulerOptions { n_slots: 2, context: CONTEXT, max_queued: 16 };
        let scheduler = Scheduler::start(model, tokenizer.eos(), slots).expect("memory suffices");
        let loaded = Loaded {
            model_name: "ironstar-tiny".to_owned(),
            scheduler,
            tokenizer: Arc::new(tokenizer),
            context: CONTEXT,
            dialect: Dialect::V4_0731,
            sampling: SampleParams::default(),
        };
        let keep_alive = Duration::from_secs(5);
        let keys = ApiKeys::default();
        let service = Service::new(ServiceOptions { keys, cors: false, keep_alive, trace: None });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let load = move || Ok::<_, io::Error>(loaded);
        std::thread::spawn(move || server::serve(listener, &service, load));
        address
    })
}

/// Sends a body and returns the status and the reply's body, once the model is there.
pub(crate) fn send(path: &str, body: &Value) -> (u16, String) {
    loop {
        let (status, reply) = try_to_send(path, body);
        if status != 503 {
            return (status, reply);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn try_to_send(path: &str, body: &Value) -> (u16, String) {
    let mut stream = TcpStream::connect(address()).expect("it listens");
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).expect("it reads");
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).expect("it answers");
    let reply = String::from_utf8(reply).expect("text");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status.expect("a status"), if chunked { unchunked(body) } else { body.to_owned() })
}

/// The bytes of a body that came in chunks.
fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        whole += &rest[..size];
        body = rest[size..].strip_prefix("\r\n").expect("the end of a chunk");
    }
    whole
}

/// Sends a body that is to be answered, and returns the answer.
pub(crate) fn ask(path: &str, body: &Value) -> Value {
    let (status, reply) = send(path, body);
    assert_eq!(status, 200, "{body}: {reply}");
    serde_json::from_str(&reply).expect("JSON")
}

/// Sends a body whose answer streams, and returns the data of its events.
pub(crate) fn stream(path: &str, mut body: Value) -> Vec<Value> {
    body["stream"] = true.into();
    let (status, reply) = send(path, &body);
    assert_eq!(status, 200, "{body}: {reply}");
    let data = reply.lines().filter_map(|line| line.strip_prefix("data: "));
    let data = data.filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

/// Sends a body that is to be refused because of a field, and returns why.
pub(crate) fn refused(path: &str, body: &Value) -> String {
    let (status, reply) = send(path, body);
    assert_eq!(status, 400, "{body}: {reply}");
    let reply: Value = serde_json::from_str(&reply).expect("JSON");
    if path == "/v1/messages" {
        assert_eq!(reply["type"], "error");
    }
    reply["error"]["message"].as_str().expect("a message").to_owned()
}

/// Panics unless a schema takes a value.
pub(crate) fn check(schema: &Value, value: &Value) {
    let validator = jsonschema::validator_for(schema).expect("a sound schema");
    let errors: Vec<String> = validator.iter_errors(value).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {value}");
}
