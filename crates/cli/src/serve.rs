//! `serve`: the model behind HTTP.

use std::io::{self, Write as _};
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytesize::ByteSize;
use chat::Dialect;
use clap::Args;
use engine::{DiskKv, Machine, Scheduler, SchedulerOptions, default_context};
use indicatif::HumanBytes;
use server::{ApiKeys, Loaded, Service, ServiceOptions, Trace};

use crate::args::{BackendArgs, positive};
use crate::models;
use crate::repl::tokens;
use crate::run::load;
use crate::settings::load_options;

/// Silence after which a stream sends a sign of life: clients give up after a minute or more, and
/// proxies between them sooner.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Model file (GGUF); the default is `tiny`, which is built in.
    #[arg(short, long, value_name = "MODEL")]
    model: Option<PathBuf>,

    #[command(flatten)]
    backend: BackendArgs,

    /// Address to listen on. Others than this machine reach it only if you name one of its own;
    /// give keys then.
    #[arg(long, value_name = "H", default_value = "127.0.0.1")]
    host: IpAddr,

    /// Port to listen on; 0 takes any that is free.
    #[arg(short, long, value_name = "P", default_value_t = 8000)]
    port: u16,

    /// Tokens of a conversation, such as 65536 or 64k, answers included [default: 32768, or what the
    /// model knows].
    #[arg(long, value_name = "N", value_parser = tokens)]
    ctx: Option<usize>,

    /// Conversations that are held and answered at once.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "4")]
    slots: usize,

    /// Directory in which conversations are kept, so that they outlive their slots and the server.
    /// What people say is in it; only you can read it. Several servers may share it.
    #[arg(long, value_name = "DIR")]
    kv_dir: Option<PathBuf>,

    /// Most bytes in that directory, such as 500MB or 1TB; what is worth least goes first.
    #[arg(long, value_name = "SIZE", default_value = "32GB")]
    kv_size: ByteSize,

    /// Requests that may wait for a slot; past them, clients are told to come back.
    #[arg(long, value_name = "N", default_value_t = 64)]
    queue: usize,

    /// A key that requests must carry; may be given several times.
    #[arg(long, value_name = "K", env = "IRONSTAR_API_KEY", hide_env_values = true)]
    api_key: Vec<String>,

    /// Let pages of other origins use the server.
    #[arg(long)]
    cors: bool,

    /// Write down what is asked and answered, as lines of JSON; nothing else keeps what people say.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Prompt dialect [default: what the file says].
    #[arg(long, value_name = "D")]
    prompt_format: Option<Dialect>,
}

pub(crate) fn serve(args: &ServeArgs) -> Result<()> {
    server::log_to_stderr();
    // Before the model, which takes its time: a port that is taken is known at once.
    let listener = TcpListener::bind((args.host, args.port))
        .with_context(|| format!("cannot listen on {}:{}", args.host, args.port))?;
    let address = listener.local_addr().context("cannot tell the port")?;
    let file = models::open_or_default(args.model.as_deref())?;
    let geometry = file.geometry()?;
    let tokenizer = file.tokenizer()?;
    let context = args.ctx.unwrap_or_else(|| default_context(&geometry));
    let options = load_options(&args.backend);
    let disk = args.kv_dir.as_ref();
    let disk = disk.map(|dir| DiskKv::open(dir, args.kv_size.as_u64(), &file, options.kv_rounding));
    let disk = disk.transpose()?;
    let mut stderr = io::stderr();
    let told = "cannot write to standard error";
    if let Some(machine) = Machine::now() {
        let plan = file.plan_memory(&options, context, args.slots, &machine)?;
        let beside = HumanBytes(plan.total_bytes());
        writeln!(
            stderr,
            "memory beside the weights: {beside} for {} x {context} tokens",
            args.slots
        )
        .context(told)?;
    }
    let sampling = file.sampling()?;
    let dialect = args.prompt_format.unwrap_or_else(|| file.dialect().0);
    let trace = args.trace.as_ref().map(|path| {
        Trace::open(path).with_context(|| format!("cannot write the trace {}", path.display()))
    });
    let service = Service::new(ServiceOptions {
        keys: ApiKeys::new(&args.api_key),
        cors: args.cors,
        keep_alive: KEEP_ALIVE,
        trace: trace.transpose()?,
    });
    let model_name = models::name(args.model.as_deref());
    let (n_slots, max_queued) = (args.slots, args.queue);
    if !args.host.is_loopback() && args.api_key.is_empty() {
        writeln!(stderr, "warning: whoever reaches {address} may use it; --api-key asks for a key")
            .context(told)?;
    }
    writeln!(stderr, "listening on http://{address} (OpenAI base URL http://{address}/v1)")
        .context(told)?;
    server::serve::<anyhow::Error>(listener, &service, move || {
        let model = load(&file, &options)?;
        let slots = SchedulerOptions { n_slots, context, max_queued };
        let scheduler = Scheduler::start_with_disk(model, tokenizer.eos(), slots, disk)?;
        writeln!(io::stderr(), "{model_name} is ready").context(told)?;
        let tokenizer = Arc::new(tokenizer);
        Ok(Loaded { model_name, scheduler, tokenizer, context, dialect, sampling })
    })
    .context("the server stopped")
}
