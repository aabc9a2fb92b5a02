//! The built-in page in a real browser, without a window, spoken to by Chromium's debugging pipe.
//!
//! Without a Chromium the test says so and passes; `IRONSTAR_REQUIRE_CHROMIUM` insists on one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Setup;
use crate::scripted::{Script, says};

/// Far more than a page takes, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(2);

struct Browser {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    n_sent: u64,
    /// The tab that commands go to.
    session: Option<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a Chromium; `None` after saying that there is none.
    fn start() -> Option<Self> {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let flags = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                     --remote-debugging-pipe --user-data-dir";
        // The pipe is two more file handles, which only a shell can name.
        let command = format!(
            "command -v chromium >/dev/null && \
             exec chromium {flags}='{}' about:blank 3<&0 4>&1 >/dev/null 2>&1",
            profile.path().display()
        );
        let mut process = Command::new("sh")
            .args(["-c", &command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let to = process.stdin.take().expect("a pipe");
        let from = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut browser = Self { process, to, from, n_sent: 0, session: None, _profile: profile };
        if browser.try_tell("Browser.getVersion", &json!({})).is_some() {
            return Some(browser);
        }
        #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
        let required = std::env::var_os("IRONSTAR_REQUIRE_CHROMIUM").is_some();
        assert!(!required, "no chromium, and IRONSTAR_REQUIRE_CHROMIUM is set");
        say_skipped();
        None
    }

    /// Sends a command and waits for its result; `None` if nobody listens.
    fn try_tell(&mut self, method: &str, params: &Value) -> Option<Value> {
        self.n_sent += 1;
        let mut message = json!({ "id": self.n_sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).ok()?;
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).ok().filter(|&n| n > 0)?;
            let reply: Value = serde_json::from_slice(&bytes[..bytes.len() - 1]).ok()?;
            // Events have no id.
            if reply["id"] == self.n_sent {
                assert!(reply.get("error").is_none(), "{method}: {reply}");
                return Some(reply["result"].clone());
            }
        }
    }

    fn tell(&mut self, method: &str, params: &Value) -> Value {
        self.try_tell(method, params).expect("the browser lives")
    }

    fn open(&mut self, url: &str) {
        let tab = self.tell("Target.createTarget", &json!({ "url": url }));
        let attach = json!({ "targetId": tab["targetId"], "flatten": true });
        let attached = self.tell("Target.attachToTarget", &attach);
        self.session = attached["sessionId"].as_str().map(str::to_owned);
    }

    /// The value of an expression in the page.
    fn value(&mut self, expression: &str) -> Value {
        let evaluate = json!({ "expression": expression, "returnByValue": true });
        let result = self.tell("Runtime.evaluate", &evaluate);
        assert!(result.get("exceptionDetails").is_none(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    fn wait_for(&mut self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.value(expression) != true {
            let in_time = Instant::now() < deadline;
            assert!(in_time, "not so: {expression}; {}", self.value("document.body?.innerText"));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The shell became the browser; it may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_skipped() {
    eprintln!("skipped: no chromium");
}

#[test]
fn the_page_chats_and_shows_the_slots() {
    let Some(mut browser) = Browser::start() else { return };
    let pace = Duration::from_millis(20);
    let long =
        Script { pace, ..says("at length", &format!("Hm.</think>{}", " word".repeat(2000))) };
    let server =
        Setup::of([says("hello there", "I greet.</think>Hello <b>you</b>!"), long]).start();
    browser.open(&format!("http://{}/", server.address));
    browser.wait_for("typeof $ !== 'undefined' && $('model').textContent === 'scripted'");
    browser.wait_for("document.querySelectorAll('.slot').length === 2");

    let ask = |text: &str| format!("$('text').value = '{text}'; $('form').requestSubmit(); true");
    browser.value(&ask("hello there"));
    browser.wait_for("document.querySelector('.answer .note') !== null");
    assert_eq!(
        browser.value("document.querySelector('.content').textContent"),
        "Hello <b>you</b>!"
    );
    assert_eq!(browser.value("document.querySelector('.thinking div').textContent"), "I greet.");
    assert_eq!(browser.value("document.querySelector('.thinking').open"), false, "it is folded");

    // An answer grows while it is made, its slot shows, and it can be stopped.
    browser.value(&ask("at length"));
    browser.wait_for("document.querySelectorAll('.content').length === 2");
    browser.wait_for("$('slots').textContent.includes('decode')");
    browser.wait_for("$('rate').textContent.includes('tok/s')");
    browser.value("$('stop').click(); true");
    server.wait_for("the end", |snapshot| snapshot.totals.cancelled == 1);
    browser.wait_for("$('cancelled').textContent === '1' && !$('send').disabled");
    // The second question came with the first turn, of which the prompt was in KV.
    browser.wait_for("$('reused').textContent !== '–' && parseInt($('reused').textContent) > 0");
    assert_eq!(browser.value("document.querySelectorAll('.error').length"), 0);
}
