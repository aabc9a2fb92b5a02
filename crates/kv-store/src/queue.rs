//! What waits to be written, and the thread that writes it.
//!
//! Whoever saves only puts bytes into a queue. The queue is bounded in bytes: when the disk is
//! behind, a save is refused at once and counted, since waiting would delay tokens.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::format::{Encoded, EntryHead, Name, Part, uncompressed_bytes};
use crate::{BlockId, Directory, SaveError};

/// So much is written and synced together, under one hold of the lock.
const BATCH_BYTES: u64 = 32 << 20;

/// Work for the writer.
pub(crate) enum Job {
    Save(SaveJob),
    /// Do what can be done at leisure.
    Tend,
    /// Say when all that came before is done.
    Flush(Sender<()>),
}

/// A save that waits.
pub(crate) struct SaveJob {
    pub(crate) entries: Vec<NewEntry>,
    pub(crate) n_bytes: u64,
    /// What may not be evicted before it is done: the parent of the first block, and all of its own.
    pub(crate) pinned: Vec<BlockId>,
    pub(crate) done: Sender<Result<(), SaveError>>,
}

/// An entry that waits.
pub(crate) struct NewEntry {
    pub(crate) name: Name,
    pub(crate) head: EntryHead,
    pub(crate) payload: Vec<u8>,
}

impl NewEntry {
    /// Bytes of its file if it is not compressed.
    pub(crate) fn n_bytes(&self) -> u64 {
        uncompressed_bytes(self.head.tokens.len(), self.payload.len())
    }
}

/// A queue between any number of savers and one writer.
pub(crate) struct Queue {
    state: Mutex<State>,
    has_changed: Condvar,
    limit_bytes: u64,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Of all saves that are not done, the one being written included.
    bytes: u64,
    is_closed: bool,
    n_dropped: u64,
    n_failed: u64,
}

impl Queue {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self { state: Mutex::default(), has_changed: Condvar::new(), limit_bytes }
    }

    /// Puts a save into the queue. One that alone is larger than the queue may be is taken when
    /// nothing else waits.
    ///
    /// # Errors
    /// With the save when there is no room for it.
    pub(crate) fn push_save(&self, job: SaveJob) -> Result<(), (SaveJob, SaveError)> {
        let mut state = self.state();
        if state.bytes > 0 && state.bytes + job.n_bytes > self.limit_bytes {
            state.n_dropped += 1;
            return Err((job, SaveError::QueueFull { queued_bytes: state.bytes }));
        }
        state.bytes += job.n_bytes;
        state.jobs.push_back(Job::Save(job));
        self.has_changed.notify_one();
        Ok(())
    }

    pub(crate) fn push(&self, job: Job) {
        self.state().jobs.push_back(job);
        self.has_changed.notify_one();
    }

    /// Lets the writer finish what is queued and end.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.has_changed.notify_one();
    }

    /// Counts a save that was refused before it got here.
    pub(crate) fn count_dropped(&self) {
        self.state().n_dropped += 1;
    }

    /// Bytes that wait; saves that were refused; saves that failed.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let state = self.state();
        (state.bytes, state.n_dropped, state.n_failed)
    }

    /// The writer's loop; ends when the queue is closed and empty.
    pub(crate) fn run(&self, directory: &Directory) {
        while let Some(job) = self.pop() {
            match job {
                Job::Save(job) => self.save(directory, job),
                Job::Tend => directory.tend(),
                // Whoever asked may have gone.
                Job::Flush(done) => _ = done.send(()),
            }
        }
        directory.tend();
    }

    fn pop(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            state = self.has_changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn save(&self, directory: &Directory, job: SaveJob) {
        let SaveJob { entries, n_bytes, pinned, done } = job;
        let result = write_in_batches(directory, entries);
        directory.unpin(pinned);
        let mut state = self.state();
        state.bytes -= n_bytes;
        if let Err(error) = &result {
            state.n_failed += 1;
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(%error, cause = cause.unwrap_or_default(), "KV was not saved");
        }
        drop(state);
        // Whoever saved may not want to know.
        _ = done.send(result);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_in_batches(directory: &Directory, entries: Vec<NewEntry>) -> Result<(), SaveError> {
    let mut batch = Vec::new();
    let mut n_batch_bytes = 0;
    for NewEntry { name, head, payload } in entries {
        // Saves the hash of what is there already; whether it still is, is seen under the lock.
        let is_last = name.part == Part::Frontier;
        if !is_last && directory.contains(name) && batch.is_empty() {
            continue;
        }
        let encoded = Encoded::new(head, payload, directory.options().compress);
        n_batch_bytes += encoded.n_bytes();
        batch.push(encoded);
        if n_batch_bytes >= BATCH_BYTES {
            directory.write(&std::mem::take(&mut batch))?;
            n_batch_bytes = 0;
        }
    }
    directory.write(&batch)
}
