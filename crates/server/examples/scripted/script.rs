//! The script as tokens: a timeline in, what follows it out.

use std::sync::Arc;
use std::time::Duration;

use chat::Tokenizer;

use crate::answers::{Preference, answer};
use crate::scripted_model::Next;

/// Prompts whose answers are kept: one for each conversation that is answered at once, or so.
const MAX_KNOWN: usize = 8;

/// Answers as tokens.
pub(crate) struct Script {
    tokenizer: Arc<Tokenizer>,
    preference: Preference,
    /// The last prompts and the answers to them, latest first.
    known: Vec<(Vec<u32>, Vec<u32>)>,
}

impl Script {
    /// A script in this vocabulary.
    pub(crate) fn new(tokenizer: Arc<Tokenizer>, preference: Preference) -> Self {
        Self { tokenizer, preference, known: Vec::new() }
    }

    /// What follows a timeline.
    pub(crate) fn next(&mut self, timeline: &[u32]) -> Next {
        let eos = self.tokenizer.eos().unwrap_or(0);
        let assistant = self.tokenizer.token_id("<｜Assistant｜>");
        let header = timeline.iter().rposition(|&token| Some(token) == assistant);
        // Behind the header stands the token that says whether to think.
        let n_prompt = header.map_or(timeline.len(), |header| header + 2).min(timeline.len());
        let (prompt, said) = timeline.split_at(n_prompt);
        let token = self.answer(prompt).get(said.len()).copied().unwrap_or(eos);
        Next { token, pace: Duration::ZERO, fails: false }
    }

    fn answer(&mut self, prompt: &[u32]) -> &[u32] {
        let known = self.known.iter().position(|(known, _)| known == prompt);
        let at = known.unwrap_or_else(|| {
            let text = self.tokenizer.decode(prompt).unwrap_or_default();
            let text = answer(&String::from_utf8_lossy(&text), self.preference);
            self.known.truncate(MAX_KNOWN - 1);
            self.known.insert(0, (prompt.to_vec(), self.tokenizer.encode(&text)));
            0
        });
        &self.known[at].1
    }
}
