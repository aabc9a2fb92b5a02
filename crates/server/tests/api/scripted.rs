//! A model that says what it was told to say, behind the engine's interface: the scheduler, its
//! slots and its thread are the real ones.
//!
//! A script is chosen by what the conversation holds: of all texts that scripts answer to, the one
//! that stands last. Answers are token ids, so that the same text may be said in other pieces.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chat::Tokenizer;
use engine::{ActiveBytes, Geometry, Inference, LogitsWanted, ModelFile};
use model::{Extend, SlotId};

/// What is said to whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Text that the conversation holds.
    pub(crate) asked: String,
    /// The answer, without the token that ends it.
    pub(crate) said: Vec<u32>,
    /// Time that each token takes, of the prompt as of the answer.
    pub(crate) pace: Duration,
    /// The device fails after so many tokens of the answer.
    pub(crate) fails_after: Option<usize>,
}

/// The vocabulary and the dimensions of the built-in model.
pub(crate) struct Tiny {
    pub(crate) tokenizer: Arc<Tokenizer>,
    geometry: Geometry,
}

/// Where the built-in model is.
pub(crate) fn tiny_path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/models/tiny.gguf"))
}

pub(crate) fn tiny() -> &'static Tiny {
    static TINY: OnceLock<Tiny> = OnceLock::new();
    TINY.get_or_init(|| {
        let file = ModelFile::open(tiny_path()).expect("the built-in model is there");
        let tokenizer = Arc::new(file.tokenizer().expect("it has a vocabulary"));
        Tiny { tokenizer, geometry: file.geometry().expect("it is a model") }
    })
}

/// An answer in which control tokens are spelled.
pub(crate) fn says(asked: &str, text: &str) -> Script {
    let said = tiny().tokenizer.encode(text);
    Script { asked: asked.to_owned(), said, ..Script::default() }
}

pub(crate) struct Scripted {
    scripts: Arc<Mutex<Vec<Script>>>,
    slots: Vec<Option<Vec<u32>>>,
    logits: Vec<f32>,
}

impl Scripted {
    pub(crate) fn new(scripts: Arc<Mutex<Vec<Script>>>) -> Self {
        // Where a rule forbids what the script says, the least id that is allowed is certain.
        let logits = (0..tiny().geometry.vocab_size).map(|id| -10.0 * id as f32).collect();
        Self { scripts, slots: Vec::new(), logits }
    }

    /// The script of a timeline, and how many tokens of its answer have been said.
    fn script(&self, timeline: &[u32]) -> Option<(Script, usize)> {
        let scripts = self.scripts.lock().expect("nobody panics with it");
        let tokenizer = &tiny().tokenizer;
        let assistant = tokenizer.token_id("<｜Assistant｜>").expect("a control token");
        // A conversation ends in this token and one that says whether to think.
        let turn = timeline.iter().rposition(|&token| token == assistant).map(|last| last + 2);
        let text = |tokens: &[u32]| {
            let bytes = tokenizer.decode(tokens).expect("tokens of the vocabulary");
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if let Some(n_prompt) = turn {
            let prompt = text(&timeline[..n_prompt.min(timeline.len())]);
            let place = |script: &&Script| prompt.rfind(&script.asked);
            let script = scripts.iter().filter(|s| place(s).is_some()).max_by_key(place)?;
            return Some((script.clone(), timeline.len().saturating_sub(n_prompt)));
        }
        // Without a conversation, the prompt is the text that a script answers to.
        scripts.iter().find_map(|script| {
            let n =
                (1..=timeline.len()).find(|&n| text(&timeline[..n]).ends_with(&script.asked))?;
            Some((script.clone(), timeline.len() - n))
        })
    }
}

impl Inference for Scripted {
    fn geometry(&self) -> &Geometry {
        &tiny().geometry
    }

    fn backend_name(&self) -> &'static str {
        "scripted"
    }

    fn active_bytes(&self) -> ActiveBytes {
        ActiveBytes { total: 0 }
    }

    fn max_batch(&self) -> usize {
        64
    }

    fn read_bandwidth(&mut self) -> Option<f64> {
        None
    }

    fn open_slot(&mut self, _: usize) -> model::Result<SlotId> {
        self.slots.push(Some(Vec::new()));
        Ok(SlotId::of_index(self.slots.len() - 1))
    }

    fn close_slot(&mut self, slot: SlotId) {
        self.slots[slot.index()] = None;
    }

    fn n_tokens(&self, slot: SlotId) -> usize {
        self.slots[slot.index()].as_ref().map_or(0, Vec::len)
    }

    fn n_stored(&self, slot: SlotId) -> usize {
        self.n_tokens(slot)
    }

    fn rewind(&mut self, slot: SlotId, n_tokens: usize) -> usize {
        self.slots[slot.index()].as_mut().expect("an open slot").truncate(n_tokens);
        n_tokens
    }

    fn fork(&mut self, from: SlotId, to: SlotId, n_tokens: usize) -> model::Result<usize> {
        let timeline =
            self.slots[from.index()].as_ref().expect("an open slot")[..n_tokens].to_vec();
        self.slots[to.index()] = Some(timeline);
        Ok(n_tokens)
    }

    // What is kept of a token is the token itself.

    fn export_block(&mut self, _: SlotId, _: usize) -> model::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn export_frontier(&mut self, _: SlotId, _: usize) -> model::Result<Option<Vec<u8>>> {
        Ok(Some(Vec::new()))
    }

    fn import_block(&mut self, slot: SlotId, tokens: &[u32], _: &[u8]) -> model::Result<()> {
        self.slots[slot.index()].as_mut().expect("an open slot").extend(tokens);
        Ok(())
    }

    fn import_frontier(&mut self, _: SlotId, at: usize, _: &[u8]) -> model::Result<usize> {
        Ok(at)
    }

    fn fill(&mut self, _: SlotId, _: usize) {}

    fn extend(
        &mut self,
        batch: &[Extend<'_>],
        on_logits: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> model::Result<()> {
        for (i, part) in batch.iter().enumerate() {
            let mut timeline = self.slots[part.slot.index()].take().expect("an open slot");
            let n_before = timeline.len();
            timeline.extend(part.tokens);
            let (script, said) = self.script(&timeline).unwrap_or_default();
            std::thread::sleep(script.pace * part.tokens.len() as u32);
            if script.fails_after == Some(said) {
                return Err(model::Error::Token { token: timeline[n_before], vocab_size: 0 });
            }
            let eos = tiny().tokenizer.eos().expect("the vocabulary has an end");
            let first = match part.logits {
                LogitsWanted::All => n_before,
                LogitsWanted::Last => timeline.len() - 1,
                LogitsWanted::Nothing => timeline.len(),
            };
            for position in first..timeline.len() {
                let next = timeline.get(position + 1).or(script.said.get(said));
                let next = next.copied().unwrap_or(eos) as usize;
                let before = std::mem::replace(&mut self.logits[next], 100.0);
                on_logits(i, position, &self.logits);
                self.logits[next] = before;
            }
            self.slots[part.slot.index()] = Some(timeline);
        }
        Ok(())
    }
}
