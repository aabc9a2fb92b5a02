//! Answers as they were drawn, for the prompts that have them in their history.
//!
//! A client sends an answer back as text, and a tool call as JSON. Written as a prompt again, they
//! are often other tokens than those that were drawn: another order of keys, a space less, no
//! reasoning, another way to cut the same text. The KV of the conversation would end there. So the
//! tokens of the last answers are kept, and a prompt takes them instead of its own where its history
//! is what the client was told:
//!
//! - a turn with calls is known by their ids, and has to have the same names and arguments;
//! - a turn without is known by everything before it and its text.
//!
//! In both cases its text has to be the same but for white space around it, and its reasoning the
//! same or left out. Where the template drops reasoning that was drawn (a history without tools, or
//! one that goes on without thinking), the template decides.
//!
//! Refuses: deciding which slot has the KV; that is found by the tokens.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use blake3::{Hash, Hasher};
use chat::deepseek_recipe::stream::InferenceChunk;
use chat::deepseek_recipe_core::conversation::Conversation;
use chat::deepseek_recipe_core::messages::{InputMessage, ToolCall};
use chat::{Prompt, Said, SaidCall, Tokenizer};
use futures::{Stream, StreamExt as _};
use serde_json::Value;

use crate::service::Running;

/// Bytes that are kept.
const MAX_BYTES: usize = 64 << 20;
/// Bytes of a turn beside its texts and tokens, in round numbers.
const TURN_BYTES: usize = 512;
/// Tokens that go into a hash at once.
const HASHED_TOGETHER: usize = 4096;

/// An answer as it was drawn.
#[derive(Debug)]
struct Turn {
    /// Everything behind `<｜Assistant｜>`, without the token that ends it.
    tokens: Vec<u32>,
    said: Said,
    /// Of what was before it, and its text.
    place: Hash,
}

impl Turn {
    fn n_bytes(&self) -> usize {
        let calls = self.said.calls.iter().map(|call| call.arguments.len() + 64);
        let texts = self.said.reasoning.len() + self.said.content.len();
        TURN_BYTES + 4 * self.tokens.len() + texts + calls.sum::<usize>()
    }

    /// Whether a client that sends this message back means this turn.
    fn is(&self, message: &Asked<'_>) -> bool {
        let reasoning = message.reasoning.trim();
        self.said.content.trim() == message.content.trim()
            && (reasoning.is_empty() || reasoning == self.said.reasoning.trim())
            && self.said.calls.len() == message.calls.len()
            && self.said.calls.iter().zip(message.calls).all(|(said, call)| is_call(said, call))
    }
}

fn is_call(said: &SaidCall, call: &ToolCall) -> bool {
    said.id == call.id
        && said.name == call.name
        && (said.arguments == call.arguments || {
            let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
            let (said, sent) = (parse(&said.arguments), parse(&call.arguments));
            said.zip(sent).is_some_and(|(said, sent)| is_same(&said, &sent))
        })
}

/// Whether two values are the same JSON; a client may write 1.0 as 1.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| is_same(a, b)))
        }
        _ => a == b,
    }
}

/// A message of the assistant in a history.
struct Asked<'a> {
    content: &'a str,
    reasoning: &'a str,
    calls: &'a [ToolCall],
}

impl<'a> Asked<'a> {
    fn of(message: &'a InputMessage) -> Option<Self> {
        let InputMessage::Assistant { content, reasoning_content, tool_calls, .. } = message else {
            return None;
        };
        Some(Self {
            content,
            reasoning: reasoning_content.as_deref().unwrap_or_default(),
            calls: tool_calls.as_deref().unwrap_or_default(),
        })
    }
}

/// The last answers.
#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    turns: VecDeque<Arc<Turn>>,
    by_call: HashMap<String, Arc<Turn>>,
    by_place: HashMap<Hash, Arc<Turn>>,
    n_bytes: usize,
}

impl Kept {
    fn keep(&mut self, turn: Turn) {
        let turn = Arc::new(turn);
        for call in turn.said.calls.iter().filter(|call| !call.id.is_empty()) {
            self.by_call.insert(call.id.clone(), Arc::clone(&turn));
        }
        self.by_place.insert(turn.place, Arc::clone(&turn));
        self.n_bytes += turn.n_bytes();
        self.turns.push_back(turn);
        while self.n_bytes > MAX_BYTES
            && let Some(oldest) = self.turns.pop_front()
        {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, turn: &Arc<Turn>) {
        self.n_bytes -= turn.n_bytes();
        for call in &turn.said.calls {
            if self.by_call.get(&call.id).is_some_and(|known| Arc::ptr_eq(known, turn)) {
                self.by_call.remove(&call.id);
            }
        }
        if self.by_place.get(&turn.place).is_some_and(|known| Arc::ptr_eq(known, turn)) {
            self.by_place.remove(&turn.place);
        }
    }
}

/// The last answers, for everybody.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Kept>);

impl Turns {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whoever panicked with it left whole turns.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an answer: the prompt it was drawn for, its tokens, and what the client saw.
    pub(crate) fn keep(&self, tokenizer: &Tokenizer, prompt: &[u32], drawn: &[u32], said: Said) {
        let Ok(control) = tokenizer.prompt_tokens() else { return };
        let header = prompt.iter().rposition(|&token| token == control.assistant);
        // What a stop string has cut off was drawn and never seen.
        let Some(header) = header.filter(|_| !said.is_stopped) else { return };
        let (before, opener) = prompt.split_at(header + 1);
        let mut hasher = Hasher::new();
        hash_tokens(&mut hasher, before);
        let place = place(hasher, &said.content);
        self.kept().keep(Turn { tokens: [opener, drawn].concat(), said, place });
    }

