//! The store as an engine sees it: look up a prefix, save what is new, and never wait for a disk.

use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::directory::Counters;
use crate::format::{EntryHead, FrontierKind, MAX_BLOCK_TOKENS, Name};
use crate::id::LastChain;
use crate::queue::{Job, NewEntry, Queue, SaveJob};
use crate::restore::Hit;
use crate::{
    BlockId, Directory, DirectoryOptions, Fingerprint, Io, OpenError, SaveError, SystemIo,
};

/// How a store is used.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The most bytes that the directory may take, for all models that use it.
    pub budget_bytes: u64,
    /// Tokens of a block, 1 to [`MAX_BLOCK_TOKENS`]. Blocks of another size are not seen.
    pub block_tokens: usize,
    /// Compress payloads with zstd where that makes them smaller.
    pub compress: bool,
    /// The most bytes that may wait to be written, in memory.
    pub queue_bytes: u64,
}

impl Options {
    /// Blocks of 128 tokens, not compressed, and 256 MiB that may wait.
    #[must_use]
    pub fn new(budget_bytes: u64) -> Self {
        Self { budget_bytes, block_tokens: 128, compress: false, queue_bytes: 256 << 20 }
    }
}

/// A directory of one model's prefixes. A handle: clones are the same store. When the last one goes,
/// it waits for what is queued to be written.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    directory: Arc<Directory>,
    queue: Arc<Queue>,
    fingerprint: Fingerprint,
    block_tokens: usize,
    last_chain: Mutex<LastChain>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What is to be saved.
pub struct Save<'a> {
    /// All tokens from the beginning to the end of the last block: a whole number of blocks.
    pub tokens: &'a [u32],
    /// The payloads of the last blocks of `tokens`, in order. What is before them is stored already;
    /// how much that is, [`Store::n_stored_blocks`] says.
    pub blocks: Vec<Vec<u8>>,
    /// What else is needed to go on behind the last block.
    pub frontier: Option<NewFrontier>,
}

/// A frontier to be saved.
pub struct NewFrontier {
    /// Why here.
    pub kind: FrontierKind,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Tells how a save went.
pub struct Receipt {
    done: Receiver<Result<(), SaveError>>,
}

impl Receipt {
    /// Waits until all of the save is on the disk.
    ///
    /// # Errors
    /// If it is not.
    pub fn wait(self) -> Result<(), SaveError> {
        self.done.recv().unwrap_or(Err(SaveError::Closed))
    }
}

/// Counts since the store was opened, and what is there now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries in the directory.
    pub entries: u64,
    /// Bytes in the directory.
    pub bytes: u64,
    /// Lookups that found a prefix.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Entries that could not be read when they were wanted.
    pub failed_reads: u64,
    /// Bytes of payloads that were read.
    pub read_bytes: u64,
    /// Damaged entries that were moved aside.
    pub damaged_entries: u64,
    /// Entries that were written.
    pub written_entries: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Entries that were to be written and were there already.
    pub deduplicated_entries: u64,
    /// Entries that were evicted.
    pub evicted_entries: u64,
    /// Bytes that were evicted.
    pub evicted_bytes: u64,
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    /// Saves that were refused at once.
    pub dropped_saves: u64,
    /// Saves that failed later.
    pub failed_saves: u64,
}

impl Store {
    /// Opens a directory, which is made if it is not there, and starts its writer. One that cannot
    /// be written to is read-only: lookups work, saves are refused.
    ///
    /// # Errors
    /// If the directory can be neither made nor read.
    ///
    /// # Panics
    /// If `block_tokens` is out of its range, or no thread can be started.
    pub fn open(
        dir: &Path,
        fingerprint: Fingerprint,
        options: &Options,
    ) -> Result<Self, OpenError> {
        Self::open_with(Arc::new(SystemIo), dir, fingerprint, options)
    }

