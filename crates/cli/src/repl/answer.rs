//! Shows a turn while it happens, and remembers what was said.

use std::io::{self, Write as _};
use std::time::Instant;

use anyhow::{Context as _, Result};
use chat::OutputStart;
use engine::{CancelToken, Event, Section};
use indicatif::ProgressBar;

use crate::terminal::{AnswerWriter, Ink, note_spinner, tokens_bar};

/// Whether reasoning is shown as it comes, or as a line that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reasoning {
    Shown,
    Folded,
}

/// One answer on its way.
pub(super) struct Answer {
    writer: AnswerWriter,
    reasoning_shown: Reasoning,
    bar: Option<ProgressBar>,
    thinking: Option<(ProgressBar, Instant)>,
    /// Raised when nobody reads the answer any more.
    cancel: CancelToken,
    result: io::Result<()>,
    pub(super) reasoning: String,
    pub(super) content: String,
}

impl Answer {
    pub(super) fn new(start: OutputStart, shown: Reasoning, cancel: CancelToken) -> Self {
        let section = match (start, shown) {
            (OutputStart::Reasoning, Reasoning::Shown) => Section::Reasoning,
            _ => Section::Content,
        };
        Self {
            writer: AnswerWriter::new(section),
            reasoning_shown: shown,
            bar: None,
            thinking: None,
            cancel,
            result: Ok(()),
            reasoning: String::new(),
            content: String::new(),
        }
    }

    pub(super) fn on_event(&mut self, event: Event<'_>) {
        match event {
            Event::Prefill { done, total } => self.on_prefill(done, total),
            Event::Text { section, text } => {
                let said = match section {
                    Section::Reasoning => &mut self.reasoning,
                    Section::Content => &mut self.content,
                };
                said.push_str(text);
                if self.result.is_ok() {
                    self.result = self.show(section, text);
                }
                if self.result.is_err() {
                    self.cancel.cancel();
                }
            }
        }
    }

    fn on_prefill(&mut self, done: usize, total: usize) {
        let bar = self.bar.get_or_insert_with(|| tokens_bar("reading", total as u64));
        bar.set_position(done as u64);
        if done == total {
            bar.finish_and_clear();
        }
    }

    fn show(&mut self, section: Section, text: &str) -> io::Result<()> {
        if section == Section::Reasoning && self.reasoning_shown == Reasoning::Folded {
            let start = || (note_spinner("thinking"), Instant::now());
            let (spinner, _) = self.thinking.get_or_insert_with(start);
            spinner.set_message(format!("thinking, {} words", words(&self.reasoning)));
            spinner.tick();
            return Ok(());
        }
        self.end_thinking()?;
        self.writer.write(section, text)
    }

    /// Leaves one line where folded reasoning was.
    fn end_thinking(&mut self) -> io::Result<()> {
        let Some((spinner, start)) = self.thinking.take() else { return Ok(()) };
        spinner.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        let note = format!(
            "[thought {} words in {seconds:.1} s; /thoughts shows them]",
            words(&self.reasoning)
        );
        writeln!(io::stderr(), "{}", Ink::of_stderr().grey(&note))
    }

    /// Ends the output; what was said stays readable.
    pub(super) fn finish(mut self) -> Result<(String, String)> {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let folded = self.end_thinking();
        self.result
            .and(folded)
            .and_then(|()| self.writer.finish())
            .context("cannot write the answer")?;
        Ok((self.reasoning, self.content))
    }
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}
