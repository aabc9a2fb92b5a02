//! One directory: its files, the index of them, and the lock under which it is changed.
//!
//! The way of an entry: written as `temporary/NAME` and synced, renamed to `entries/NAME`, and the
//! directory synced; only then is it saved. A damaged one goes to `damaged/NAME`.
//!
//! Two processes: whoever writes, evicts or moves holds the lock on the file `lock`, in which the
//! holders count. A process that finds another number than it left looks through the directory
//! again, so that it knows all there is before it decides what to evict. So the budget holds for
//! all together, and whatever lies in `temporary` is left over from a crash. Readers take no lock.
//! What another process wrote is found by its name, which follows from the tokens: a look at one
//! file that is not there ends the search.

mod change;
mod list;
mod look;

pub use list::Prefix;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::format::Name;
use crate::index::Index;
use crate::usage::Usage;
use crate::{BlockId, Io, OpenError, SystemIo};

/// What a directory may take, and how it is written.
#[derive(Debug, Clone, Copy)]
pub struct DirectoryOptions {
    /// The most bytes of all entries together, with damaged and temporary files.
    pub budget_bytes: u64,
    /// Compress payloads with zstd where that makes them smaller.
    pub compress: bool,
}

/// A directory of entries, of any fingerprint.
pub struct Directory {
    io: Arc<dyn Io>,
    paths: Paths,
    options: DirectoryOptions,
    state: Mutex<State>,
    pub(crate) counters: Counters,
}

/// What is known of the directory.
#[derive(Default)]
struct State {
    index: Index,
    /// The number that the lock file held when the index was made to agree with the directory.
    generation: Option<u64>,
    is_read_only: bool,
    /// Damaged files to be moved aside.
    suspects: Vec<Name>,
    /// Damaged files that have been moved aside, with their bytes.
    damaged: Vec<(Name, u64)>,
    /// Uses that are not in the journal yet.
    unlogged: Vec<(BlockId, Usage)>,
}

struct Paths {
    root: PathBuf,
    entries: PathBuf,
    temporary: PathBuf,
    damaged: PathBuf,
    turn: PathBuf,
    lock: PathBuf,
    usage: PathBuf,
}

/// Counts since the directory was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) written_entries: AtomicU64,
    pub(crate) written_bytes: AtomicU64,
    pub(crate) deduplicated_entries: AtomicU64,
    pub(crate) evicted_entries: AtomicU64,
    pub(crate) evicted_bytes: AtomicU64,
    pub(crate) read_bytes: AtomicU64,
    pub(crate) failed_reads: AtomicU64,
    pub(crate) damaged_entries: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

impl Directory {
    /// Opens a directory, which is made if it is not there, for its owner alone. One that cannot be
    /// written to is opened read-only, with a warning.
    ///
    /// # Errors
    /// If it can be neither made nor read.
    pub fn open(path: &Path, options: DirectoryOptions) -> Result<Self, OpenError> {
        Self::open_with(Arc::new(SystemIo), path, options)
    }

    /// [`Directory::open`], on another system.
    ///
    /// # Errors
    /// If it can be neither made nor read.
    pub fn open_with(
        io: Arc<dyn Io>,
        path: &Path,
        options: DirectoryOptions,
    ) -> Result<Self, OpenError> {
        let directory = Self {
            io,
            paths: Paths::new(path),
            options,
            state: Mutex::default(),
            counters: Counters::default(),
        };
        directory.start().map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        Ok(directory)
    }

    fn start(&self) -> std::io::Result<()> {
        let not_made = self.make_dirs().err();
        self.state().is_read_only = not_made.is_some();
        // Whether there is anything to read; if not, that is what is told.
        self.look_through()?;
        if let Some(error) = not_made {
            self.warn_read_only(&error);
        }
        Ok(())
    }

    fn look_through(&self) -> std::io::Result<()> {
        // What a crash left over is removed, and a budget that has become smaller is kept. Both can
        // wait for the first save while another process is busy.
        if let Err(error) = self.locked(|| self.make_room(0)) {
            tracing::debug!(%error, "the KV store is opened without its lock");
            let is_read_only = self.state().is_read_only;
            match self.refresh(false) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_read_only => {
                    self.io.list(&self.paths.root)?;
                }
                done => done?,
            }
        }
        Ok(())
    }

    fn make_dirs(&self) -> std::io::Result<()> {
        let Paths { root, entries, temporary, damaged, .. } = &self.paths;
        [root, entries, temporary, damaged]
            .into_iter()
            .try_for_each(|path| self.io.create_dir(path))
    }

    /// Whether nothing can be written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.state().is_read_only
    }

    pub(crate) fn io(&self) -> &dyn Io {
        &*self.io
    }

    pub(crate) fn entry_path(&self, name: Name) -> PathBuf {
        self.paths.entry(name)
    }

    pub(crate) fn options(&self) -> &DirectoryOptions {
        &self.options
    }

    fn become_read_only(&self, error: &std::io::Error) {
        let was_read_only = std::mem::replace(&mut self.state().is_read_only, true);
        if !was_read_only {
            self.warn_read_only(error);
        }
    }

    fn warn_read_only(&self, error: &std::io::Error) {
        let path = self.paths.root.display();
        tracing::warn!(%path, %error, "the KV store cannot be written to: nothing is saved");
    }

    /// No step that holds the state can leave it half changed, so a panic elsewhere does not
    /// matter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// All bytes that count towards the budget.
    fn bytes(&self) -> u64 {
        self.index.bytes() + self.damaged.iter().map(|(_, bytes)| bytes).sum::<u64>()
    }
}

impl Paths {
    fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            entries: root.join("entries"),
            temporary: root.join("temporary"),
            damaged: root.join("damaged"),
            turn: root.join("turn"),
            lock: root.join("lock"),
            usage: root.join("usage"),
        }
    }

    fn entry(&self, name: Name) -> PathBuf {
        self.entries.join(name.to_string())
    }

    fn temporary(&self, name: Name) -> PathBuf {
        self.temporary.join(name.to_string())
    }

    fn damaged(&self, name: Name) -> PathBuf {
        self.damaged.join(name.to_string())
    }
}
