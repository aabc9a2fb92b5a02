//! A session: one timeline of tokens in a loaded model.
//!
//! The timeline is a list of tokens; the KV of the model's slot covers a prefix of it. What is
//! past that prefix has been said but not run yet: a prompt that waits for its prefill, or the
//! last token of an answer. After a cut the model may want a few tokens again whose compressed rows
//! it has still stored; they wait like all others.
//!
//! A session may be kept on disk: then what another one has saved of its timeline need not be run,
//! and what a turn has run is saved. The scheduler's sessions are not; it does that between steps.
//!
//! Refuses: text; sampling; sharing a slot.

use std::time::Duration;

use model::{BLOCK_TOKENS, Extend, Geometry, Inference, LogitsWanted, SlotId};

use crate::cancel::CancelToken;
use crate::disk::DiskKv;
use crate::error::{Error, Result};
use crate::keep::{Keeper, RESTORE_TRIES, Restore, Restored, Saving};

/// Context of a session unless told otherwise, in tokens.
const DEFAULT_CONTEXT: usize = 32_768;

/// How long one look at what has come from the disk lasts.
const RESTORE_WAIT: Duration = Duration::from_millis(100);

/// Tokens that the position encoding of a model reaches: 1,048,576 for the published one.
pub fn trained_context(geometry: &Geometry) -> usize {
    let yarn = geometry.yarn;
    (f64::from(yarn.factor) * f64::from(yarn.original_context)) as usize
}

/// Refuses a context that a session cannot have.
///
/// # Errors
/// If it is shorter than a token and its answer, or longer than the model knows.
pub(crate) fn check_context(geometry: &Geometry, wanted: usize) -> Result<()> {
    let trained = trained_context(geometry);
    if (2..=trained).contains(&wanted) {
        return Ok(());
    }
    Err(Error::Context { wanted, trained })
}

/// Context for a model when nobody asks for another: 32,768 tokens, or what the model knows.
pub fn default_context(geometry: &Geometry) -> usize {
    DEFAULT_CONTEXT.min(trained_context(geometry))
}

/// One timeline of tokens, on a slot of a model.
///
/// A session belongs to the model it was opened in; every call takes that model.
#[derive(Debug)]
pub struct Session {
    slot: SlotId,
    capacity: usize,
    /// The timeline. `n_evaluated` of its first tokens are in KV.
    tokens: Vec<u32>,
    n_evaluated: usize,
    /// The compressed rows of so many tokens are stored; those past `n_evaluated` are to be run
    /// again.
    n_stored: usize,
    /// `None` where it is not kept on disk.
    kept: Option<Box<Kept>>,
}

/// What a session needs that is kept on disk.
#[derive(Debug)]
struct Kept {
    keeper: Keeper,
    saving: Saving,
}

/// How far the evaluation of a session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evaluated {
    /// Everything is in KV.
    Everything,
    /// Cancelled between chunks.
    Cancelled,
}

impl Session {
    /// Opens an empty session with room for `capacity` tokens.
    ///
    /// # Errors
    /// If the model does not know that many positions, or memory is short.
    pub fn open(model: &mut dyn Inference, capacity: usize) -> Result<Self> {
        check_context(model.geometry(), capacity)?;
        let slot = model.open_slot(capacity)?;
        Ok(Self { slot, capacity, tokens: Vec::new(), n_evaluated: 0, n_stored: 0, kept: None })
    }

    /// [`Session::open`], kept on disk: [`Session::sync`] brings back what is there of a timeline, and
    /// [`generate`](crate::generate) saves what it has run.
    ///
    /// # Errors
    /// As there.
    pub fn open_kept(model: &mut dyn Inference, capacity: usize, disk: DiskKv) -> Result<Self> {
        let kept = Kept { keeper: Keeper::new(disk), saving: Saving::default() };
        Ok(Self { kept: Some(Box::new(kept)), ..Self::open(model, capacity)? })
    }

    /// Closes the session and frees its memory. What is not saved by then is forgotten.
    pub fn close(self, model: &mut dyn Inference) {
        model.close_slot(self.slot);
    }

    /// The timeline: everything that was said, whether in KV already or not.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many tokens of the timeline, from its beginning, are in KV.
    pub fn n_evaluated(&self) -> usize {
        self.n_evaluated
    }