    fn find(&self, message: &Asked<'_>, hasher: &Hasher) -> Option<Arc<Turn>> {
        let kept = self.kept();
        let turn = match message.calls.first() {
            Some(call) => kept.by_call.get(&call.id),
            None => kept.by_place.get(&place(hasher.clone(), message.content)),
        };
        turn.filter(|turn| turn.is(message)).cloned()
    }

    /// The tokens of a prompt, with those of its history that were drawn here.
    ///
    /// # Errors
    /// If the vocabulary lacks a control token that the prompt uses.
    pub(crate) fn encode(
        &self,
        tokenizer: &Tokenizer,
        prompt: &Prompt,
        conversation: &Conversation,
    ) -> chat::Result<Vec<u32>> {
        let mut messages = conversation.messages.iter().filter_map(Asked::of);
        let (mut hasher, mut n_hashed) = (Hasher::new(), 0);
        prompt.encode_with(tokenizer, &mut |before, opener| {
            hash_tokens(&mut hasher, &before[n_hashed..]);
            n_hashed = before.len();
            let turn = self.find(&messages.next()?, &hasher)?;
            (turn.tokens.first() == Some(&opener)).then(|| turn.tokens.clone())
        })
    }
}

fn hash_tokens(hasher: &mut Hasher, tokens: &[u32]) {
    // A hash takes little more time for many bytes than for four.
    let mut bytes = Vec::with_capacity(4 * HASHED_TOGETHER);
    for tokens in tokens.chunks(HASHED_TOGETHER) {
        bytes.clear();
        bytes.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
        hasher.update(&bytes);
    }
}

/// Where a turn stands: behind what has been hashed, with this text.
fn place(mut hasher: Hasher, content: &str) -> Hash {
    hasher.update(content.trim().as_bytes());
    hasher.finalize()
}

/// An answer on its way: its tokens as they are drawn, and what the client saw once it has ended.
#[derive(Clone)]
pub(crate) struct Told {
    running: Running,
    prompt: Arc<Vec<u32>>,
    drawn: Arc<Mutex<Vec<u32>>>,
    said: Arc<OnceLock<Said>>,
}

impl Told {
    pub(crate) fn new(running: &Running, prompt: &[u32]) -> Self {
        Self {
            running: running.clone(),
            prompt: Arc::new(prompt.to_vec()),
            drawn: Arc::default(),
            said: Arc::default(),
        }
    }

    fn drawn(&self) -> MutexGuard<'_, Vec<u32>> {
        // Whoever panicked with it left whole tokens.
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears the tokens that pass.
    pub(crate) fn listen<S: Stream<Item = InferenceChunk> + Send>(
        &self,
        chunks: S,
    ) -> impl Stream<Item = InferenceChunk> + Send + use<S> {
        let told = self.clone();
        chunks.inspect(move |chunk| {
            if let InferenceChunk::Tokens { token_ids, .. } = chunk {
                told.drawn().extend_from_slice(token_ids);
            }
        })
    }

    /// What to do with what the client saw, once that is known.
    pub(crate) fn at_end(&self) -> impl FnOnce(Said) + Send + use<> {
        let told = self.clone();
        move |said| {
            let drawn = std::mem::take(&mut *told.drawn());
            let turns = told.running.service().turns();
            turns.keep(&told.running.tokenizer, &told.prompt, &drawn, said.clone());
            // An answer ends once.
            let _ = told.said.set(said);
        }
    }

    /// What the client saw; nothing while the answer has not ended.
    pub(crate) fn said(&self) -> Said {
        self.said.get().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(id: usize, arguments: &str) -> Said {
        let call = SaidCall {
            id: format!("call_{id}"),
            name: "f".to_owned(),
            arguments: arguments.to_owned(),
        };
        Said { content: "Well.".to_owned(), calls: vec![call], ..Said::default() }
    }

    fn turn(id: usize, arguments: &str) -> Turn {
        let place = blake3::hash(&id.to_le_bytes());
        Turn { tokens: vec![7; 1000], said: said(id, arguments), place }
    }

    #[test]
    fn old_turns_go() {
        let mut kept = Kept::default();
        let large = "x".repeat(MAX_BYTES / 4);
        for id in 0..9 {
            kept.keep(turn(id, &large));
            assert!(kept.n_bytes <= MAX_BYTES);
        }
        assert_eq!(kept.turns.len(), 3);
        assert_eq!((kept.by_call.len(), kept.by_place.len()), (3, 3));
        assert!(kept.by_call.contains_key("call_8") && !kept.by_call.contains_key("call_5"));
        let sum: usize = kept.turns.iter().map(|turn| turn.n_bytes()).sum();
        assert_eq!(sum, kept.n_bytes);
    }

    #[test]
    fn a_call_is_known_by_what_it_says() {
        let known = turn(1, r#"{"a": 1.0, "b": [true, {"c": "x"}]}"#);
        let is = |content: &str, reasoning: &str, arguments: &str| {
            let calls = [ToolCall {
                id: "call_1".to_owned(),
                name: "f".to_owned(),
                arguments: arguments.to_owned(),
            }];
            known.is(&Asked { content, reasoning, calls: &calls })
        };
        let same = json!({ "b": [true, { "c": "x" }], "a": 1 }).to_string();
        assert!(is("Well.", "", &same));
        assert!(is(" Well.\n", "", &same), "white space around it is nobody's");
        assert!(!is("Well!", "", &same));
        assert!(!is("Well.", "It thought otherwise.", &same));
        assert!(!is("Well.", "", r#"{"a": 1, "b": [true, {"c": "y"}]}"#));
        assert!(!is("Well.", "", r#"{"a": 1, "b": [true]}"#));
        assert!(!is("Well.", "", "not JSON"));
    }
}
