//! `serve` with conversations on disk: killed and started again, beside another one, on disks that
//! take nothing more.
//!
//! No oracle: what a server without a directory answers is what all of them must answer, and how
//! much of a prompt was run is algebra on blocks of 128 tokens.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::tiny::Folder;

const BLOCK_TOKENS: u64 = 128;
/// Tokens in front of the end of a restored prefix that are run again.
const RUN_AGAIN: u64 = 4;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server on a free port.
struct Server {
    child: Child,
    base: String,
    said: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `ironstar serve` with the built-in model in a folder.
    fn start(folder: &Folder, args: &[&str]) -> Self {
        Self::start_behind(folder, "", args)
    }

    /// Starts it from a shell that first does something else.
    fn start_behind(folder: &Folder, script: &str, args: &[&str]) -> Self {
        let program = env!("CARGO_BIN_EXE_ironstar");
        let args = args.join(" ");
        let serve =
            format!("{script} exec '{program}' serve -m tiny --port 0 --ctx 4096 --slots 2 {args}");
        let mut command = Command::new("sh");
        if !script.is_empty() {
            command = Command::new("unshare");
            command.args(["--mount", "--map-root-user", "sh"]);
        }
        let mut child = command
            .args(["-e", "-c", &serve])
            .current_dir(folder.path("."))
            .env("HOME", folder.path("home"))
            .env("XDG_CONFIG_HOME", folder.path("home/.config"))
            .env("NODEVICE_SELECT", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh is there");
        let mut stderr = BufReader::new(child.stderr.take().expect("it was piped"));
        let mut said = String::new();
        while !said.contains("is ready") {
            let before = said.len();
            stderr.read_line(&mut said).expect("text");
            assert!(said.len() > before, "the server ended: {said}");
        }
        let (_, address) = said.split_once("listening on ").expect("it says where");
        let base = address.split_whitespace().next().expect("an address").to_owned();
        let said = Arc::new(Mutex::new(said));
        let listener = Arc::clone(&said);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut said = listener.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&line);
                said.push('\n');
            }
        });
        let server = Self { child, base, said };
        server.wait_for("health", |_| true);
        server
    }

    fn get(&self, path: &str) -> Option<Value> {
        ureq::get(&format!("{}/{path}", self.base)).call().ok()?.into_json().ok()
    }

    fn wait_for(&self, path: &str, is_right: impl Fn(&Value) -> bool) {
        let start = Instant::now();
        while !self.get(path).is_some_and(|found| is_right(&found)) {
            assert!(start.elapsed() < PATIENCE, "{path}: {:?}", self.get(path));
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks for an answer without chance and without reasoning.
    fn ask(&self, messages: &[Value]) -> Reply {
        let body = json!({
            "model": "any", "messages": messages, "temperature": 0, "max_tokens": 24,
            "thinking": { "type": "disabled" },
        });
        let url = format!("{}/v1/chat/completions", self.base);
        let reply = ureq::post(&url).send_json(body).expect("an answer");
        let reply: Value = reply.into_json().expect("JSON");
        let usage = |pointer: &str| reply.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        Reply {
            text: reply["choices"][0]["message"]["content"].as_str().expect("text").to_owned(),
            n_prompt: usage("/usage/prompt_tokens"),
            n_cached: usage("/usage/prompt_tokens_details/cached_tokens"),
        }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a warning.
    fn wait_until_it_says(&self, part: &str) {
        let start = Instant::now();
        while !self.said().contains(part) {
            assert!(start.elapsed() < PATIENCE, "it does not say {part:?}: {}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    /// With a signal that cannot be caught.
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was started");
    }
}

/// An answer and its prompt's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    text: String,
    n_prompt: u64,
    n_cached: u64,
}

/// A conversation as a client keeps it.
#[derive(Default)]
struct Client {
    messages: Vec<Value>,
    replies: Vec<Reply>,
}

impl Client {
    fn ask(&mut self, server: &Server, text: &str) -> Reply {
        self.messages.push(json!({ "role": "user", "content": text }));
        let reply = server.ask(&self.messages);
        self.messages.push(json!({ "role": "assistant", "content": reply.text }));
        self.replies.push(reply.clone());
        reply
    }

    fn texts(&self) -> Vec<&str> {
        self.replies.iter().map(|reply| reply.text.as_str()).collect()
    }

    /// What a restored prompt of the last turn has at least.
    fn least_cached(&self) -> u64 {
        let last = self.replies.last().expect("somebody asked").n_prompt - 1;
        last - last % BLOCK_TOKENS - RUN_AGAIN
    }
}

/// Three questions, the first one behind a text of some 300 tokens that begins with `word`.
fn questions(word: &str) -> [String; 3] {
    let words: Vec<_> = (0..240).map(|n| [word, "beta", "gamma"][n % 3]).collect();
    let short = ["What is 5+8?", "How do I start the server?"].map(str::to_owned);
    let [second, third] = short;
    [format!("{}\nWhat is 3+4?", words.join(" ")), second, third]
}

/// Answers of a server that keeps nothing.
fn expected(questions: &[String]) -> Vec<String> {
    let folder = Folder::empty();
    let server = Server::start(&folder, &[]);
    let mut client = Client::default();
    for question in questions {
        client.ask(&server, question);
    }
    client.texts().into_iter().map(str::to_owned).collect()
}

/// Waits until so many prefixes of at least so many tokens can be restored.
fn wait_until_saved(folder: &Folder, n_prefixes: usize, n_tokens: u64) {
    let start = Instant::now();
    loop {
        let listed = folder.run(&["cache", "ls", "--kv-dir", "kv", "--json"], b"").stdout;
        let listed: Value = serde_json::from_slice(&listed).unwrap_or_default();
        let prefixes = listed["prefixes"].as_array().cloned().unwrap_or_default();
        let is_long = |prefix: &&Value| prefix["tokens"].as_u64() >= Some(n_tokens);
        if prefixes.iter().filter(is_long).count() >= n_prefixes {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{n_tokens} tokens are not saved: {listed}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let folder = Folder::empty();
    let questions = questions("alpha");
    let mut client = Client::default();
    let server = Server::start(&folder, &["--kv-dir", "kv"]);
    client.ask(&server, &questions[0]);
    let second = client.ask(&server, &questions[1]);
    wait_until_saved(&folder, 1, client.least_cached());
    drop(server);

    let server = Server::start(&folder, &["--kv-dir", "kv"]);
    let again = server.ask(&client.messages[..3]);
    let least = client.least_cached();
    assert!(least > BLOCK_TOKENS, "the text is long");
    assert!(again.n_cached >= least, "{least} tokens were there: {again:?}");
    assert_eq!((again.text, again.n_prompt), (second.text, second.n_prompt));
    drop(server);

    // The whole conversation and a turn.
    let server = Server::start(&folder, &["--kv-dir", "kv"]);
    let third = client.ask(&server, &questions[2]);
    assert!(third.n_cached >= least, "{least} tokens were there: {third:?}");
    drop(server);
    assert_eq!(client.texts(), expected(&questions));
    let sound = folder.succeed(&["cache", "verify", "--kv-dir", "kv"], b"");
    assert!(String::from_utf8_lossy(&sound).ends_with(" files are sound\n"));
}

#[test]
fn two_servers_share_a_directory() {
    let folder = Folder::empty();
    let (alphas, omegas) = (questions("alpha"), questions("omega"));
    let servers = [(); 2].map(|()| Server::start(&folder, &["--kv-dir", "kv"]));
    let (mut one, mut other) = (Client::default(), Client::default());
    thread::scope(|scope| {
        scope.spawn(|| one.ask(&servers[0], &alphas[0]));
        scope.spawn(|| other.ask(&servers[1], &omegas[0]));
    });
    let least = [&one, &other].map(Client::least_cached);
    wait_until_saved(&folder, 2, least[0].min(least[1]));
    // Each goes on where the other one was.
    let found = [one.ask(&servers[1], &alphas[1]), other.ask(&servers[0], &omegas[1])];
    for (reply, least) in found.iter().zip(least) {
        assert!(reply.n_cached >= least, "{least} tokens were there: {reply:?}");
    }
    let last = |client: &Client| client.texts().last().map(|text| (*text).to_owned());
    assert_eq!(last(&one), expected(&alphas[..2]).pop());
    assert_eq!(last(&other), expected(&omegas[..2]).pop());
    drop(servers);
    let sound = folder.succeed(&["cache", "verify", "--kv-dir", "kv"], b"");
    assert!(String::from_utf8_lossy(&sound).ends_with(" files are sound\n"));
}

#[test]
fn a_small_budget_is_kept_and_told() {
    let folder = Folder::empty();
    let questions = questions("alpha");
    let mut client = Client::default();
    let server = Server::start(&folder, &["--kv-dir", "kv", "--kv-size", "20kB"]);
    for question in &questions {
        client.ask(&server, question);
    }
    server.wait_until_it_says("KV is not saved");
    assert_eq!(client.texts(), expected(&questions));
    assert!(bytes_in(&folder.path("kv")) <= 20_000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_answers_are_right() {
    let folder = Folder::empty();
    if !can_mount(&folder) {
        return;
    }
    let questions = questions("alpha");
    let mut client = Client::default();
    let mount = "mkdir kv; mount -t tmpfs -o size=200k none kv;";
    let server = Server::start_behind(&folder, mount, &["--kv-dir", "kv"]);
    for question in &questions {
        client.ask(&server, question);
    }
    server.wait_until_it_says("the disk is full");
    assert_eq!(client.texts(), expected(&questions));
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_directory_is_read_and_told() {
    let folder = Folder::empty();
    if !can_mount(&folder) {
        return;
    }
    let questions = questions("alpha");
    let mut client = Client::default();
    let server = Server::start(&folder, &["--kv-dir", "kv"]);
    client.ask(&server, &questions[0]);
    let least = client.least_cached();
    wait_until_saved(&folder, 1, least);
    drop(server);
    let n_bytes = bytes_in(&folder.path("kv"));

    let mount = "mount --bind kv kv; mount -o remount,ro,bind kv;";
    let server = Server::start_behind(&folder, mount, &["--kv-dir", "kv"]);
    server.wait_until_it_says("the KV store cannot be written to: nothing is saved");
    let second = client.ask(&server, &questions[1]);
    assert!(second.n_cached >= least, "{least} tokens were there: {second:?}");
    client.ask(&server, &questions[2]);
    assert_eq!(client.texts(), expected(&questions));
    drop(server);
    assert_eq!(bytes_in(&folder.path("kv")), n_bytes);
}

/// Whether this user may mount in a namespace of its own.
#[cfg(target_os = "linux")]
fn can_mount(folder: &Folder) -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--map-root-user", "mount", "-t", "tmpfs", "none", "."]);
    let tried = unshare.current_dir(folder.path(".")).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        say_skipped();
    }
    can
}

#[cfg(target_os = "linux")]
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_skipped() {
    eprintln!("skipped: nothing can be mounted here");
}

/// Bytes of all files in a folder.
fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("it can be read");
    let bytes = |entry: fs::DirEntry| match entry.path() {
        path if path.is_dir() => bytes_in(&path),
        path => fs::metadata(path).map_or(0, |file| file.len()),
    };
    entries.map(|entry| bytes(entry.expect("it can be read"))).sum()
}
