//! What people see while they wait: progress bars on standard error, and the answer on standard
//! output, reasoning in grey.
//!
//! Bars draw themselves only where standard error is a terminal.

use std::io::{self, IsTerminal as _, StdoutLock, Write as _};

use engine::Section;
use indicatif::{ProgressBar, ProgressStyle};

use crate::env;

const GREY: &str = "\x1b[90m";
const RESET: &str = "\x1b[0m";

/// A bar that counts bytes.
pub(crate) fn bytes_bar(what: &'static str, total: u64) -> ProgressBar {
    bar(what, total, "{msg} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
}

/// A bar that counts tokens.
pub(crate) fn tokens_bar(what: &'static str, total: u64) -> ProgressBar {
    bar(what, total, "{msg} {wide_bar} {pos}/{len} tokens, {eta} left")
}

/// A line of its own that counts what has no end yet.
pub(crate) fn note_spinner(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} ...").expect("the template is valid");
    ProgressBar::new_spinner().with_style(style).with_message(what)
}

/// What may be done to text for the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Color,
}

impl Ink {
    /// What standard error shows.
    pub(crate) fn of_stderr() -> Self {
        let color = io::stderr().is_terminal() && shows_color();
        if color { Self::Color } else { Self::Plain }
    }

    /// Text that is less important.
    pub(crate) fn grey(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Color => format!("{GREY}{text}{RESET}"),
        }
    }
}

/// Whether a terminal may be sent escape codes for colours.
fn shows_color() -> bool {
    !env::no_color() && !env::dumb_terminal()
}

/// A bar that counts files.
pub(crate) fn entries_bar(what: &'static str, total: u64) -> ProgressBar {
    bar(what, total, "{msg} {wide_bar} {pos}/{len} files, {eta} left")
}

fn bar(what: &'static str, total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the templates above are valid");
    ProgressBar::new(total).with_style(style).with_message(what)
}

/// What reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Another program, or a file.
    Program,
    /// A person at a terminal.
    Person,
    /// A person at a terminal that shows colours.
    PersonInColor,
}

/// Writes an answer as it comes.
pub(crate) struct AnswerWriter {
    out: StdoutLock<'static>,
    reader: Reader,
    section: Section,
    /// Whether the terminal was switched to grey.
    grey: bool,
    at_line_start: bool,
}

impl AnswerWriter {
    /// A writer of an answer that begins in `section`.
    pub(crate) fn new(section: Section) -> Self {
        let out = io::stdout().lock();
        let reader = match (out.is_terminal(), shows_color()) {
            (false, _) => Reader::Program,
            (true, false) => Reader::Person,
            (true, true) => Reader::PersonInColor,
        };
        Self { out, reader, section, grey: false, at_line_start: true }
    }

    /// Writes text and lets it be seen.
    pub(crate) fn write(&mut self, section: Section, text: &str) -> io::Result<()> {
        if section != self.section {
            self.end_reasoning()?;
            self.section = section;
        }
        if section == Section::Reasoning && self.reader == Reader::PersonInColor && !self.grey {
            self.out.write_all(GREY.as_bytes())?;
            self.grey = true;
        }
        self.out.write_all(text.as_bytes())?;
        self.at_line_start = text.ends_with('\n');
        self.out.flush()
    }

    /// People see an empty line where the model wrote its tag.
    fn end_reasoning(&mut self) -> io::Result<()> {
        self.end_grey()?;
        let border = if self.reader == Reader::Program { "</think>" } else { "\n\n" };
        self.out.write_all(border.as_bytes())
    }

    fn end_grey(&mut self) -> io::Result<()> {
        if self.grey {
            self.out.write_all(RESET.as_bytes())?;
            self.grey = false;
        }
        Ok(())
    }

    /// Ends the answer: what follows begins on a line of its own.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.end_grey()?;
        if !self.at_line_start {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }
}