    /// [`Store::open`], on another system.
    ///
    /// # Errors
    /// If the directory can be neither made nor read.
    ///
    /// # Panics
    /// If `block_tokens` is out of its range, or no thread can be started.
    pub fn open_with(
        io: Arc<dyn Io>,
        dir: &Path,
        fingerprint: Fingerprint,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let Options { budget_bytes, block_tokens, compress, queue_bytes } = *options;
        assert!((1..=MAX_BLOCK_TOKENS).contains(&block_tokens), "blocks of {block_tokens} tokens");
        let directory_options = DirectoryOptions { budget_bytes, compress };
        let directory = Arc::new(Directory::open_with(io, dir, directory_options)?);
        let queue = Arc::new(Queue::new(queue_bytes));
        let writer = {
            let (directory, queue) = (Arc::clone(&directory), Arc::clone(&queue));
            let thread = std::thread::Builder::new().name("kv-store".to_owned());
            thread.spawn(move || queue.run(&directory)).expect("a thread can be started")
        };
        let writer = Mutex::new(Some(writer));
        let last_chain = Mutex::default();
        let inner = Inner { directory, queue, fingerprint, block_tokens, last_chain, writer };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Finds the longest stored prefix of `tokens` that can be restored, and keeps it from being
    /// evicted for as long as the hit lives. To have a token left to compute logits from, leave out
    /// the last one.
    ///
    /// Looks at one file to three, more where other processes have written; waits for nothing else.
    #[must_use]
    pub fn lookup(&self, tokens: &[u32]) -> Option<Hit> {
        let inner = &self.inner;
        let counters = &inner.directory.counters;
        let mut chain = inner.chain(tokens);
        let found = inner.directory.find_and_pin(&chain);
        Counters::add(if found.is_some() { &counters.hits } else { &counters.misses }, 1);
        chain.truncate(found?);
        let (directory, queue) = (Arc::clone(&inner.directory), Arc::clone(&inner.queue));
        Some(Hit::new(directory, queue, inner.fingerprint, chain, inner.block_tokens))
    }

    /// How many blocks of `tokens` are stored, from the beginning without a gap: only what is
    /// behind them has to be saved.
    #[must_use]
    pub fn n_stored_blocks(&self, tokens: &[u32]) -> usize {
        self.inner.directory.n_stored(&self.inner.chain(tokens))
    }

    /// Whether there is a frontier behind the last of `tokens`, which are a whole number of blocks.
    ///
    /// # Panics
    /// If they are not.
    #[must_use]
    pub fn has_frontier(&self, tokens: &[u32]) -> bool {
        assert_eq!(tokens.len() % self.inner.block_tokens, 0, "whole blocks");
        let last = self.inner.chain(tokens).last().copied();
        last.is_some_and(|id| self.inner.directory.contains(Name::frontier(id)))
    }

    /// Queues blocks and a frontier to be written. Never waits: what does not fit the queue is
    /// refused. What is stored already is not written again.
    ///
    /// # Errors
    /// If the save is refused; the caller loses nothing but the saving.
    ///
    /// # Panics
    /// If `tokens` is not a whole number of blocks, if there are more blocks than that, or if a
    /// payload has more bytes than [`crate::MAX_PAYLOAD_BYTES`].
    pub fn save(&self, save: Save<'_>) -> Result<Receipt, SaveError> {
        let inner = &self.inner;
        let refused = |error| {
            inner.queue.count_dropped();
            Err(error)
        };
        if inner.directory.is_read_only() {
            return refused(SaveError::ReadOnly);
        }
        let (entries, pinned) = inner.entries(save);
        let n_bytes = entries.iter().map(NewEntry::n_bytes).sum();
        let budget_bytes = inner.directory.options().budget_bytes;
        if n_bytes > budget_bytes {
            return refused(SaveError::TooLarge { bytes: n_bytes, budget_bytes });
        }
        let (done, receipt) = mpsc::channel();
        inner.directory.pin(pinned.iter().copied());
        match inner.queue.push_save(SaveJob { entries, n_bytes, pinned, done }) {
            Ok(()) => Ok(Receipt { done: receipt }),
            Err((job, error)) => {
                inner.directory.unpin(job.pinned);
                Err(error)
            }
        }
    }

    /// Waits until all that was saved before is on the disk, or has failed.
    pub fn flush(&self) {
        let (done, flushed) = mpsc::channel();
        self.inner.queue.push(Job::Flush(done));
        // An error means that the writer has ended, which leaves nothing to wait for.
        _ = flushed.recv();
    }

    /// Tokens of a block.
    #[must_use]
    pub fn block_tokens(&self) -> usize {
        self.inner.block_tokens
    }

    /// Whether the directory cannot be written to, so that every save is refused.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.inner.directory.is_read_only()
    }

