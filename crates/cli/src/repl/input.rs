//! Where lines come from: an editor on a terminal, plain reading anywhere else.
//!
//! The editor keeps a history, takes pasted text with its line ends as one message, and goes on to
//! another line after Alt-Enter or a backslash. Plain reading writes no escape codes: it is for
//! pipes and for terminals that say they are dumb.

use std::borrow::Cow;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use reedline::{
    ColumnarMenu, DefaultCompleter, EditCommand, Emacs, FileBackedHistory, KeyCode, KeyModifiers,
    MenuBuilder as _, Prompt, PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent,
    ReedlineMenu, Signal, ValidationResult, Validator, default_emacs_keybindings,
};

use super::command::COMMANDS;
use crate::env;

const N_HISTORY: usize = 1000;
const MENU: &str = "commands";
/// A message of more bytes would not fit a million tokens.
const MAX_MESSAGE_BYTES: u64 = 1 << 26;

/// Reads messages.
pub(super) enum Input {
    Editor(Box<Reedline>),
    /// Whether a person reads, who wants a prompt.
    Plain {
        person: bool,
    },
}

impl Input {
    /// `history` is the editor's file.
    pub(super) fn open(history: &Path) -> Result<Self> {
        let person = io::stdin().is_terminal();
        if !person || !io::stdout().is_terminal() || env::dumb_terminal() {
            return Ok(Self::Plain { person });
        }
        Ok(Self::Editor(Box::new(editor(history)?)))
    }

    /// Whether nobody watches: messages come from a pipe or a file.
    pub(super) fn is_piped(&self) -> bool {
        matches!(self, Self::Plain { person: false })
    }

    /// The next message; `None` at the end.
    pub(super) fn read(&mut self) -> Result<Option<String>> {
        match self {
            Self::Editor(editor) => edit(editor),
            Self::Plain { person } => read_plain(*person),
        }
    }
}

fn editor(history: &Path) -> Result<Reedline> {
    let history = FileBackedHistory::with_file(N_HISTORY, history.to_owned())
        .with_context(|| format!("cannot use the history {}", history.display()))?;
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::ALT,
        KeyCode::Enter,
        ReedlineEvent::Edit(vec![EditCommand::InsertNewline]),
    );
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![
            ReedlineEvent::Menu(MENU.to_owned()),
            ReedlineEvent::MenuNext,
        ]),
    );
    let mut completer = DefaultCompleter::with_inclusions(&['/']).set_min_word_len(2);
    completer.insert(COMMANDS.iter().map(|(name, ..)| (*name).to_owned()).collect());
    let menu = ReedlineMenu::EngineCompleter(Box::new(ColumnarMenu::default().with_name(MENU)));
    Ok(Reedline::create()
        .with_history(Box::new(history))
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_completer(Box::new(completer))
        .with_menu(menu)
        .with_quick_completions(true)
        .with_validator(Box::new(Backslash))
        .with_ansi_colors(!env::no_color())
        .use_bracketed_paste(true))
}

fn edit(editor: &mut Reedline) -> Result<Option<String>> {
    loop {
        match editor.read_line(&Mark).context("cannot read from the terminal")? {
            Signal::Success(text) => return Ok(Some(join_lines(&text))),
            Signal::CtrlD => return Ok(None),
            // The line is cleared.
            _ => {}
        }
    }
}

fn read_plain(person: bool) -> Result<Option<String>> {
    let mut message = Vec::new();
    loop {
        if person {
            let mut out = io::stdout();
            out.write_all(if message.is_empty() { b"> " } else { b". " })?;
            out.flush()?;
        }
        let n_before = message.len();
        let room = MAX_MESSAGE_BYTES - n_before as u64;
        let read = io::stdin().lock().take(room).read_until(b'\n', &mut message);
        read.context("cannot read standard input")?;
        if message.len() as u64 == MAX_MESSAGE_BYTES {
            bail!("a message on standard input is absurdly long");
        }
        let ended = message.len() == n_before;
        if ended && message.is_empty() {
            return Ok(None);
        }
        if ended || !message.ends_with(b"\\\n") {
            break;
        }
    }
    let text = String::from_utf8(message).context("a message is not UTF-8 text")?;
    Ok(Some(join_lines(text.trim_end_matches(['\n', '\r']))))
}

/// A backslash in front of a line's end only says that the message goes on.
fn join_lines(text: &str) -> String {
    text.replace("\\\n", "\n")
}

/// Lets Enter go on to another line after a backslash.
struct Backslash;

impl Validator for Backslash {
    fn validate(&self, line: &str) -> ValidationResult {
        if line.ends_with('\\') { ValidationResult::Incomplete } else { ValidationResult::Complete }
    }
}

/// What stands in front of a message.
struct Mark;

impl Prompt for Mark {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed(". ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(history: {}) ", search.term))
    }
}
