//! What went wrong, in one sentence with a hint, and the exit code that goes with it.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done; also when the reader of the output closed it early |
//! | 1 | failed |
//! | 2 | wrong usage |

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::download::NotHere;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

/// Flags that are each fine but make no command.
#[derive(Debug)]
pub(crate) struct UsageError(pub(crate) &'static str);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UsageError {}

/// Tells the user about an error and returns the exit code.
pub(crate) fn report(error: &anyhow::Error, verbose: bool) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    // Nobody is left to tell if standard error is gone.
    let _ = io::stderr().write_all(message(error, verbose).as_bytes());
    ExitCode::from(if error.is::<UsageError>() { USAGE } else { FAILURE })
}

pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let error = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        error.or_else(|| cause.downcast_ref::<serde_json::Error>()?.io_error_kind())
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// What failed and why, in one line.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

/// The same for an error that stays where it is.
pub(crate) fn cause_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// With `verbose`, every cause has a line of its own.
pub(crate) fn message(error: &anyhow::Error, verbose: bool) -> String {
    let mut lines = Vec::new();
    if verbose {
        lines.push(format!("error: {error}"));
        lines.extend(error.chain().skip(1).map(|cause| format!("  caused by: {cause}")));
    } else {
        lines.push(format!("error: {}", sentence(error)));
    }
    lines.extend(error.chain().find_map(hint).map(|hint| format!("hint: {hint}")));
    lines.join("\n") + "\n"
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    use engine::Error as Engine;

    if let Some(NotHere { name }) = cause.downcast_ref() {
        return Some(format!(
            "ironstar download {name} fetches it; a file of that name is ./{name}"
        ));
    }
    let hint = match cause.downcast_ref::<Engine>()? {
        Engine::EmptyPrompt => "-p TEXT or -f FILE gives a prompt",
        Engine::PromptTooLong { .. } => "--ctx N makes the context larger",
        Engine::Memory { fitting: Some(fitting), .. } => {
            return Some(format!("--ctx {fitting} fits"));
        }
        Engine::NoBackend { .. } | Engine::Device { .. } => "--backend cpu runs on any machine",
        Engine::VocabularySize { .. } => {
            "vocabulary and weights come from different models; convert the model again"
        }
        Engine::VocabularyMetadata { .. } => {
            "the file was written without a tokenizer; `logits` and `inspect` work without"
        }
        _ => return None,
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn the_sentence_has_every_cause() {
        let check = |error: anyhow::Error, short: &str, verbose: &str| {
            assert_eq!(message(&error, false), short);
            assert_eq!(message(&error, true), verbose);
        };
        check(anyhow!("broken"), "error: broken\n", "error: broken\n");
        check(
            Err::<(), _>(anyhow!("c")).context("b").context("a").expect_err("an error"),
            "error: a: b: c\n",
            "error: a\n  caused by: b\n  caused by: c\n",
        );
        check(
            engine::Error::EmptyPrompt.into(),
            "error: the prompt is empty\nhint: -p TEXT or -f FILE gives a prompt\n",
            "error: the prompt is empty\nhint: -p TEXT or -f FILE gives a prompt\n",
        );
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let check = |error: anyhow::Error, expected| assert_eq!(is_broken_pipe(&error), expected);
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        check(closed().into(), true);
        check(Err::<(), _>(closed()).context("writing").expect_err("an error"), true);
        check(serde_json::Error::io(closed()).into(), true);
        check(io::Error::from(io::ErrorKind::NotFound).into(), false);
    }
}
