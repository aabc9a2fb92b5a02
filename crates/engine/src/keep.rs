//! Conversations beyond memory: saving them a little at a time, and bringing a prefix back.
//!
//! A save is asked for where somebody may want to go on: where the prompt's shared beginning ends,
//! where the prompt and the answer end, and every few thousand tokens. It is done between steps, a
//! block or a frontier at a time, for a small share of the time that steps take; all the time when
//! nobody asks for anything. What is saved is copied out of the slot, and the store's own thread
//! writes it.
//!
//! A prefix is read by a thread of its own and put into its slot between steps.
//!
//! So the scheduler does it. A [`Session`] that is used without one does it all at once, before and
//! behind what it runs: nobody else waits.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use kv_store::{FrontierKind, Hit, NewFrontier, ReadError, Save, SaveError};
use model::{BLOCK_TOKENS, Inference};

use crate::disk::DiskKv;
use crate::session::Session;

/// Share of the time of steps that saving may take.
const SAVE_SHARE: f64 = 0.04;
/// There is a frontier every so many tokens of a prompt.
const INTERVAL_TOKENS: usize = 8192;
/// Blocks that are handed to the store together.
const BLOCKS_PER_SAVE: usize = 16;
/// How long nothing is saved after the disk was behind.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
/// A prefix on disk is brought back if it saves so many tokens.
const WORTH_READING: usize = BLOCK_TOKENS;
/// How often a shorter prefix is looked for after a damaged one.
pub(crate) const RESTORE_TRIES: usize = 2;
/// Pieces that the reading thread may be ahead.
const N_AHEAD: usize = 4;

/// What of a slot's timeline is to be saved.
#[derive(Debug, Default)]
pub(crate) struct Saving {
    /// Blocks from the beginning that the store has or was handed.
    n_saved: usize,
    /// The blocks behind them that have been copied out of the slot.
    copied: Vec<Vec<u8>>,
    /// Where frontiers are to be, ascending.
    due: VecDeque<(usize, FrontierKind)>,
}

impl Saving {
    /// Hears that a prompt is the timeline now, of which the slot holds `n_stored` tokens.
    pub(crate) fn begin(&mut self, disk: &DiskKv, prompt: &[u32], n_stored: usize) {
        self.due.retain(|due| due.0 <= n_stored);
        self.copied.clear();
        self.n_saved = disk.store.n_stored_blocks(prompt);
        let shared = disk.user_token.and_then(|user| prompt.iter().position(|id| *id == user));
        self.ask(shared.unwrap_or(0), FrontierKind::SystemPrompt);
        for at in (INTERVAL_TOKENS..prompt.len()).step_by(INTERVAL_TOKENS) {
            self.ask(at, FrontierKind::Interval);
        }
        // The last token is always run again, for its logits.
        self.ask(prompt.len() - 1, FrontierKind::TurnEnd);
    }

    /// Hears that nothing is run for now, with `n_tokens` tokens run.
    pub(crate) fn end(&mut self, n_tokens: usize) {
        self.due.retain(|due| due.0 <= n_tokens);
        self.ask(n_tokens, FrontierKind::TurnEnd);
    }

    /// Forgets the timeline.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Asks for a frontier at the last end of a block up to `at`.
    fn ask(&mut self, at: usize, kind: FrontierKind) {
        let at = at - at % BLOCK_TOKENS;
        let place = self.due.partition_point(|due| due.0 < at);
        if at > 0 && self.due.get(place).is_none_or(|due| due.0 != at) {
            self.due.insert(place, (at, kind));
        }
    }

    /// Whether something is to be saved that a timeline does not have which agrees for `n_common`
    /// tokens.
    pub(crate) fn would_lose(&self, n_common: usize) -> bool {
        self.due.back().is_some_and(|due| due.0 > n_common)
    }

    /// Whether there is something to save in a slot that has run `n_tokens` tokens.
    fn is_waiting(&self, n_tokens: usize) -> bool {
        self.due.front().is_some_and(|due| due.0 <= n_tokens)
    }
}

/// Saves slots, within the time that there is.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) disk: DiskKv,
    /// Seconds that saving may take now; below zero if it took longer.
    credit: f64,
    paused_until: Option<Instant>,
    /// The store takes nothing, or the device gives nothing.
    is_off: bool,
    /// Somebody was told that what is to be saved is larger than the budget.
    too_large_told: bool,
}

impl Keeper {
    pub(crate) fn new(disk: DiskKv) -> Self {
        Self { disk, credit: 0.0, paused_until: None, is_off: false, too_large_told: false }
    }

    /// Whether there is something to save.
    pub(crate) fn has_work(&self, saving: &Saving, session: &Session) -> bool {
        !self.is_off && saving.is_waiting(session.n_evaluated())
    }

