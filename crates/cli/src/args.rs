//! What was typed: the command line as clap reads it, each flag checked alone.
//!
//! The comments here are the program's `--help`.

use std::path::PathBuf;

use chat::{Api, Dialect, Effort};
use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::BackendChoice;

use crate::bench::BenchArgs;
use crate::cache::CacheArgs;
use crate::config::ConfigArgs;
use crate::convert::ConvertArgs;
use crate::doctor::DoctorArgs;
use crate::download::{DownloadArgs, ModelsArgs};
use crate::quantize::QuantizeArgs;
use crate::repl::{ChatArgs, tokens};
use crate::serve::ServeArgs;
use crate::setup::SetupArgs;
use crate::shell::{CompletionsArgs, ManArgs};

/// DeepSeek V4 Flash inference: a private coding-agent backend in one binary.
#[derive(Debug, Parser)]
#[command(name = "ironstar", version, about)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Show each cause of an error on a line of its own.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer one prompt.
    ///
    /// Streams the answer to standard output, and ends with one line of statistics on standard
    /// error. Reasoning comes before the answer: grey on a terminal; as the model writes it, up to
    /// `</think>`, where the output goes elsewhere. Ctrl-C ends the answer.
    Run(RunArgs),
    /// Talk with the model.
    ///
    /// Lines on a terminal are edited, with a history; from a pipe, each line is a message. /help
    /// lists the commands. Conversations are kept and found again.
    Chat(ChatArgs),
    /// Serve the OpenAI and Anthropic APIs over HTTP.
    ///
    /// Ends with Ctrl-C. Streams begin at once and show signs of life while a prompt is read.
    Serve(ServeArgs),
    /// Show what a model file is and what it costs to run.
    Inspect(InspectArgs),
    /// Turn text on standard input into token ids.
    ///
    /// Writes a JSON array of ids. No BOS is added.
    Tokenize(TokenizeArgs),
    /// Turn token ids on standard input, a JSON array, into bytes.
    Detokenize(DetokenizeArgs),
    /// Turn an API request body on standard input into the prompt it makes.
    ///
    /// Writes JSON: `prompt` (text), `tokens` (ids) and `sampling` (the resolved parameters).
    Render(RenderArgs),
    /// Write the logits of given tokens.
    ///
    /// Writes little-endian f32, one row of the vocabulary's length for each token.
    Logits(LogitsArgs),
    /// Turn a checkpoint in DeepSeek's released layout into a model file.
    Convert(ConvertArgs),
    /// Measure speed by length of context.
    ///
    /// Prefills to each context, decodes there, and goes on to the next; ends with a table on
    /// standard output.
    Bench(BenchArgs),
    /// Check this machine: what it has, what fits, and whether its results are right.
    ///
    /// Measures how fast processor and graphics device read memory, and holds every op on both against
    /// its plain definition. Fails if a result is off.
    Doctor(DoctorArgs),
    /// Fetch a published model file.
    ///
    /// Goes on where it was stopped, and checks the whole by its SHA-256. Files lie in the Hugging
    /// Face Hub's cache folder. `-m NAME` then runs it.
    Download(DownloadArgs),
    /// Show or delete downloaded model files.
    Models(ModelsArgs),
    /// Show how to point a coding agent at the server, or do it.
    Setup(SetupArgs),
    /// Check the configuration file.
    Config(ConfigArgs),
    /// Write a script that completes commands and flags, for a shell.
    Completions(CompletionsArgs),
    /// Write manual pages.
    Man(ManArgs),
    /// Store the weights of a model file in other types.
    Quantize(QuantizeArgs),
    /// Measure with a text which weights of a model matter, for quantize.
    ///
    /// Writes an importance matrix in llama.cpp's GGUF format, and says how well the model predicts
    /// the text. Control tokens in the text count as such.
    Imatrix(ImatrixArgs),
    /// Look at conversations that are kept on disk, and tend them.
    Cache(CacheArgs),
}

/// Where a vocabulary comes from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct TokenizerArgs {
    /// Model file whose vocabulary is used, or `tiny`.
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,

    /// Hugging Face tokenizer.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
}

/// What runs the model.
#[derive(Debug, Args)]
pub(crate) struct BackendArgs {
    /// What computes; auto takes the fastest.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) backend: Backend,

    /// Threads of the cpu backend [default: one per core].
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub(crate) threads: Option<usize>,
}

/// The backends by name.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Backend {
    #[default]
    Auto,
    Reference,
    Cpu,
    Gpu,
}

impl From<Backend> for BackendChoice {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Auto => Self::Auto,
            Backend::Reference => Self::Reference,
            Backend::Cpu => Self::Cpu,
            Backend::Gpu => Self::Gpu,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The prompt. One that begins with the BOS token is taken as already rendered.
    #[arg(value_name = "PROMPT", conflicts_with_all = ["prompt", "file"])]
    pub(crate) positional_prompt: Option<String>,

    /// Model file (GGUF); the default is `tiny`, which is built in.
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,

    /// The prompt.
    #[arg(short, long, value_name = "TEXT", conflicts_with = "file")]
    pub(crate) prompt: Option<String>,

    /// File that holds the prompt; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// System text in front of the prompt.
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,

    /// Reason before answering, with high effort; this is the default.
    #[arg(long, conflicts_with = "nothink")]
    pub(crate) think: bool,

