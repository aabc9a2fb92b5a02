//! A model that says what it is told to, behind the engine's interface: the scheduler, its slots and
//! its thread are the real ones, and what is kept of a token is the token itself.
//!
//! Refuses: deciding what to say; that is the script's.

use std::time::Duration;

use engine::{ActiveBytes, Geometry, Inference, LogitsWanted};
use model::{Extend, SlotId};

/// What follows a timeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    /// The token.
    pub(crate) token: u32,
    /// Time that each token takes that is run, of the prompt as of the answer.
    pub(crate) pace: Duration,
    /// Whether the device fails instead.
    pub(crate) fails: bool,
}

/// The model.
pub(crate) struct ScriptedModel<S> {
    geometry: Geometry,
    script: S,
    /// The timelines.
    slots: Vec<Option<Vec<u32>>>,
    logits: Vec<f32>,
}

impl<S: FnMut(&[u32]) -> Next + Send> ScriptedModel<S> {
    /// A model of these dimensions. The script says of a timeline what follows it.
    pub(crate) fn new(geometry: Geometry, script: S) -> Self {
        // Where a rule forbids what the script says, the least id that is allowed is certain.
        let logits = (0..geometry.vocab_size).map(|id| -10.0 * id as f32).collect();
        Self { geometry, script, slots: Vec::new(), logits }
    }

    fn timeline(&mut self, slot: SlotId) -> &mut Vec<u32> {
        self.slots[slot.index()].as_mut().expect("an open slot")
    }
}

impl<S: FnMut(&[u32]) -> Next + Send> Inference for ScriptedModel<S> {
    fn geometry(&self) -> &Geometry {
        &self.geometry
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
        self.timeline(slot).truncate(n_tokens);
        n_tokens
    }

    fn fork(&mut self, from: SlotId, to: SlotId, n_tokens: usize) -> model::Result<usize> {
        let timeline = self.timeline(from)[..n_tokens].to_vec();
        self.slots[to.index()] = Some(timeline);
        Ok(n_tokens)
    }

    fn export_block(&mut self, _: SlotId, _: usize) -> model::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn export_frontier(&mut self, _: SlotId, _: usize) -> model::Result<Option<Vec<u8>>> {
        Ok(Some(Vec::new()))
    }

    fn import_block(&mut self, slot: SlotId, tokens: &[u32], _: &[u8]) -> model::Result<()> {
        self.timeline(slot).extend(tokens);
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
            let next = (self.script)(&timeline);
            std::thread::sleep(next.pace * part.tokens.len() as u32);
            if next.fails {
                return Err(model::Error::Token { token: timeline[n_before], vocab_size: 0 });
            }
            let first = match part.logits {
                LogitsWanted::All => n_before,
                LogitsWanted::Last => timeline.len() - 1,
                LogitsWanted::Nothing => timeline.len(),
            };
            for position in first..timeline.len() {
                let next = timeline.get(position + 1).copied().unwrap_or(next.token) as usize;
                let before = std::mem::replace(&mut self.logits[next], 100.0);
                on_logits(i, position, &self.logits);
                self.logits[next] = before;
            }
            self.slots[part.slot.index()] = Some(timeline);
        }
        Ok(())
    }
}
