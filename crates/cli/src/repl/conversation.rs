//! A conversation as text: what both sides said, and the file that keeps it.
//!
//! Files are JSON, described in `FORMATS.md`. The tokens of an answer are kept beside its text,
//! because the KV of a conversation goes on only behind the tokens that are in it; they are used
//! only where they still spell the text.
//!
//! Refuses: KV, models.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use chat::{Exchange, Thinking};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "ironstar conversation";
const VERSION: u32 = 1;

/// Everything that was said, and how the next turn is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conversation {
    /// Always [`FORMAT`].
    format: String,
    /// Of this format.
    version: u32,
    pub(super) name: String,
    /// Seconds since 1970.
    created: u64,
    pub(super) changed: u64,
    pub(super) system: Option<String>,
    /// `off`, or the effort.
    thinking: String,
    pub(super) turns: Vec<Turn>,
}

/// A message and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) user: String,
    pub(super) reasoning: String,
    pub(super) answer: String,
    /// The answer as the model wrote it, without reasoning; empty where it is not known.
    #[serde(default)]
    pub(super) answer_tokens: Vec<u32>,
    /// Whether the model ended the answer, rather than the user or a limit.
    pub(super) finished: bool,
}

impl Conversation {
    pub(super) fn new(name: String, system: Option<String>, thinking: Thinking) -> Self {
        let now = now();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            name,
            created: now,
            changed: now,
            system,
            thinking: thinking_name(thinking),
            turns: Vec::new(),
        }
    }

    /// Reads a file's text.
    pub(super) fn from_json(text: &str) -> Result<Self> {
        /// What all versions have in common.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        const NO_CONVERSATION: &str = "it is not a conversation of ironstar";
        let head: Head = serde_json::from_str(text).context(NO_CONVERSATION)?;
        ensure!(head.format == FORMAT, "{NO_CONVERSATION}, but of format {:?}", head.format);
        if head.version != VERSION {
            let version = head.version;
            bail!("it has version {version} of the format; this program knows {VERSION}");
        }
        let conversation: Self = serde_json::from_str(text).context(NO_CONVERSATION)?;
        conversation.thinking()?;
        Ok(conversation)
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data can be written") + "\n"
    }

    pub(super) fn thinking(&self) -> Result<Thinking> {
        if self.thinking == "off" {
            return Ok(Thinking::Off);
        }
        Ok(Thinking::On(self.thinking.parse()?))
    }

    pub(super) fn set_thinking(&mut self, thinking: Thinking) {
        self.thinking = thinking_name(thinking);
    }

    /// What was said, as the prompt wants it.
    pub(super) fn exchanges<'a>(&'a self) -> Vec<Exchange<'a>> {
        let exchange =
            |Turn { user, reasoning, answer, .. }: &'a Turn| Exchange { user, reasoning, answer };
        self.turns.iter().map(exchange).collect()
    }

    /// Notes that something changed just now.
    pub(super) fn touch(&mut self) {
        self.changed = now();
    }

    /// What to call a conversation that begins with this message.
    pub(super) fn name_for(message: &str) -> String {
        const N_WORDS: usize = 5;
        const MAX_CHARS: usize = 40;
        let words = message.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
        let name: Vec<_> = words.take(N_WORDS).map(str::to_ascii_lowercase).collect();
        let name: String = name.join("-").chars().take(MAX_CHARS).collect();
        if name.is_empty() { "conversation".to_owned() } else { name }
    }
}

/// Refuses names that are no file names everywhere.
pub(super) fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    ensure!(
        !name.is_empty()
            && name.len() <= 100
            && name.chars().all(is_plain)
            && !name.starts_with('.'),
        "{name:?} cannot be a name; use letters, digits, spaces, `-`, `_` and `.`"
    );
    Ok(())
}

fn thinking_name(thinking: Thinking) -> String {
    match thinking {
        Thinking::Off => "off".to_owned(),
        Thinking::On(effort) => effort.to_string(),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use chat::Effort;

    use super::*;

    #[test]
    fn files_hold_everything() {
        let thinking = Thinking::On(Effort::Max);
        let mut conversation =
            Conversation::new("a".to_owned(), Some("Be brief.".to_owned()), thinking);
        conversation.turns.push(Turn {
            user: "\u{1f980} \"quoted\"\n".to_owned(),
            reasoning: "r".to_owned(),
            answer: "b".to_owned(),
            answer_tokens: vec![1, 2],
            finished: false,
        });
        let read = Conversation::from_json(&conversation.to_json()).expect("its own file");
        assert_eq!(read, conversation);
        assert_eq!(read.thinking().expect("it was written"), thinking);
    }

    #[test]
    fn other_files_are_refused_by_what_they_are() {
        let check = |text: &str, expected: &str| {
            let error = Conversation::from_json(text).expect_err("it is something else");
            assert_eq!(error.to_string(), expected);
        };
        check("{}", "it is not a conversation of ironstar");
        check("hello", "it is not a conversation of ironstar");
        check(
            r#"{"format":"letters","version":1}"#,
            r#"it is not a conversation of ironstar, but of format "letters""#,
        );
        check(
            r#"{"format":"ironstar conversation","version":2}"#,
            "it has version 2 of the format; this program knows 1",
        );
    }

    #[test]
    fn names_come_from_the_first_message() {
        let check = |message, expected| assert_eq!(Conversation::name_for(message), expected);
        check("How do I start the server?", "how-do-i-start-the");
        check("\u{4f60}\u{597d}", "conversation");
        assert!(check_name("two words-3.x").is_ok());
        for bad in ["", "../a", "a/b", ".hidden", "a\nb"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