    /// Tokens that the session holds at most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens that still fit.
    pub fn room(&self) -> usize {
        self.capacity - self.tokens.len()
    }

    /// Makes `tokens` the timeline, keeping the KV of the common prefix, and returns how many
    /// tokens need not be run: those of the common prefix but for a few that the model wants
    /// again (see [`Inference::rewind`]). A longer prefix that is on disk is brought back first, where
    /// the session is kept there. The last token is always left to be run, so that its logits come.
    ///
    /// # Errors
    /// If there are no tokens, or they do not fit.
    pub fn sync(&mut self, model: &mut dyn Inference, tokens: &[u32]) -> Result<usize> {
        if tokens.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if tokens.len() > self.capacity {
            let (n_tokens, capacity) = (tokens.len(), self.capacity);
            return Err(Error::PromptTooLong { n_tokens, room: capacity, capacity });
        }
        self.n_stored = self.n_common(tokens).min(tokens.len() - 1);
        self.n_evaluated = model.rewind(self.slot, self.n_stored);
        self.tokens.clear();
        self.tokens.extend_from_slice(tokens);
        self.bring_back(model);
        Ok(self.n_evaluated)
    }

    /// Puts what the disk has of the timeline into the slot, if it is much more than what is there.
    /// What cannot be had is run.
    fn bring_back(&mut self, model: &mut dyn Inference) {
        let Some(mut kept) = self.kept.take() else { return };
        kept.saving.begin(&kept.keeper.disk, &self.tokens, self.n_stored);
        for _ in 0..=RESTORE_TRIES {
            let Some(hit) = kept.keeper.find(&self.tokens, self.n_evaluated) else { break };
            let mut restore = Restore::start(hit, model, self);
            let restored = loop {
                match restore.go_on(model, self, RESTORE_WAIT) {
                    Restored::Waiting => {}
                    restored => break restored,
                }
            };
            if restored == Restored::Done {
                break;
            }
        }
        self.kept = Some(kept);
    }

    /// Saves what is to be saved and has been run, as far as the disk keeps up.
    pub(crate) fn save(&mut self, model: &mut dyn Inference) {
        let Some(mut kept) = self.kept.take() else { return };
        let Kept { keeper, saving } = &mut *kept;
        while !keeper.is_paused() && keeper.has_work(saving, self) {
            keeper.save_one(model, self, saving);
        }
        self.kept = Some(kept);
    }

    /// Hears that nothing is run for now, and saves what was.
    pub(crate) fn end_turn(&mut self, model: &mut dyn Inference) {
        if let Some(kept) = &mut self.kept {
            kept.saving.end(self.n_evaluated);
        }
        self.save(model);
    }