    /// Counts, for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (queued_bytes, dropped_saves, failed_saves) = self.inner.queue.counts();
        let stats = self.inner.directory.stats();
        Stats { queued_bytes, dropped_saves, failed_saves, ..stats }
    }
}

impl Inner {
    fn chain(&self, tokens: &[u32]) -> Vec<BlockId> {
        let mut last = self.last_chain.lock().unwrap_or_else(PoisonError::into_inner);
        last.of(&self.fingerprint, tokens, self.block_tokens)
    }

    /// The entries of a save, in the order in which they must be written, and all ids to pin.
    fn entries(&self, save: Save<'_>) -> (Vec<NewEntry>, Vec<BlockId>) {
        let Save { tokens, blocks, frontier } = save;
        let n_blocks = tokens.len() / self.block_tokens;
        assert_eq!(tokens.len() % self.block_tokens, 0, "{} tokens are no blocks", tokens.len());
        assert!(blocks.len() <= n_blocks, "{} payloads for {n_blocks} blocks", blocks.len());
        assert!(n_blocks > 0, "a save has at least a block");
        let first = n_blocks - blocks.len();
        let chain = self.chain(tokens);
        let created = self.directory.io().now();
        let mut entries = Vec::with_capacity(blocks.len() + 1);
        for (n, payload) in (first..).zip(blocks) {
            let parent = if n == 0 { BlockId::NONE } else { chain[n - 1] };
            let range = n * self.block_tokens..(n + 1) * self.block_tokens;
            let head = EntryHead {
                frontier: None,
                fingerprint: self.fingerprint,
                parent,
                position: range.end as u32,
                tokens: tokens[range].to_vec(),
                created,
            };
            entries.push(NewEntry { name: Name::block(chain[n]), head, payload });
        }
        let last = chain[n_blocks - 1];
        if let Some(NewFrontier { kind, payload }) = frontier {
            let head = EntryHead {
                frontier: Some(kind),
                fingerprint: self.fingerprint,
                parent: last,
                position: tokens.len() as u32,
                tokens: Vec::new(),
                created,
            };
            entries.push(NewEntry { name: Name::frontier(last), head, payload });
        }
        let pinned = chain[first.saturating_sub(1)..].to_vec();
        (entries, pinned)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the writer has been reported; there is nothing to add.
        _ = writer.map(JoinHandle::join);
    }
}

impl Directory {
    /// What the directory knows of [`Stats`].
    pub(crate) fn stats(&self) -> Stats {
        let (entries, bytes) = self.totals();
        let counters = &self.counters;
        let read = |counter: &std::sync::atomic::AtomicU64| {
            counter.load(std::sync::atomic::Ordering::Relaxed)
        };
        Stats {
            entries: entries as u64,
            bytes,
            hits: read(&counters.hits),
            misses: read(&counters.misses),
            failed_reads: read(&counters.failed_reads),
            read_bytes: read(&counters.read_bytes),
            damaged_entries: read(&counters.damaged_entries),
            written_entries: read(&counters.written_entries),
            written_bytes: read(&counters.written_bytes),
            deduplicated_entries: read(&counters.deduplicated_entries),
            evicted_entries: read(&counters.evicted_entries),
            evicted_bytes: read(&counters.evicted_bytes),
            ..Stats::default()
        }
    }
}
