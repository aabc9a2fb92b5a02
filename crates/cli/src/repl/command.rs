//! What a line means: a message to the model, or one of the commands that begin with a slash.
//!
//! Commands are single words of letters, so that a pasted path such as `/usr/lib` is a message. A
//! space in front makes a message of anything.

use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use chat::Effort;

/// One line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Say(String),
    Help,
    Think,
    NoThink,
    Effort(Effort),
    Context(usize),
    Read(String),
    Save(Option<String>),
    Load(String),
    List,
    Switch(String),
    New(Option<String>),
    Undo,
    Retry,
    Fold,
    Thoughts,
    Stats,
    Quit,
}

/// Every command with what follows it and what it does, in the order of `/help`.
pub(super) const COMMANDS: [(&str, &str, &str); 18] = [
    ("/help", "", "this list"),
    ("/think", "", "reason before answering"),
    ("/nothink", "", "answer at once"),
    ("/effort", "low|high|max", "reason, and how hard"),
    ("/fold", "", "hide reasoning behind a line that counts, or show it again"),
    ("/thoughts", "", "show the last reasoning in full"),
    ("/read", "FILE", "say what is in a file"),
    ("/undo", "", "take back the last message and its answer"),
    ("/retry", "", "answer the last message again"),
    ("/new", "[NAME]", "begin another conversation, keeping this one open"),
    ("/switch", "NAME", "go to an open or a saved conversation"),
    ("/list", "", "conversations, open and saved"),
    ("/save", "[NAME]", "save the conversation, under a name of your own"),
    ("/load", "NAME|FILE", "open a saved conversation, from its file if need be"),
    ("/ctx", "N", "room for N tokens, such as 65536 or 64k"),
    ("/stats", "", "tokens, speeds and memory"),
    ("/quit", "", "leave; so does Ctrl-D"),
    ("/exit", "", "leave"),
];

impl FromStr for Command {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        let word = line.split_whitespace().next().unwrap_or_default();
        let is_command = line.starts_with('/')
            && word.len() > 1
            && word[1..].bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_command {
            return Ok(Self::Say(line.trim().to_owned()));
        }
        let rest = line[word.len()..].trim();
        let Some((_, wanted, _)) = COMMANDS.iter().find(|(name, ..)| *name == word) else {
            bail!("there is no command {word}{}; /help lists them", nearest(word));
        };
        if rest.is_empty() && !wanted.is_empty() && !wanted.starts_with('[') {
            bail!("{word} needs {wanted}");
        }
        if !rest.is_empty() && wanted.is_empty() {
            bail!("{word} takes nothing behind it");
        }
        let optional = || Some(rest.to_owned()).filter(|rest| !rest.is_empty());
        Ok(match word {
            "/help" => Self::Help,
            "/think" => Self::Think,
            "/nothink" => Self::NoThink,
            "/effort" => Self::Effort(rest.parse()?),
            "/ctx" => Self::Context(tokens(rest).map_err(|problem| anyhow!("{rest}: {problem}"))?),
            "/read" => Self::Read(rest.to_owned()),
            "/save" => Self::Save(optional()),
            "/load" => Self::Load(rest.to_owned()),
            "/list" => Self::List,
            "/switch" => Self::Switch(rest.to_owned()),
            "/new" => Self::New(optional()),
            "/undo" => Self::Undo,
            "/retry" => Self::Retry,
            "/fold" => Self::Fold,
            "/thoughts" => Self::Thoughts,
            "/stats" => Self::Stats,
            "/quit" | "/exit" => Self::Quit,
            _ => unreachable!("the table lists what is matched here"),
        })
    }
}

/// A number of tokens, where `64k` is 65536 and `1m` is 1048576.
pub(crate) fn tokens(text: &str) -> Result<usize, String> {
    let text = text.trim();
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        _ => (text, 1),
    };
    let number: usize = digits.parse().map_err(|_| "it is not a whole number".to_owned())?;
    match number.checked_mul(unit) {
        Some(0) => Err("it must be at least 1".to_owned()),
        Some(number) => Ok(number),
        None => Err("it is too large".to_owned()),
    }
}

/// A suggestion for a mistyped command; empty where none is near.
fn nearest(word: &str) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(word, name);
    let best = COMMANDS.iter().map(|(name, ..)| *name).min_by_key(|name| distance(name));
    let near = best.filter(|name| distance(name) <= 2);
    near.map_or(String::new(), |name| format!(" (did you mean {name}?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_or_commands() {
        let check = |line: &str, expected| {
            assert_eq!(line.parse::<Command>().expect("it is understood"), expected, "{line}");
        };
        let say = |text: &str| Command::Say(text.to_owned());
        check("hello", say("hello"));
        check("  /help", say("/help"));
        check("/usr/lib is full", say("/usr/lib is full"));
        check("/ is a slash", say("/ is a slash"));
        check("/quit", Command::Quit);
        check("/effort max", Command::Effort(Effort::Max));
        check("/ctx 64k", Command::Context(65536));
        check("/save", Command::Save(None));
        check("/save two words", Command::Save(Some("two words".to_owned())));
    }

    #[test]
    fn what_is_wrong_with_a_command_is_said() {
        let check = |line: &str, expected: &str| {
            let error = line.parse::<Command>().expect_err("it is wrong");
            assert_eq!(error.to_string(), expected);
        };
        check("/halp", "there is no command /halp (did you mean /help?); /help lists them");
        check("/frobnicate", "there is no command /frobnicate; /help lists them");
        check("/read", "/read needs FILE");
        check("/undo 3", "/undo takes nothing behind it");
        check("/ctx many", "many: it is not a whole number");
        check("/ctx 0", "0: it must be at least 1");
        check("/ctx 99999999999999999m", "99999999999999999m: it is too large");
        check("/effort medium", "`medium` is not a reasoning effort; use low, high or max");
    }

    #[test]
    fn every_listed_command_is_understood() {
        for (name, rest, _) in COMMANDS {
            let rest = match name {
                "/effort" => "low",
                "/ctx" => "8",
                _ => rest,
            };
            assert!(!matches!(format!("{name} {rest}").parse(), Ok(Command::Say(_)) | Err(_)));
        }
    }
}
