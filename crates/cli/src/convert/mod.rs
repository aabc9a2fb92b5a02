//! `ironstar convert`: a checkpoint in the released layout (safetensors) to a GGUF file.
//!
//! Reads `config.json`, the safetensors files and, if they are there, `tokenizer.json` and
//! `generation_config.json`. Everything
//! is checked against the configuration before a byte is written, and all problems are reported at
//! once. Then the tensors are streamed, a few rows at a time.
//!
//! A [recipe](crate::quantize::Recipe) stores each tensor as it says, and what it keeps as in `f16`. Otherwise:
//!
//! | tensors | `f32` | `f16` | `q8_0` |
//! |---|---|---|---|
//! | attention projections, routed and shared experts, output head | F32 | F16 | `Q8_0`, or F16 where rows are no multiple of 32 |
//! | embedding, hyper-connection functions, compressors, position biases, indexer, router | F32 | F16 | F16 |
//! | norms, sinks, biases, hyper-connection bases and scales | F32 | F32 | F32 |
//! | expert ids of the hash layers | I32 | I32 | I32 |
//!
//! Draft blocks (`mtp.*`) and tensors of unknown name are left out and counted. Refuses: other
//! architectures, V4.1 among them; weights that are not finite, or too large for the output type.

mod checkpoint;
mod config;
mod generation;
mod source;
mod storage;
mod tensors;
mod vocabulary;
mod write;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use gguf::{TensorType, WriterBuilder};

use crate::files::check_output;
use crate::quantize::n_threads;

use checkpoint::Checkpoint;
use config::Config;
use generation::Generation;
use source::{Source, scale_name};
use storage::Storage;
use tensors::Target;
use write::{Bound, Content};

/// Most problems listed before the rest is only counted.
const MAX_PROBLEMS_LISTED: usize = 20;

/// The folder has config.json, and model.safetensors or shards with model.safetensors.index.json.
///
/// Everything is checked before anything is written. Without a tokenizer.json in the folder, every
/// byte becomes a token.
#[derive(Debug, clap::Args)]
pub(crate) struct ConvertArgs {
    /// Folder of the checkpoint.
    #[arg(value_name = "HF_DIR")]
    dir: PathBuf,

    /// Model file to write.
    #[arg(value_name = "OUT.gguf")]
    out: PathBuf,

    /// How tensors are stored: a type for matrices or a recipe of quantize.
    #[arg(
        long = "type",
        value_name = "f32|f16|q8_0|q2|q4|mxfp4|FILE.toml",
        default_value = "q8_0"
    )]
    storage: String,

    /// Threads [default: one per core].
    #[arg(long, value_name = "N", value_parser = crate::args::thread_count)]
    threads: Option<usize>,

    /// Replace the model file if it exists.
    #[arg(long)]
    force: bool,
}

/// Converts a checkpoint and says on stderr what became of it.
pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<()> {
    let dir = args.dir.as_path();
    check_output(&args.out, args.force)?;
    let storage = Storage::open(&args.storage)?;
    let config = Config::read(dir)?;
    let checkpoint = Checkpoint::open(dir)?;
    let targets = tensors::targets(&config);
    let kinds = storage.kinds(&targets)?;
    let bound = bind(&checkpoint, &targets, &kinds).map_err(|problems| {
        refusal(&format!("{} is incomplete or damaged", dir.display()), &problems)
    })?;
    let generation = Generation::read(dir)?;
    let (vocabulary, tokenizer_note) = vocabulary::for_checkpoint(dir, config.vocab_size)?;

    let mut header = WriterBuilder::new();
    describe(&mut header, dir, &config, &generation, vocabulary, &bound)
        .and_then(|()| Ok(storage.add_metadata(&mut header, &kinds)?))
        .context("cannot describe the tensors")?;
    let content = Content {
        header,
        tensors: &bound,
        checkpoint: &checkpoint,
        n_experts: config.n_experts,
        n_threads: n_threads(args.threads),
    };
    write::write_file(&args.out, args.force, content)?;

    let mut summary = summary(&args.out, &bound, &checkpoint, &tokenizer_note);
    summary.extend(storage.notes(&targets, &kinds).iter().map(|note| format!("  {note}\n")));
    std::io::stderr().write_all(summary.as_bytes()).context("cannot write to stderr")
}

/// Finds and checks every tensor of the checkpoint that is needed.
fn bind<'a>(
    checkpoint: &'a Checkpoint,
    targets: &'a [Target],
    kinds: &[TensorType],
) -> Result<Vec<Bound<'a>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut bound = Vec::with_capacity(targets.len());
    for (target, &kind) in targets.iter().zip(kinds) {
        let mut sources = Vec::with_capacity(target.sources.len());
        for name in &target.sources {
            match Source::bind(checkpoint, name, &target.shape, target.role) {
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
        }
        bound.push(Bound { target, kind, sources });
    }
    if problems.is_empty() { Ok(bound) } else { Err(problems) }
}

/// Everything that precedes the data: metadata and the list of tensors.
fn describe(
    header: &mut WriterBuilder,
    dir: &Path,
    config: &Config,
    generation: &Generation,
    vocabulary: Option<chat::Vocabulary>,
    bound: &[Bound],
) -> anyhow::Result<()> {
    header.metadata("general.architecture", "deepseek4")?;
    header.metadata("general.type", "model")?;
    // The folder may have been given as `.`, which is no name.
    if let Some(name) = dir.canonicalize()?.file_name() {
        header.metadata("general.name", name.to_string_lossy().into_owned())?;
    }
    header.metadata("general.alignment", gguf::DEFAULT_ALIGNMENT as u32)?;
    generation.add_metadata(header)?;
    config.add_metadata(header)?;
    if let Some(vocabulary) = vocabulary {
        vocabulary::add_metadata(vocabulary, header)?;
    }
    for tensor in bound {
        header.tensor(&tensor.target.name, &tensor.target.dims(), tensor.kind)?;
    }
    Ok(())
}

fn summary(out: &Path, bound: &[Bound], checkpoint: &Checkpoint, tokenizer_note: &str) -> String {
    let n_tensors = bound.len();
    let size = indicatif::DecimalBytes(bound.iter().map(Bound::n_bytes).sum());
    let mut lines = vec![
        format!("{}: {n_tensors} tensors, {size}", out.display()),
        format!("  {tokenizer_note}"),
    ];
    let sources = || bound.iter().flat_map(|tensor| &tensor.target.sources);
    let used: HashSet<&str> = sources().map(String::as_str).collect();
    let scales: HashSet<String> = sources().map(|name| scale_name(name)).collect();
    let left_out =
        checkpoint.names().filter(|name| !used.contains(name) && !scales.contains(*name));
    let (draft, mut unknown): (Vec<&str>, Vec<&str>) =
        left_out.partition(|name| name.starts_with("mtp."));
    if !draft.is_empty() {
        lines.push(format!("  left out: {} tensors of draft blocks (mtp.*)", draft.len()));
    }
    unknown.sort_unstable();
    if let Some(first) = unknown.first() {
        lines.push(format!("  left out: {} unknown tensors ({first:?} first)", unknown.len()));
    }
    lines.join("\n") + "\n"
}

/// An error that lists what is wrong with something.
fn refusal(what: &str, problems: &[String]) -> anyhow::Error {
    let listed = &problems[..problems.len().min(MAX_PROBLEMS_LISTED)];
    let n_more = problems.len() - listed.len();
    let more = if n_more == 0 { String::new() } else { format!("; and {n_more} more") };
    anyhow!("{what}: {}{more}", listed.join("; "))
}
