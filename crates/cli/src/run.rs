//! `run`: one prompt, one answer.

use std::io::{self, Write as _};
use std::process;

use anyhow::{Context as _, Result};
use chat::{OutputStart, Tokenizer, render_chat};
use engine::{
    CancelToken, Event, GenerateOptions, Inference, LoadOptions, Machine, ModelFile, Section,
    Session, Statistics, StopReason, Turn, default_context, generate,
};
use indicatif::{HumanBytes, ProgressBar};

use crate::args::RunArgs;
use crate::disk::DiskRate;
use crate::models;
use crate::settings::RunSettings;
use crate::terminal::{AnswerWriter, bytes_bar, tokens_bar};

/// How the template begins; a prompt that begins so has been rendered already.
const BOS: &str = "<｜begin▁of▁sentence｜>";
const THINK_START: &str = "<think>";

pub(crate) fn run(args: &RunArgs) -> Result<()> {
    let file = models::open_or_default(args.model.as_deref())?;
    let settings = RunSettings::resolve(args, file.sampling()?)?;
    let geometry = file.geometry()?;
    let tokenizer = file.tokenizer()?;
    let (prompt, start) = render(&settings, &file, &tokenizer)?;
    let cancel = cancel_on_interrupt()?;
    let context = settings.context.unwrap_or_else(|| default_context(&geometry));
    if let Some(machine) = Machine::now() {
        file.plan_memory(&settings.load, context, 1, &machine)?;
    }
    let mut model = load(&file, &settings.load)?;
    let mut session = Session::open(model.as_mut(), context)?;
    let options = GenerateOptions {
        sampling: settings.sampling,
        stop: Vec::new(),
        max_tokens: settings.max_tokens,
        start,
    };
    let mut answer = Answer::new(start, cancel.clone());
    let disk = DiskRate::start();
    let turn = generate(
        model.as_mut(),
        &tokenizer,
        &mut session,
        &prompt,
        &options,
        &cancel,
        &mut |event| answer.on_event(event),
    )?;
    answer.finish()?;
    writeln!(io::stderr(), "{}{}", summary(&turn), disk.note())
        .context("cannot write to standard error")
}

/// Loads a model behind a progress bar, with a word on files that memory does not hold.
pub(crate) fn load(file: &ModelFile, options: &LoadOptions) -> Result<Box<dyn Inference>> {
    let mut options = *options;
    if let Some(machine) = Machine::now()
        && file.file_bytes() > machine.available_bytes
    {
        options.readahead = true;
        let (file, free) = (HumanBytes(file.file_bytes()), HumanBytes(machine.available_bytes));
        writeln!(
            io::stderr(),
            "the model has {file} and {free} of memory are free: what does not fit is read from the \
             disk again for every token"
        )
        .context("cannot write to standard error")?;
    }
    let options = &options;
    let bar = bytes_bar("loading", file.tensor_bytes());
    let model = file.load(options, &mut |done| bar.set_position(done));
    bar.finish_and_clear();
    Ok(model?)
}

/// The prompt's tokens, and where they leave the model.
fn render(
    settings: &RunSettings,
    file: &ModelFile,
    tokenizer: &Tokenizer,
) -> Result<(Vec<u32>, OutputStart)> {
    if settings.prompt.starts_with(BOS) {
        let reasons = settings.prompt.ends_with(THINK_START);
        let start = if reasons { OutputStart::Reasoning } else { OutputStart::Content };
        return Ok((tokenizer.encode(&settings.prompt), start));
    }
    let dialect = settings.dialect.unwrap_or_else(|| file.dialect().0);
    let system = settings.system.as_deref();
    let prompt = render_chat(dialect, system, &settings.prompt, settings.thinking)?;
    let start = match settings.thinking {
        chat::Thinking::Off => OutputStart::Content,
        chat::Thinking::On(_) => OutputStart::Reasoning,
    };
    Ok((prompt.encode(tokenizer)?, start))
}

/// The first Ctrl-C ends the answer after the step that is running, the second the program.
pub(crate) fn cancel_on_interrupt() -> Result<CancelToken> {
    let cancel = CancelToken::new();
    let handler = cancel.clone();
    ctrlc::set_handler(move || {
        if handler.is_cancelled() {
            process::exit(1);
        }
        handler.cancel();
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(cancel)
}

/// Shows a turn while it happens.
struct Answer {
    writer: AnswerWriter,
    bar: Option<ProgressBar>,
    /// Raised when nobody reads the answer any more.
    cancel: CancelToken,
    result: io::Result<()>,
}

impl Answer {
    fn new(start: OutputStart, cancel: CancelToken) -> Self {
        let section = match start {
            OutputStart::Reasoning => Section::Reasoning,
            OutputStart::Content => Section::Content,
        };
        Self { writer: AnswerWriter::new(section), bar: None, cancel, result: Ok(()) }
    }

    fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::Prefill { done, total } => {
                let bar = self.bar.get_or_insert_with(|| tokens_bar("reading", total as u64));
                bar.set_position(done as u64);
                if done == total {
                    bar.finish_and_clear();
                }
            }
            Event::Text { section, text } => {
                if self.result.is_ok() {
                    self.result = self.writer.write(section, text);
                }
                if self.result.is_err() {
                    self.cancel.cancel();
                }
            }
        }
    }

    fn finish(self) -> Result<()> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.result.and_then(|()| self.writer.finish()).context("cannot write the answer")
    }
}

/// The one line of statistics.
fn summary(turn: &Turn) -> String {
    let Statistics { prefill_tokens, generated_tokens, .. } = turn.statistics;
    let prefill = rate(turn.statistics.prefill_tokens_per_second());
    let decode = rate(turn.statistics.decode_tokens_per_second());
    let bandwidth = rate(turn.statistics.decode_gb_per_second());
    let end = match turn.reason {
        StopReason::EndOfTurn | StopReason::StopString => "",
        StopReason::MaxTokens => "; stopped by -n",
        StopReason::ContextFull => "; stopped by --ctx",
        StopReason::Cancelled => "; cancelled",
    };
    format!(
        "prompt {prefill_tokens} tokens, {prefill} tok/s; generated {generated_tokens} tokens, \
         {decode} tok/s, {bandwidth} GB/s{end}"
    )
}

/// A rate of three digits or more; `-` where nothing was measured.
fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate < 1.0 => format!("{rate:.2}"),
        Some(rate) => format!("{rate:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_one_line() {
        let check = |reason, statistics, expected: &str| {
            assert_eq!(summary(&Turn { tokens: Vec::new(), reason, statistics }), expected);
        };
        let statistics = Statistics {
            prefill_tokens: 12,
            prefill_seconds: 0.5,
            generated_tokens: 16,
            decode_steps: 15,
            decode_seconds: 2.0,
            bytes_per_token: 9_200_000_000,
        };
        check(
            StopReason::EndOfTurn,
            statistics,
            "prompt 12 tokens, 24.0 tok/s; generated 16 tokens, 7.5 tok/s, 69.0 GB/s",
        );
        check(
            StopReason::MaxTokens,
            Statistics { decode_steps: 1, ..statistics },
            "prompt 12 tokens, 24.0 tok/s; generated 16 tokens, 0.50 tok/s, 4.6 GB/s; stopped by -n",
        );
        check(
            StopReason::Cancelled,
            Statistics::default(),
            "prompt 0 tokens, - tok/s; generated 0 tokens, - tok/s, - GB/s; cancelled",
        );
    }
}
