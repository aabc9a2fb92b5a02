//! The output while it grows: `OUT.part`, and what is needed to go on with it after an interruption.
//!
//! `OUT.part.json`, the journal, says from what the file is being made and how many tensors of it
//! are complete and on disk. A run that is asked for the same goes on behind them; for anything
//! else the file starts over. When it is complete it gets its name, and the journal goes.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail};
use gguf::{Writer, WriterBuilder};
use serde::{Deserialize, Serialize};

#[cfg(unix)]
use crate::files::folder;
use crate::files::read_bounded;

/// Longest journal read.
const MAX_JOURNAL_BYTES: u64 = 4 << 20;

/// Bytes after which finished tensors are made durable and counted.
const JOURNAL_STEP_BYTES: u64 = 4 << 20;

/// A file that the output is made of, as far as can be told without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileIdentity {
    path: PathBuf,
    bytes: u64,
    modified_ns: u128,
}

impl FileIdentity {
    pub(crate) fn of(path: &Path) -> anyhow::Result<Self> {
        let read = || -> io::Result<Self> {
            let metadata = fs::metadata(path)?;
            let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            let (bytes, modified_ns) = (metadata.len(), modified.as_nanos());
            Ok(Self { path: fs::canonicalize(path)?, bytes, modified_ns })
        };
        read().with_context(|| format!("cannot read {}", path.display()))
    }
}

/// Everything that decides the output's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// Version of the program, whose encoders may change.
    pub(crate) version: String,
    pub(crate) input: FileIdentity,
    pub(crate) recipe_name: String,
    pub(crate) recipe: String,
    pub(crate) imatrix: Option<FileIdentity>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Journal {
    origin: Origin,
    n_tensors: usize,
}

/// An output that is being written.
pub(crate) struct Output<'a> {
    path: &'a Path,
    part: PathBuf,
    file: File,
    journal: Journal,
    unjournaled_bytes: u64,
}

/// How an output begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// There was nothing.
    New,
    /// This many tensors are complete.
    Continued(usize),
    /// There was a part of something else.
    StartedOver,
}

impl<'a> Output<'a> {
    /// Opens the part of `path`, or makes it.
    pub(crate) fn open(path: &'a Path, origin: Origin) -> anyhow::Result<(Self, Beginning)> {
        let part = with_suffix(path, ".part");
        let cannot_write = || format!("cannot write {}", part.display());
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&part);
        let file = file.with_context(cannot_write)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                bail!("another process is writing {}", part.display())
            }
            // File systems without locks exist, and writing to one alone is fine.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let was_empty = file.metadata().with_context(cannot_write)?.len() == 0;
        let found = read_journal(&with_suffix(&part, ".json"));
        let (n_tensors, beginning) = match found {
            Some(found) if found.origin == origin && !was_empty => {
                (found.n_tensors, Beginning::Continued(found.n_tensors))
            }
            None if was_empty => (0, Beginning::New),
            _ => (0, Beginning::StartedOver),
        };
        let journal = Journal { origin, n_tensors };
        Ok((Self { path, part, file, journal, unjournaled_bytes: 0 }, beginning))
    }

    /// A writer of the tensors that are missing, after what is there.
    pub(crate) fn writer(&self, header: WriterBuilder) -> anyhow::Result<Writer<File>> {
        let cannot_write = || format!("cannot write {}", self.part.display());
        let file = self.file.try_clone().with_context(cannot_write)?;
        if self.journal.n_tensors > 0 {
            return header.resume(file, self.journal.n_tensors).with_context(cannot_write);
        }
        file.set_len(0).with_context(cannot_write)?;
        header.begin(file).with_context(cannot_write)
    }

    /// Counts one more tensor as complete.
    pub(crate) fn tensor_done(&mut self, bytes: u64) -> anyhow::Result<()> {
        self.journal.n_tensors += 1;
        self.unjournaled_bytes += bytes;
        if self.unjournaled_bytes >= JOURNAL_STEP_BYTES {
            self.unjournaled_bytes = 0;
            self.write_journal()
                .with_context(|| format!("cannot write {}", self.part.display()))?;
        }
        Ok(())
    }

    /// The data first, so that the journal never promises what is not there.
    fn write_journal(&self) -> io::Result<()> {
        self.file.sync_data()?;
        let path = with_suffix(&self.part, ".json");
        let new = with_suffix(&path, ".new");
        fs::write(&new, serde_json::to_vec_pretty(&self.journal)?)?;
        File::open(&new)?.sync_all()?;
        fs::rename(new, path)
    }

    /// Gives the complete file its name.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let cannot_write = || format!("cannot write {}", self.path.display());
        self.file.sync_all().with_context(cannot_write)?;
        fs::rename(&self.part, self.path).with_context(cannot_write)?;
        let journal = with_suffix(&self.part, ".json");
        match fs::remove_file(journal) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context("cannot remove the journal");
            }
            _ => {}
        }
        // A rename is durable when its folder is; only Unix can open one.
        #[cfg(unix)]
        File::open(folder(self.path)).and_then(|dir| dir.sync_all()).with_context(cannot_write)?;
        Ok(())
    }
}

fn read_journal(path: &Path) -> Option<Journal> {
    serde_json::from_slice(&read_bounded(path, MAX_JOURNAL_BYTES).ok()?).ok()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
