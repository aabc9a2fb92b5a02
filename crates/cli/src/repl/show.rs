//! What commands write: lists, figures, reasoning.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result, bail};
use indicatif::HumanBytes;

use super::command::COMMANDS;
use super::conversation::Conversation;
use super::{Open, Repl};

/// Characters of a message in a list.
const SHORT: usize = 70;

/// The first line of a text, cut.
pub(super) fn short(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let cut: String = line.chars().take(SHORT).collect();
    let is_whole = cut.len() == text.trim().len();
    if is_whole { cut } else { cut + " ..." }
}

pub(super) fn help() -> Result<()> {
    let mut text = String::new();
    for (name, rest, does) in COMMANDS {
        let usage = format!("{name} {rest}");
        writeln!(text, "  {usage:<20} {does}").expect("strings take any text");
    }
    text += "Anything else is said to the model. Alt-Enter or a backslash at the end of a line goes\n\
             on to another line; a space in front of a slash makes a message of it.\n";
    print(&text)
}

/// Conversations, the current one marked.
pub(super) fn list(repl: &Repl) -> Result<()> {
    let mut text = String::new();
    let line = |mark: char, conversation: &Conversation, state: &str| {
        let first = conversation.turns.first().map_or(String::new(), |turn| short(&turn.user));
        let name = if conversation.name.is_empty() { "(new)" } else { &conversation.name };
        let n_turns = conversation.turns.len();
        format!("{mark} {name:<28} {n_turns:>3} turns, {state}: {first}\n")
    };
    for (at, Open { id, conversation, .. }) in repl.open.iter().enumerate() {
        let mark = if at == repl.current { '*' } else { ' ' };
        match repl.live.tokens_in_kv(*id) {
            Some(n_tokens) => {
                text += &line(mark, conversation, &format!("live with {n_tokens} tokens"));
            }
            None => text += &line(mark, conversation, "open"),
        }
    }
    let is_open = |name: &String| repl.open.iter().any(|open| open.conversation.name == *name);
    for name in repl.library.names()?.iter().filter(|name| !is_open(name)) {
        match repl.library.load(name) {
            Ok(conversation) => text += &line(' ', &conversation, "saved"),
            Err(error) => writeln!(text, "  {name}: {}", super::sentence(&error))
                .expect("strings take any text"),
        }
    }
    print(&text)
}

pub(super) fn thoughts(conversation: &Conversation) -> Result<()> {
    match conversation.turns.last() {
        Some(turn) if !turn.reasoning.is_empty() => print(&format!("{}\n", turn.reasoning.trim())),
        _ => bail!("the last answer came without reasoning"),
    }
}

pub(super) fn stats(repl: &Repl) -> Result<()> {
    let open = &repl.open[repl.current];
    let mut text = String::new();
    if let Some(outcome) = &open.last {
        let (prompt, reused) = (outcome.prompt_tokens, outcome.reused_tokens);
        let statistics = outcome.turn.statistics;
        let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{rate:.1}"));
        writeln!(
            text,
            "last turn: prompt {prompt} tokens, {reused} reused, {} run at {} tok/s; generated {} \
             tokens at {} tok/s, {} GB/s",
            prompt - reused,
            rate(statistics.prefill_tokens_per_second()),
            statistics.generated_tokens,
            rate(statistics.decode_tokens_per_second()),
            rate(statistics.decode_gb_per_second()),
        )
        .expect("strings take any text");
    }
    let in_kv = repl.live.tokens_in_kv(open.id).unwrap_or(0);
    let live = repl.open.iter().filter(|open| repl.live.tokens_in_kv(open.id).is_some()).count();
    let disk = repl.live.bytes_on_disk();
    let disk = disk.map_or(String::new(), |bytes| format!("; {} of KV on disk", HumanBytes(bytes)));
    writeln!(
        text,
        "context: {in_kv} of {} tokens; {} turns; {live} of {} open conversations are live{disk}",
        repl.live.context(),
        open.conversation.turns.len(),
        repl.open.len(),
    )
    .expect("strings take any text");
    print(&text)
}

fn print(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}
