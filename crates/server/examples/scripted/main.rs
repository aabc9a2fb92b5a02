//! A server whose model is a script, to try a client against the real server without a model:
//!
//! ```text
//! cargo run -p ironstar-server --example scripted -- [PORT] [shell|write]
//! ```
//!
//! Asked to create a file, it thinks, calls a tool of the client that runs a command or writes a
//! file, and says `done` when it gets the result. Prompts, tokens, grammar, streams and slots are
//! those of `ironstar serve`; what is said is in `answers`.

mod answers;
mod scripted_model;

use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use answers::{Preference, answer};
use chat::{Dialect, Tokenizer};
use engine::{ModelFile, SampleParams, Scheduler, SchedulerOptions};
use scripted_model::{Next, ScriptedModel};
use server::{ApiKeys, Loaded, Service, ServiceOptions};

/// Tokens of a conversation; agents begin with tens of thousands.
const CONTEXT: usize = 1 << 17;
const SLOTS: SchedulerOptions = SchedulerOptions { n_slots: 4, context: CONTEXT, max_queued: 64 };

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let port = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(8000);
    let prefers_write = arguments.iter().any(|argument| argument == "write");
    let preference = if prefers_write { Preference::Write } else { Preference::Shell };
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let service = Service::new(ServiceOptions {
        keys: ApiKeys::default(),
        cors: false,
        keep_alive: Duration::from_secs(5),
        trace: None,
    });
    writeln!(io::stderr(), "listening on http://{}", listener.local_addr()?)?;
    server::serve(listener, &service, move || load(preference))
}

/// The vocabulary and the dimensions are those of the built-in model.
fn load(preference: Preference) -> Result<Loaded, Error> {
    let tiny = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/models/tiny.gguf"));
    let file = ModelFile::open(tiny)?;
    let tokenizer = Arc::new(file.tokenizer()?);
    let mut script = Script { tokenizer: Arc::clone(&tokenizer), preference, known: Vec::new() };
    let model = ScriptedModel::new(file.geometry()?, move |timeline| script.next(timeline));
    let scheduler = Scheduler::start(Box::new(model), tokenizer.eos(), SLOTS)?;
    let dialect = Dialect::default();
    let sampling = SampleParams::default();
    let model_name = "scripted".to_owned();
    Ok(Loaded { model_name, scheduler, tokenizer, context: CONTEXT, dialect, sampling })
}

/// Answers as tokens.
struct Script {
    tokenizer: Arc<Tokenizer>,
    preference: Preference,
    /// The last prompts and the answers to them.
    known: Vec<(Vec<u32>, Vec<u32>)>,
}

impl Script {
    /// What follows a timeline.
    fn next(&mut self, timeline: &[u32]) -> Next {
        let eos = self.tokenizer.eos().unwrap_or(0);
        let assistant = self.tokenizer.token_id("<｜Assistant｜>");
        let header = timeline.iter().rposition(|&token| Some(token) == assistant);
        // Behind the header stands the token that says whether to think.
        let n_prompt = header.map_or(timeline.len(), |header| header + 2).min(timeline.len());
        let (prompt, said) = timeline.split_at(n_prompt);
        let token = self.answer(prompt).get(said.len()).copied().unwrap_or(eos);
        Next { token, pace: Duration::ZERO, fails: false }
    }

    fn answer(&mut self, prompt: &[u32]) -> &[u32] {
        let known = self.known.iter().position(|(known, _)| known == prompt);
        let at = known.unwrap_or_else(|| {
            let text = self.tokenizer.decode(prompt).unwrap_or_default();
            let text = answer(&String::from_utf8_lossy(&text), self.preference);
            self.known.truncate(SLOTS.n_slots - 1);
            self.known.insert(0, (prompt.to_vec(), self.tokenizer.encode(&text)));
            0
        });
        &self.known[at].1
    }
}
