//! `ironstar convert`: a checkpoint in the released layout (safetensors) to a GGUF file.
//!
//! Reads `config.json`, the safetensors files and, if they are there, `tokenizer.json` and
//! `generation_config.json`. Everything
//! is checked against the configuration before a byte is written, and all problems are reported at
//! once. Then the tensors are streamed, a few rows at a time.
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
mod tensors;
mod vocabulary;
mod write;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use gguf::WriterBuilder;

use crate::files::check_output;

use checkpoint::Checkpoint;
use config::Config;
use generation::Generation;
use source::{Source, scale_name};
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

    /// How matrices are stored; vectors are always f32.
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t = OutputType::Q8_0)]
    output_type: OutputType,

    /// Replace the model file if it exists.
    #[arg(long)]
    force: bool,
}

/// How matrices are stored; the module's head has the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OutputType {
    /// Exact, and large.
    #[value(name = "f32")]
    F32,
    /// Rounded to half precision.
    #[value(name = "f16")]
    F16,
    /// Projections and experts with 8 bits and a scale per 32, other matrices as in f16.
    #[value(name = "q8_0")]
    Q8_0,
}

impl OutputType {
    /// `general.file_type`: ggml's number for files of mostly this type.
    fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
        }
    }
}

/// Converts a checkpoint and says on stderr what became of it.
pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<()> {
    let dir = args.dir.as_path();
    check_output(&args.out, args.force)?;
    let config = Config::read(dir)?;
    let checkpoint = Checkpoint::open(dir)?;
    let targets = tensors::targets(&config);
    let bound = bind(&checkpoint, &targets, args.output_type).map_err(|problems| {
        refusal(&format!("{} is incomplete or damaged", dir.display()), &problems)
    })?;
    let generation = Generation::read(dir)?;
    let (vocabulary, tokenizer_note) = vocabulary::for_checkpoint(dir, config.vocab_size)?;

    let mut header = WriterBuilder::new();
    describe(&mut header, dir, args.output_type, &config, &generation, vocabulary, &bound)
        .context("cannot describe the tensors")?;
    let n_experts = config.n_experts;
    let content = Content { header, tensors: &bound, checkpoint: &checkpoint, n_experts };
    write::write_file(&args.out, args.force, content)?;

    let summary = summary(&args.out, &bound, &checkpoint, &tokenizer_note);
    std::io::stderr().write_all(summary.as_bytes()).context("cannot write to stderr")
}

/// Finds and checks every tensor of the checkpoint that is needed.
fn bind<'a>(
    checkpoint: &'a Checkpoint,
    targets: &'a [Target],
    output_type: OutputType,
) -> Result<Vec<Bound<'a>>, Vec<String>> {
    let mut problems = Vec::new();
    let mut bound = Vec::with_capacity(targets.len());
    for target in targets {
        let mut sources = Vec::with_capacity(target.sources.len());
        for name in &target.sources {
            match Source::bind(checkpoint, name, &target.shape, target.role) {
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
        }
        let kind = target.role.stored_as(output_type, target.columns());
        bound.push(Bound { target, kind, sources });
    }
    if problems.is_empty() { Ok(bound) } else { Err(problems) }
}

/// Everything that precedes the data: metadata and the list of tensors.
fn describe(
    header: &mut WriterBuilder,
    dir: &Path,
    output_type: OutputType,
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
    header.metadata("general.file_type", output_type.file_type())?;
    if output_type == OutputType::Q8_0 {
        header.metadata("general.quantization_version", 2_u32)?;
    }
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