    /// Saves what no turn came to save, and waits for the disk where it is behind. To be called before
    /// a session that is kept on disk is closed, unless its device has failed.
    pub fn save_rest(&mut self, model: &mut dyn Inference) {
        loop {
            self.save(model);
            let Some(keeper) = self.kept.as_mut().map(|kept| &mut kept.keeper) else { return };
            if !keeper.is_paused() {
                return;
            }
            keeper.wait_for_disk();
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, model: &mut dyn Inference) {
        model.rewind(self.slot, 0);
        self.tokens.clear();
        (self.n_evaluated, self.n_stored) = (0, 0);
    }

    /// Tokens in KV with which `tokens` begins too.
    pub(crate) fn n_common(&self, tokens: &[u32]) -> usize {
        let stored = &self.tokens[..self.n_stored];
        stored.iter().zip(tokens).take_while(|(a, b)| a == b).count()
    }

    /// Tokens whose compressed rows are stored: those in KV and those to be run again.
    pub(crate) fn n_stored(&self) -> usize {
        self.n_stored
    }

    /// Makes `tokens` the timeline, with the KV of what it shares with `donor`, whose rows are
    /// copied. Returns how many tokens need not be run.
    ///
    /// # Errors
    /// If they do not fit.
    pub(crate) fn fork_from(
        &mut self,
        model: &mut dyn Inference,
        donor: &Self,
        tokens: &[u32],
    ) -> Result<usize> {
        self.n_stored = donor.n_common(tokens).min(tokens.len() - 1);
        self.n_evaluated = model.fork(donor.slot, self.slot, self.n_stored)?;
        self.tokens.clear();
        self.tokens.extend_from_slice(tokens);
        Ok(self.n_evaluated)
    }

    /// Prepares for blocks up to `n_tokens` tokens, and returns the first one that is missing.
    pub(crate) fn keep_blocks(&mut self, model: &mut dyn Inference, n_tokens: usize) -> usize {
        if self.n_stored < n_tokens {
            self.n_stored -= self.n_stored % BLOCK_TOKENS;
            self.n_evaluated = model.rewind(self.slot, self.n_stored);
        }
        self.n_stored / BLOCK_TOKENS
    }

    /// Stores the next block of the timeline.
    ///
    /// # Errors
    /// If it is not this model's.
    pub(crate) fn import_block(&mut self, model: &mut dyn Inference, bytes: &[u8]) -> Result<()> {
        let tokens = &self.tokens[self.n_stored..self.n_stored + BLOCK_TOKENS];
        model.import_block(self.slot, tokens, bytes)?;
        self.n_stored += BLOCK_TOKENS;
        Ok(())
    }

    /// Goes on at a frontier of the timeline.
    ///
    /// # Errors
    /// If it is not this model's.
    pub(crate) fn import_frontier(
        &mut self,
        model: &mut dyn Inference,
        at: usize,
        bytes: &[u8],
    ) -> Result<()> {
        self.n_evaluated = model.import_frontier(self.slot, at, bytes)?;
        Ok(())
    }

    /// The slot that holds its KV.
    pub(crate) fn slot(&self) -> SlotId {
        self.slot
    }

    /// Tokens of the timeline that are not in KV yet.
    pub(crate) fn waiting(&self) -> &[u32] {
        &self.tokens[self.n_evaluated..]
    }

    /// Hears that the model has run `n` of the waiting tokens.
    pub(crate) fn ran(&mut self, n: usize) {
        assert!(n <= self.waiting().len(), "only what waits is run");
        self.n_evaluated += n;
        self.n_stored = self.n_stored.max(self.n_evaluated);
    }

    /// Adds tokens to the timeline without running them.
    ///
    /// # Panics
    /// If they do not fit.
    pub(crate) fn append(&mut self, tokens: &[u32]) {
        assert!(tokens.len() <= self.room(), "the room was checked");
        self.tokens.extend_from_slice(tokens);
    }

    /// Runs everything that is not in KV yet, in chunks, and leaves the logits after the last
    /// token in `logits`.
    ///
    /// `on_chunk` hears after each chunk how many of the waiting tokens are done. If cancelled or
    /// refused, the timeline is cut back to what is in KV.
    pub(crate) fn evaluate(
        &mut self,
        model: &mut dyn Inference,
        cancel: &CancelToken,
        logits: &mut Vec<f32>,
        on_chunk: &mut dyn FnMut(usize),
    ) -> Result<Evaluated> {
        let evaluated = self.evaluate_chunks(model, cancel, logits, on_chunk);
        self.tokens.truncate(self.n_stored);
        evaluated
    }

    fn evaluate_chunks(
        &mut self,
        model: &mut dyn Inference,
        cancel: &CancelToken,
        logits: &mut Vec<f32>,
        on_chunk: &mut dyn FnMut(usize),
    ) -> Result<Evaluated> {
        let first = self.n_evaluated;
        while self.n_evaluated < self.tokens.len() {
            if cancel.is_cancelled() {
                return Ok(Evaluated::Cancelled);
            }
            let end = self.tokens.len().min(self.n_evaluated + model.max_batch());
            let wanted =
                if end == self.tokens.len() { LogitsWanted::Last } else { LogitsWanted::Nothing };
            let tokens = &self.tokens[self.n_evaluated..end];
            let extend = Extend { slot: self.slot, tokens, logits: wanted };
            model.extend(&[extend], &mut |_, _, row| {
                logits.clear();
                logits.extend_from_slice(row);
            })?;
            self.ran(end - self.n_evaluated);
            on_chunk(end - first);
        }
        Ok(Evaluated::Everything)
    }
}