    /// Whether the disk was behind a moment ago.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused_until.is_some_and(|until| until > Instant::now())
    }

    /// Waits until the disk is no longer behind.
    pub(crate) fn wait_for_disk(&mut self) {
        self.disk.store.flush();
        self.paused_until = None;
    }

    /// Hears how long a step took.
    pub(crate) fn earn(&mut self, seconds: f64) {
        self.credit = (self.credit + seconds * SAVE_SHARE).min(seconds * SAVE_SHARE);
    }

    /// Whether saving may take time from those who wait.
    pub(crate) fn has_credit(&self) -> bool {
        self.credit > 0.0
    }

    /// Saves one block or frontier of a slot.
    pub(crate) fn save_one(
        &mut self,
        model: &mut dyn Inference,
        session: &Session,
        saving: &mut Saving,
    ) {
        let start = Instant::now();
        self.save_next(model, session, saving);
        self.credit -= start.elapsed().as_secs_f64();
    }

    fn save_next(&mut self, model: &mut dyn Inference, session: &Session, saving: &mut Saving) {
        let Some(&(at, kind)) = saving.due.front() else { return };
        let n_copied = saving.n_saved + saving.copied.len();
        if n_copied * BLOCK_TOKENS < at {
            match model.export_block(session.slot(), n_copied) {
                Ok(block) => saving.copied.push(block),
                Err(error) => self.give_up(&error),
            }
            if saving.copied.len() == BLOCKS_PER_SAVE {
                self.hand_over(session, saving, None);
            }
            return;
        }
        saving.due.pop_front();
        let is_new = !self.disk.store.has_frontier(&session.tokens()[..at]);
        let frontier = match model.export_frontier(session.slot(), at) {
            Ok(payload) if is_new => payload.map(|payload| (at, NewFrontier { kind, payload })),
            Ok(_) => None,
            Err(error) => return self.give_up(&error),
        };
        self.hand_over(session, saving, frontier);
    }

    /// Hands what was copied to the store, and a frontier behind it.
    fn hand_over(
        &mut self,
        session: &Session,
        saving: &mut Saving,
        frontier: Option<(usize, NewFrontier)>,
    ) {
        let blocks = std::mem::take(&mut saving.copied);
        if blocks.is_empty() && frontier.is_none() {
            return;
        }
        let n_blocks = saving.n_saved + blocks.len();
        let n_tokens = frontier.as_ref().map_or(n_blocks * BLOCK_TOKENS, |frontier| frontier.0);
        let tokens = &session.tokens()[..n_tokens];
        let frontier = frontier.map(|frontier| frontier.1);
        match self.disk.store.save(Save { tokens, blocks, frontier }) {
            Ok(_) => saving.n_saved = n_blocks,
            Err(SaveError::QueueFull { .. }) => self.paused_until = Some(Instant::now() + PAUSE),
            // The store has said so.
            Err(SaveError::ReadOnly | SaveError::Closed) => self.is_off = true,
            // What does not fit is not asked for again.
            Err(error) => {
                saving.due.clear();
                if !std::mem::replace(&mut self.too_large_told, true) {
                    tracing::warn!(%error, "KV is not saved");
                }
            }
        }
    }

    fn give_up(&mut self, error: &model::Error) {
        tracing::warn!(%error, "the device gives no KV: nothing more is saved");
        self.is_off = true;
    }

    /// The longest prefix of a prompt on disk, if it saves much of what is to be run otherwise.
    pub(crate) fn find(&self, prompt: &[u32], n_evaluated: usize) -> Option<Hit> {
        let but_last = &prompt[..prompt.len().saturating_sub(1)];
        let hit = self.disk.store.lookup(but_last)?;
        (hit.n_tokens() >= n_evaluated + WORTH_READING).then_some(hit)
    }
}

/// A prefix on its way from the disk.
pub(crate) struct Restore {
    /// Tokens of the prefix.
    n_tokens: usize,
    /// The frontier, then blocks.
    pieces: Receiver<Result<Vec<u8>, ReadError>>,
    frontier: Option<Vec<u8>>,
}

/// How far a prefix has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restored {
    /// More is to come.
    Waiting,
    /// It is there.
    Done,
    /// It cannot be had in whole; what has come so far is in its place.
    Failed,
}

impl Restore {
    /// Begins to read what the session lacks.
    pub(crate) fn start(hit: Hit, model: &mut dyn Inference, session: &mut Session) -> Self {
        let n_tokens = hit.n_tokens();
        let first = session.keep_blocks(model, n_tokens);
        let (sender, pieces) = mpsc::sync_channel(N_AHEAD);
        let read = move || {
            // They begin to come while the frontier is read.
            let mut blocks = hit.blocks(first.min(hit.n_blocks()));
            let frontier = hit.frontier();
            // Nobody listens any more when the job was cancelled.
            let mut is_over = frontier.is_err() | sender.send(frontier).is_err();
            while !is_over {
                let Some(block) = blocks.next() else { return };
                is_over = block.is_err() | sender.send(block).is_err();
            }
        };
        // Without a thread nothing comes, which is a miss.
        _ = std::thread::Builder::new().name("kv-restore".to_owned()).spawn(read);
        Self { n_tokens, pieces, frontier: None }
    }

    /// Puts what has come into the slot, for as long as there is time.
    pub(crate) fn go_on(
        &mut self,
        model: &mut dyn Inference,
        session: &mut Session,
        time: Duration,
    ) -> Restored {
        let until = Instant::now() + time;
        loop {
            let is_whole = session.n_stored() >= self.n_tokens;
            if let (true, Some(frontier)) = (is_whole, &self.frontier) {
                let entered = session.import_frontier(model, self.n_tokens, frontier);
                return if entered.is_ok() { Restored::Done } else { Restored::Failed };
            }
            let left = until.saturating_duration_since(Instant::now());
            let piece = match self.pieces.recv_timeout(left) {
                Ok(piece) => piece,
                Err(mpsc::RecvTimeoutError::Timeout) => return Restored::Waiting,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Restored::Failed,
            };
            let Ok(bytes) = piece else { return Restored::Failed };
            if self.frontier.is_none() {
                self.frontier = Some(bytes);
            } else if session.import_block(model, &bytes).is_err() {
                return Restored::Failed;
            }
        }
    }
}
