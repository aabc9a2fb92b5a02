//! A server over a scripted model, and a client that sends exactly the bytes it is told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chat::Dialect;
use engine::{Inference, SampleParams, Scheduler, SchedulerOptions, Snapshot};
use serde_json::Value;
use server::{ApiKeys, Loaded, Service, ServiceOptions};
use tokio::sync::oneshot;

use crate::scripted::{Script, scripted, tiny};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a server is set up.
pub(crate) struct Setup {
    /// May be exchanged while the server runs.
    pub(crate) scripts: Arc<Mutex<Vec<Script>>>,
    pub(crate) n_slots: usize,
    pub(crate) max_queued: usize,
    pub(crate) context: usize,
    pub(crate) options: ServiceOptions,
}

impl Default for Setup {
    fn default() -> Self {
        let keys = ApiKeys::default();
        let keep_alive = Duration::from_secs(5);
        Self {
            scripts: Arc::default(),
            n_slots: 2,
            max_queued: 8,
            context: 4096,
            options: ServiceOptions { keys, cors: false, keep_alive, trace: None },
        }
    }
}

impl Setup {
    pub(crate) fn of(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self { scripts: Arc::new(Mutex::new(scripts.into_iter().collect())), ..Self::default() }
    }

    pub(crate) fn loaded(&self) -> Loaded {
        self.loaded_with(Box::new(scripted(Arc::clone(&self.scripts))))
    }

    pub(crate) fn loaded_with(&self, model: Box<dyn Inference>) -> Loaded {
        let tokenizer = Arc::clone(&tiny().tokenizer);
        let slots = SchedulerOptions {
            n_slots: self.n_slots,
            context: self.context,
            max_queued: self.max_queued,
        };
        let scheduler = Scheduler::start(model, tokenizer.eos(), slots).expect("it starts");
        Loaded {
            model_name: "scripted".to_owned(),
            scheduler,
            tokenizer,
            context: self.context,
            dialect: Dialect::V4_0731,
            sampling: SampleParams::default(),
        }
    }

    pub(crate) fn start(self) -> Server {
        let loaded = self.loaded();
        let server = Server::without_model(self.options);
        server.begin(loaded)
    }
}

/// A running server; dropping it stops it.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    service: Service,
    scheduler: Option<Scheduler>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn without_model(options: ServiceOptions) -> Self {
        let service = Service::new(options);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound address");
        listener.set_nonblocking(true).expect("a socket");
        let (stop, stopped) = oneshot::channel();
        let runs = service.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                let stop = async { drop(stopped.await) };
                runs.run(listener, stop).await.expect("it ends well");
            });
        });
        let stop = Some(stop);
        Self { address, service, scheduler: None, stop, thread: Some(thread) }
    }

    pub(crate) fn begin(mut self, loaded: Loaded) -> Self {
        self.scheduler = Some(loaded.scheduler.clone());
        self.service.begin(loaded);
        self
    }

    /// Asks the server to stop, and does not wait.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.scheduler.as_ref().expect("the server has a model").snapshot()
    }

    pub(crate) fn shut_down_engine(&self) {
        self.scheduler.as_ref().expect("the server has a model").shutdown();
    }

    /// Waits until the scheduler looks as wanted.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Snapshot) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.snapshot()) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.snapshot());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn open(&self) -> TcpStream {
        open(self.address)
    }

    /// Sends a request and leaves the reply to be read.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        send(self.address, method, path, headers, body)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        Reply::read(self.send(method, path, headers, body))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, "", &body.to_string())
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "", "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            let _ = thread.join();
        }
    }
}

fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// Sends a request and leaves the reply to be read.
pub(crate) fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> TcpStream {
    let mut stream = open(address);
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("the server reads");
    stream
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("the server closes the connection");
        Self::parse(&bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut reply = Self {
            status: status.expect("a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = join_chunks(body);
        }
        reply
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(": "));
        pairs.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// The data of all events that are JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        let json = data.filter(|data| *data != "[DONE]");
        json.map(|data| serde_json::from_str(data).expect("events are JSON")).collect()
    }
}

/// The content of a chunked body, as far as it came.
fn join_chunks(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size");
        let Some(chunk) = more.get(..size).filter(|_| size > 0) else { break };
        body += chunk;
        rest = more[size..].strip_prefix("\r\n").unwrap_or_default();
    }
    body
}