    /// Answer at once.
    #[arg(long, conflicts_with = "effort")]
    pub(crate) nothink: bool,

    /// How hard to reason: low, high or max.
    #[arg(long, value_name = "E")]
    pub(crate) effort: Option<Effort>,

    /// Prompt format, 0731 or preview [default: what the file says].
    #[arg(long, value_name = "FORMAT")]
    pub(crate) prompt_format: Option<Dialect>,

    /// Context in tokens, such as 65536 or 64k, prompt and answer together [default: 32768].
    #[arg(long, value_name = "N", value_parser = tokens)]
    pub(crate) ctx: Option<usize>,

    /// Most tokens to generate [default: what fits the context].
    #[arg(short, value_name = "N")]
    pub(crate) n: Option<usize>,

    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,

    #[command(flatten)]
    pub(crate) backend: BackendArgs,
}

/// How tokens are drawn.
#[derive(Debug, Args)]
pub(crate) struct SamplingArgs {
    /// Temperature; 0 always takes the most probable token [default: 1].
    #[arg(long, value_name = "T")]
    pub(crate) temp: Option<f32>,

    /// Draw from the most probable tokens that together have this probability [default: 1].
    #[arg(long, value_name = "P")]
    pub(crate) top_p: Option<f32>,

    /// Draw from this many of the most probable tokens; 0 is all [default: 0].
    #[arg(long, value_name = "K")]
    pub(crate) top_k: Option<usize>,

    /// Draw from tokens at least this probable relative to the best one [default: 0.05].
    #[arg(long, value_name = "P")]
    pub(crate) min_p: Option<f32>,

    /// Seed; the same seed gives the same answer [default: the time].
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Model file (GGUF), or `tiny`, which is built in.
    pub(crate) model: PathBuf,

    /// Write JSON.
    #[arg(long)]
    pub(crate) json: bool,

    /// Context in tokens that memory is planned for, such as 65536 or 64k [default: 32768].
    #[arg(long, value_name = "N", value_parser = tokens)]
    pub(crate) ctx: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenizeArgs {
    #[command(flatten)]
    pub(crate) tokenizer: TokenizerArgs,

    /// Take control tokens such as `<think>` for ordinary text.
    #[arg(long)]
    pub(crate) plain: bool,

    /// Write `{"tokens": [ids], "pieces": [texts]}`; a piece shows � for part of a character.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DetokenizeArgs {
    #[command(flatten)]
    pub(crate) tokenizer: TokenizerArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RenderArgs {
    /// Which API the body is for: chat, messages or responses.
    #[arg(long)]
    pub(crate) api: Api,

    #[command(flatten)]
    pub(crate) tokenizer: TokenizerArgs,

    /// Prompt format, 0731 or preview [default: what the model file says, else 0731].
    #[arg(long, value_name = "FORMAT")]
    pub(crate) prompt_format: Option<Dialect>,
}

#[derive(Debug, Args)]
pub(crate) struct LogitsArgs {
    /// Model file (GGUF), or `tiny`, which is built in.
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// Token ids, a JSON array.
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: PathBuf,

    /// Where the logits go.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(crate) backend: BackendArgs,

    /// Tokens that are run at once [default: 512].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) chunk: Option<usize>,

    /// Write only the last token's row.
    #[arg(long)]
    pub(crate) last: bool,

    /// Leave out the FP8, FP4 and Hadamard steps of the KV cache, to compare with implementations
    /// that do not have them.
    #[arg(long)]
    pub(crate) no_kv_rounding: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImatrixArgs {
    /// Model file (GGUF).
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// Text to run.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) file: PathBuf,

    /// Importance matrix to write.
    #[arg(short, long, value_name = "OUT")]
    pub(crate) out: PathBuf,

    /// Tokens of a chunk; each begins with BOS and knows nothing of the others [default: 512].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) ctx: Option<usize>,

    /// Run the first N chunks [default: all].
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) chunks: Option<usize>,

    #[command(flatten)]
    pub(crate) backend: BackendArgs,

    /// Replace the importance matrix if it exists.
    #[arg(long)]
    pub(crate) force: bool,
}

pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it is not a whole number".to_owned()),
    }
}

/// More threads than any machine has would only be refused by the operating system.
pub(crate) fn thread_count(text: &str) -> Result<usize, String> {
    let n_threads = positive(text)?;
    if n_threads > 1024 { Err("it must be at most 1024".to_owned()) } else { Ok(n_threads) }
}

#[cfg(test)]
#[path = "../tests/commands/fences.rs"]
mod fences;

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, fences};

    #[test]
    fn flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    /// Those that no test can run are at least understood.
    #[test]
    fn commands_in_documents_are_understood() {
        let (mut n_calls, mut n_parsed_only) = (0, 0);
        for page in fences::pages() {
            for block in fences::blocks(&page).iter().filter(|block| block.language == "sh") {
                for words in fences::calls(block) {
                    let line = std::iter::once("ironstar".to_owned()).chain(words);
                    let parsed = Cli::try_parse_from(line);
                    let place = format!("{}:{}", page.display(), block.line);
                    assert!(parsed.is_ok(), "{place}: {}", parsed.expect_err("it is no call"));
                    n_calls += 1;
                }
                n_parsed_only += usize::from(block.trial == fences::Trial::Parse);
            }
        }
        assert!(n_calls > 30 && n_parsed_only > 0, "{n_calls} calls, {n_parsed_only} blocks");
    }
}
