//! A prefix that was found, and reading it: several files at once, handed out in order.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use crate::format::Name;
use crate::queue::{Job, Queue};
use crate::{BlockId, Directory, Fingerprint, ReadError};

/// Files that are read at the same time: enough to keep a disk busy while others are hashed.
const N_READERS: usize = 4;
/// Blocks that each reader may be ahead.
const N_AHEAD: usize = 2;

/// A stored prefix. It is not evicted by this process while the hit lives; another process may
/// remove it, and a file may turn out damaged. Then reading fails, and the hit is a miss: forget
/// what was read, look up again, and a shorter prefix or none will be found.
pub struct Hit {
    directory: Arc<Directory>,
    queue: Arc<Queue>,
    fingerprint: Fingerprint,
    chain: Vec<BlockId>,
    block_tokens: usize,
}

impl Hit {
    /// `chain` ends with a block that has been pinned.
    pub(crate) fn new(
        directory: Arc<Directory>,
        queue: Arc<Queue>,
        fingerprint: Fingerprint,
        chain: Vec<BlockId>,
        block_tokens: usize,
    ) -> Self {
        Self { directory, queue, fingerprint, chain, block_tokens }
    }

    /// Tokens of the prefix.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.chain.len() * self.block_tokens
    }

    /// Blocks of the prefix.
    #[must_use]
    pub fn n_blocks(&self) -> usize {
        self.chain.len()
    }

    /// Reads the frontier behind the last block. Counts as a use of the prefix.
    ///
    /// # Errors
    /// If it cannot be had; the hit is a miss then.
    pub fn frontier(&self) -> Result<Vec<u8>, ReadError> {
        let id = self.chain[self.chain.len() - 1];
        let read = self.directory.read(Name::frontier(id), &self.fingerprint);
        if read.is_ok() {
            self.directory.touch(id, 1);
        }
        self.queue.push(Job::Tend);
        read
    }

    /// Reads the blocks from the `first` on, in order.
    ///
    /// # Panics
    /// If there are fewer blocks than `first`.
    #[must_use]
    pub fn blocks(&self, first: usize) -> Blocks<'_> {
        let chain = &self.chain[first..];
        let n_readers = chain.len().min(N_READERS);
        let readers = (0..n_readers).map(|reader| self.start_reader(chain, reader, n_readers));
        Blocks { hit: self, readers: readers.collect(), next: 0, left: chain.len() }
    }

    /// Starts a thread that reads every so manieth block.
    fn start_reader(
        &self,
        chain: &[BlockId],
        first: usize,
        step: usize,
    ) -> Receiver<Result<Vec<u8>, ReadError>> {
        let (sender, receiver) = sync_channel(N_AHEAD);
        let ids: Vec<BlockId> = chain[first..].iter().step_by(step).copied().collect();
        let (directory, fingerprint) = (Arc::clone(&self.directory), self.fingerprint);
        std::thread::spawn(move || {
            for id in ids {
                let read = directory.read(Name::block(id), &fingerprint);
                let has_failed = read.is_err();
                // Nobody listens any more when a block before this one has failed.
                if sender.send(read).is_err() || has_failed {
                    return;
                }
            }
        });
        receiver
    }
}

impl Drop for Hit {
    fn drop(&mut self) {
        self.directory.unpin(self.chain.last().copied());
    }
}

/// The payloads of a hit's blocks, in order. Ends after the first error.
pub struct Blocks<'a> {
    hit: &'a Hit,
    readers: Vec<Receiver<Result<Vec<u8>, ReadError>>>,
    next: usize,
    left: usize,
}

impl Iterator for Blocks<'_> {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let read = self.readers[self.next].recv().expect("a reader ends with its last block");
        self.next = (self.next + 1) % self.readers.len();
        if read.is_err() {
            self.left = 0;
            self.hit.queue.push(Job::Tend);
        }
        Some(read)
    }
}
