//! What the program needs: arguments resolved against each other and against the machine.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use chat::{Dialect, Thinking, Tokenizer};
use engine::{Error, LoadOptions, SampleParams};

use crate::args::{BackendArgs, RunArgs, SamplingArgs, TokenizerArgs};
use crate::models;
use crate::report::UsageError;

/// Everything `run` needs to know.
#[derive(Debug)]
pub(crate) struct RunSettings {
    pub(crate) prompt: String,
    pub(crate) system: Option<String>,
    pub(crate) thinking: Thinking,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) context: Option<usize>,
    pub(crate) max_tokens: usize,
    pub(crate) sampling: SampleParams,
    pub(crate) load: LoadOptions,
}

impl RunSettings {
    /// `defaults` is what the model file says about sampling.
    pub(crate) fn resolve(args: &RunArgs, defaults: SampleParams) -> Result<Self> {
        let sampling = sampling(&args.sampling, defaults);
        sampling.check()?;
        let prompt = prompt(args)?;
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt.into());
        }
        let effort = args.effort.unwrap_or_default();
        Ok(Self {
            prompt,
            system: args.system.clone().filter(|text| !text.is_empty()),
            thinking: if args.nothink { Thinking::Off } else { Thinking::On(effort) },
            dialect: args.prompt_format,
            context: args.ctx,
            max_tokens: args.n.unwrap_or(usize::MAX),
            sampling,
            load: load_options(&args.backend),
        })
    }
}

pub(crate) fn load_options(args: &BackendArgs) -> LoadOptions {
    LoadOptions { backend: args.backend.into(), n_threads: args.threads, ..LoadOptions::default() }
}

pub(crate) fn sampling(args: &SamplingArgs, default: SampleParams) -> SampleParams {
    SampleParams {
        temperature: args.temp.unwrap_or(default.temperature),
        top_k: args.top_k.unwrap_or(default.top_k),
        top_p: args.top_p.unwrap_or(default.top_p),
        min_p: args.min_p.unwrap_or(default.min_p),
        seed: args.seed.unwrap_or_else(seed_of_the_moment),
    }
}

fn seed_of_the_moment() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_nanos() as u64
}

fn prompt(args: &RunArgs) -> Result<String> {
    match (args.positional_prompt.as_ref().or(args.prompt.as_ref()), &args.file) {
        (Some(text), _) => Ok(text.clone()),
        (None, Some(file)) if file == Path::new("-") => stdin_text(),
        (None, Some(file)) => fs::read_to_string(file)
            .with_context(|| format!("cannot read the prompt {}", file.display())),
        (None, None) => Err(UsageError("no prompt is given; -p TEXT or -f FILE gives one").into()),
    }
}

/// Standard input as text.
pub(crate) fn stdin_text() -> Result<String> {
    String::from_utf8(stdin_bytes()?).context("standard input is not UTF-8 text")
}

/// Standard input as it is.
pub(crate) fn stdin_bytes() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

/// A vocabulary, and the dialect that its file speaks if it is a model file.
pub(crate) fn open_tokenizer(args: &TokenizerArgs) -> Result<(Tokenizer, Option<Dialect>)> {
    if let Some(path) = &args.tokenizer {
        return Ok((Tokenizer::from_file(path)?, None));
    }
    let path = args.model.as_ref().ok_or(UsageError("-m MODEL or --tokenizer FILE is needed"))?;
    let file = models::open(path)?;
    Ok((file.tokenizer()?, Some(file.dialect().0)))
}
