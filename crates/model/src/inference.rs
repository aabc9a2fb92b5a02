//! A loaded model as engines see it: what it is asked for, and how it is set up.
//!
//! Refuses: running it (`forward.rs`).

use backend::{KernelTime, KvRounding};

use crate::error::Result;
use crate::geometry::Geometry;
use crate::plan::ActiveBytes;
use crate::slot::SlotId;

/// Which logits of a run are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogitsWanted {
    /// None: the run only fills KV.
    Nothing,
    /// Those after the run's last token.
    Last,
    /// Those after every token.
    All,
}

/// Tokens to append to one slot.
#[derive(Debug, Clone, Copy)]
pub struct Extend<'a> {
    /// The slot.
    pub slot: SlotId,
    /// Ids to append, at least one.
    pub tokens: &'a [u32],
    /// Which logits to hand out.
    pub logits: LogitsWanted,
}

/// How far a timeline can be cut back unless told otherwise.
pub const DEFAULT_REWIND_TOKENS: usize = 4096;

/// How a model is set up.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Most tokens of one batch; activations and raw rings are sized by it.
    pub max_batch: usize,
    /// Whether KV rows are rounded as the model was trained.
    pub kv_rounding: KvRounding,
    /// Tokens by which a timeline can be cut without being run from its beginning; raw rings are
    /// sized by it. See [`Inference::rewind`].
    pub rewind_tokens: usize,
}

impl Options {
    /// Options with [`DEFAULT_REWIND_TOKENS`].
    pub fn new(max_batch: usize, kv_rounding: KvRounding) -> Self {
        Self { max_batch, kv_rounding, rewind_tokens: DEFAULT_REWIND_TOKENS }
    }
}

/// A loaded model as engines see it: object-safe, without a backend in its type.
pub trait Inference: Send {
    /// The model's dimensions.
    fn geometry(&self) -> &Geometry;

    /// Name of the backend that runs it.
    fn backend_name(&self) -> &'static str;

    /// Weight bytes that a decoded token reads.
    fn active_bytes(&self) -> ActiveBytes;

    /// Most tokens that one [`Inference::extend`] takes.
    fn max_batch(&self) -> usize;

    /// Measures how fast the device reads memory, in 10⁹ bytes per second; `None` where the
    /// backend cannot tell. Takes about a second.
    fn read_bandwidth(&mut self) -> Option<f64>;

    /// Begins or ends timing kernels one by one; returns whether the backend can.
    fn time_kernels(&mut self, on: bool) -> bool {
        let _ = on;
        false
    }

    /// What kernels took since somebody last asked, the longest first.
    ///
    /// # Errors
    /// If the device failed.
    fn kernel_times(&mut self) -> Result<Vec<KernelTime>> {
        Ok(Vec::new())
    }

    /// Makes an empty slot with room for `capacity` tokens.
    ///
    /// # Errors
    /// If memory is short.
    fn open_slot(&mut self, capacity: usize) -> Result<SlotId>;

    /// Frees a slot's memory. The id means nothing afterwards.
    fn close_slot(&mut self, slot: SlotId);

    /// Tokens that a slot has run: the next one that it takes has this position.
    ///
    /// # Panics
    /// If the slot is not open.
    fn n_tokens(&self, slot: SlotId) -> usize;

    /// Tokens whose compressed rows a slot holds, at least [`Inference::n_tokens`]. Those past that
    /// number are to be run again.
    ///
    /// # Panics
    /// If the slot is not open.
    fn n_stored(&self, slot: SlotId) -> usize;

    /// Cuts a slot's timeline to its first `n_tokens` tokens, and returns how many of them still
    /// count as run. The others are the next ones that [`Inference::extend`] takes, the same as
    /// before: fewer than a compression window, none after a short cut. Where the cut goes back by
    /// more than [`Options::rewind_tokens`], they are those behind the nearest checkpoint; the slot
    /// makes some on its way. What follows is bit for bit what a slot gives that has run nothing
    /// else, on backends whose results do not depend on batches.
    ///
    /// # Panics
    /// If the slot is not open or stores fewer tokens.
    fn rewind(&mut self, slot: SlotId, n_tokens: usize) -> usize;

    /// Makes the first `n_tokens` tokens of the slot `from` the timeline of the slot `to`, and
    /// returns how many of them count as run, as [`Inference::rewind`] does. Rows are copied on the
    /// device; nothing is run.
    ///
    /// # Errors
    /// If they do not fit.
    ///
    /// # Panics
    /// If the slots are not open or the same, or `from` stores fewer tokens.
    fn fork(&mut self, from: SlotId, to: SlotId, n_tokens: usize) -> Result<usize>;

    /// What stays of [`crate::BLOCK_TOKENS`] tokens, as bytes for any backend; `FORMATS.md` has their order.
    ///
    /// # Errors
    /// If the device failed.
    ///
    /// # Panics
    /// If the slot is not open or does not store the block.
    fn export_block(&mut self, slot: SlotId, block: usize) -> Result<Vec<u8>>;

    /// What it takes to go on at the end of a block, as bytes for any backend. `None` if raw rows
    /// are no longer there.
    ///
    /// # Errors
    /// If the device failed.
    ///
    /// # Panics
    /// If the slot is not open or `at` is no multiple of [`crate::BLOCK_TOKENS`].
    fn export_frontier(&mut self, slot: SlotId, at: usize) -> Result<Option<Vec<u8>>>;

    /// Stores the block that comes next in a timeline, with its tokens, which are to be run again
    /// unless a frontier follows.
    ///
    /// # Errors
    /// If a token or the number of bytes is not this model's, or there is no room; then nothing
    /// has changed.
    ///
    /// # Panics
    /// If the slot is not open, does not store whole blocks, or `tokens` is no block.
    fn import_block(&mut self, slot: SlotId, tokens: &[u32], bytes: &[u8]) -> Result<()>;

    /// Goes on at a frontier of the timeline and returns how many tokens count as run then: a few
    /// less than `at`.
    ///
    /// # Errors
    /// If the number of bytes is not this model's; then nothing has changed.
    ///
    /// # Panics
    /// If the slot is not open, or `at` is no multiple of [`crate::BLOCK_TOKENS`] or past what is stored.
    fn import_frontier(&mut self, slot: SlotId, at: usize, bytes: &[u8]) -> Result<usize>;

    /// Puts made-up rows of `n_tokens` tokens into an empty slot, as if they had been run: what
    /// follows takes its real time, and says nothing.
    ///
    /// # Panics
    /// If the slot is not open, is not empty, or has no room.
    fn fill(&mut self, slot: SlotId, n_tokens: usize);

    /// Appends tokens to slots and hands out logits.
    ///
    /// `on_logits` gets the index of the extension in `batch`, the position whose successor the
    /// logits predict, and `[vocab_size]` f32 logits. After an error the slots of the batch are
    /// not to be used again.
    ///
    /// # Errors
    /// If a token id is outside the vocabulary or is not the one that is to be run again, a slot has
    /// no room, or the device failed. Ids and room are checked before anything changes.
    ///
    /// # Panics
    /// If the batch is empty or larger than [`Inference::max_batch`], an extension has no tokens,
    /// or a slot is not open or named twice.
    fn extend(
        &mut self,
        batch: &[Extend<'_>],
        on_logits: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<()>;
}
