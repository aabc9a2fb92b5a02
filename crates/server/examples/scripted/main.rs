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
mod script;
mod scripted_model;

use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use answers::Preference;
use chat::Dialect;
use engine::{ModelFile, SampleParams, Scheduler, SchedulerOptions};
use script::Script;
use scripted_model::ScriptedModel;
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
    let mut script = Script::new(Arc::clone(&tokenizer), preference);
    let model = ScriptedModel::new(file.geometry()?, move |timeline| script.next(timeline));
    let scheduler = Scheduler::start(Box::new(model), tokenizer.eos(), SLOTS)?;
    let dialect = Dialect::default();
    let sampling = SampleParams::default();
    let model_name = "scripted".to_owned();
    Ok(Loaded { model_name, scheduler, tokenizer, context: CONTEXT, dialect, sampling })
}
