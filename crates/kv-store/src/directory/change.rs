//! Changing the directory: writing, evicting, moving damaged files aside. All under the lock.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::{Counters, Directory, State};
use crate::eviction::{next_unusable, next_victim};
use crate::format::{Encoded, Name};
use crate::usage::{self, Usage};
use crate::{BlockId, Lock, ReadError, SaveError, Unsynced};

/// A holder of the lock writes a few dozen megabytes. Who waits longer has met a process that hangs.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(2);
/// From so many files on they are written and synced by several threads.
const MANY_FILES: usize = 8;
const N_WRITERS: usize = 4;
/// Damaged files are kept for whoever wants to know why; this many are enough.
const MAX_DAMAGED: usize = 16;

impl Directory {
    /// Does something under the lock, with an index that agrees with the directory.
    ///
    /// # Errors
    /// If the lock is not to be had, or as `work`.
    pub(super) fn locked<T>(
        &self,
        work: impl FnOnce() -> Result<T, SaveError>,
    ) -> Result<T, SaveError> {
        let path = &self.paths.lock;
        let mut lock = self.lock()?;
        let generation = lock.number().map_err(|error| failed(path, error))?;
        if self.state().generation != Some(generation) {
            self.refresh(true).map_err(|error| failed(&self.paths.entries, error))?;
        }
        // Before the work, so that a crash in it is noticed too.
        let next = generation.wrapping_add(1);
        lock.set_number(next).map_err(|error| failed(path, error))?;
        self.state().generation = Some(next);
        self.move_suspects();
        work()
    }

    /// Takes the lock. Who waits for it holds `turn` meanwhile, which all have to pass, so that one
    /// who writes without a pause lets others in between.
    fn lock(&self) -> Result<Box<dyn Lock>, SaveError> {
        if self.state().is_read_only {
            return Err(SaveError::ReadOnly);
        }
        let deadline = Instant::now() + LOCK_PATIENCE;
        let _turn = self.lock_file(&self.paths.turn, deadline)?;
        self.lock_file(&self.paths.lock, deadline)
    }

    fn lock_file(&self, path: &Path, deadline: Instant) -> Result<Box<dyn Lock>, SaveError> {
        let mut may_make = true;
        loop {
            match self.io.try_lock(path) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if Instant::now() >= deadline => return Err(SaveError::Busy),
                Ok(None) => std::thread::sleep(LOCK_PAUSE),
                // Someone has removed the directory.
                Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => {
                    may_make = false;
                    self.make_dirs().map_err(|error| failed(&self.paths.root, error))?;
                }
                Err(error) if is_read_only(&error) => {
                    self.become_read_only(&error);
                    return Err(SaveError::ReadOnly);
                }
                Err(error) => return Err(failed(path, error)),
            }
        }
    }

    /// Writes entries, parents before children, and makes them durable. Those that are there
    /// already are left alone.
    ///
    /// # Errors
    /// If they are not all stored then. What did get stored stays.
    pub(crate) fn write(&self, entries: &[Encoded]) -> Result<(), SaveError> {
        self.locked(|| {
            let new = self.missing(entries)?;
            let n_bytes: u64 = new.iter().map(|entry| entry.n_bytes()).sum();
            let n_known = (entries.len() - new.len()) as u64;
            Counters::add(&self.counters.deduplicated_entries, n_known);
            self.make_room(n_bytes)?;
            match self.write_files(&new) {
                Err(SaveError::Io { source, .. }) if is_full(&source) => {
                    tracing::warn!("the disk is full: the KV store makes room in what it has");
                    self.free(n_bytes)?;
                    self.write_files(&self.missing(entries)?)
                }
                done => done,
            }
        })
    }

    /// The entries that are not stored yet.
    ///
    /// # Errors
    /// If one's parent is neither stored nor among those before it.
    fn missing<'a>(&self, entries: &'a [Encoded]) -> Result<Vec<&'a Encoded>, SaveError> {
        let state = self.state();
        let mut new: Vec<&Encoded> = Vec::new();
        for encoded in entries {
            let parent = encoded.entry.parent;
            let has_parent = parent == BlockId::NONE
                || state.index.contains(Name::block(parent))
                || new.iter().rev().any(|before| before.entry.name() == Name::block(parent));
            if !has_parent {
                return Err(SaveError::MissingParent);
            }
            if !state.index.contains(encoded.entry.name()) {
                new.push(encoded);
            }
        }
        Ok(new)
    }

    fn write_files(&self, entries: &[&Encoded]) -> Result<(), SaveError> {
        let done = self.write_and_rename(entries);
        if done.is_err() {
            self.clear_temporary();
        }
        done
    }

    fn write_and_rename(&self, entries: &[&Encoded]) -> Result<(), SaveError> {
        self.write_and_sync_all(entries)?;
        for encoded in entries {
            let name = encoded.entry.name();
            let path = self.paths.entry(name);
            let renamed = self.io.rename(&self.paths.temporary(name), &path);
            renamed.map_err(|error| failed(&path, error))?;
            self.state().index.insert(&encoded.entry);
            Counters::add(&self.counters.written_entries, 1);
            Counters::add(&self.counters.written_bytes, encoded.n_bytes());
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.io.sync_dir(&self.paths.entries).map_err(|error| failed(&self.paths.entries, error))
    }

    /// Each sync waits for the disk's journal, which takes several at once.
    fn write_and_sync_all(&self, entries: &[&Encoded]) -> Result<(), SaveError> {
        if entries.len() < MANY_FILES {
            return self.write_and_sync(entries);
        }
        std::thread::scope(|scope| {
            let parts = entries.chunks(entries.len().div_ceil(N_WRITERS));
            let writers: Vec<_> =
                parts.map(|part| scope.spawn(|| self.write_and_sync(part))).collect();
            let done = writers.into_iter().map(|writer| writer.join().expect("it does not panic"));
            done.collect()
        })
    }

    fn write_and_sync(&self, entries: &[&Encoded]) -> Result<(), SaveError> {
        for encoded in entries {
            let path = self.paths.temporary(encoded.entry.name());
            let written = self.io.write(&path, &[&encoded.header, &encoded.payload]);
            written.and_then(Unsynced::sync).map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }

    /// Evicts until so many more bytes fit the budget.
    pub(super) fn make_room(&self, n_bytes: u64) -> Result<(), SaveError> {
        self.evict(n_bytes, |state_bytes| state_bytes + n_bytes <= self.options.budget_bytes)
    }

    /// Evicts so many bytes.
    fn free(&self, n_bytes: u64) -> Result<(), SaveError> {
        let before = self.state().bytes();
        self.evict(n_bytes, |state_bytes| state_bytes + n_bytes <= before)
    }

    fn evict(&self, n_bytes: u64, is_enough: impl Fn(u64) -> bool) -> Result<(), SaveError> {
        loop {
            let mut state = self.state();
            if is_enough(state.bytes()) {
                return Ok(());
            }
            if let Some((name, _)) = state.damaged.pop() {
                drop(state);
                remove(self, &self.paths.damaged(name))?;
                continue;
            }
            let victim = next_victim(&state.index, self.io.now());
            let Some(names) = victim else { return Err(SaveError::NoRoom { bytes: n_bytes }) };
            self.remove_all(state, &names)?;
        }
    }

    /// Removes entries, in this order.
    fn remove_all(
        &self,
        mut state: MutexGuard<'_, State>,
        names: &[Name],
    ) -> Result<(), SaveError> {
        let before = state.index.bytes();
        // Out of the index first, so that nobody can pin them any more.
        for &name in names {
            state.index.hide(name);
        }
        Counters::add(&self.counters.evicted_bytes, before - state.index.bytes());
        drop(state);
        Counters::add(&self.counters.evicted_entries, names.len() as u64);
        for (n_removed, &name) in names.iter().enumerate() {
            if let Err(error) = remove(self, &self.paths.entry(name)) {
                // They are still there, and are counted again before the next decision.
                let mut state = self.state();
                for &name in &names[n_removed..] {
                    state.index.unhide(name);
                }
                state.generation = None;
                return Err(error);
            }
            self.state().index.unhide(name);
        }
        Ok(())
    }

    /// Removes damaged files, what cannot be restored, and then what is worth least, until at most
    /// `keep_bytes` are left.
    ///
    /// # Errors
    /// If not everything can be removed, or another process holds the lock for too long.
    pub fn prune(&self, keep_bytes: u64) -> Result<(), SaveError> {
        self.locked(|| {
            loop {
                let mut state = self.state();
                let Some((name, _)) = state.damaged.pop() else { break };
                drop(state);
                remove(self, &self.paths.damaged(name))?;
            }
            loop {
                let state = self.state();
                let Some(names) = next_unusable(&state.index) else { break };
                self.remove_all(state, &names)?;
            }
            self.evict(0, |state_bytes| state_bytes <= keep_bytes)
        })
    }

    /// Moves damaged files out of the way, if they are damaged still.
    fn move_suspects(&self) {
        let suspects = std::mem::take(&mut self.state().suspects);
        for name in suspects {
            if self.state().index.contains(name) {
                continue;
            }
            let (from, to) = (self.paths.entry(name), self.paths.damaged(name));
            match self.read_whole(name) {
                Ok((entry, _)) => self.state().index.insert(&entry),
                Err(ReadError::Invalid { .. }) => {
                    let bytes = self.io.len(&from).unwrap_or(0);
                    if let Err(error) = self.io.rename(&from, &to) {
                        tracing::warn!(%error, %name, "a damaged entry cannot be moved aside");
                        continue;
                    }
                    Counters::add(&self.counters.damaged_entries, 1);
                    let mut state = self.state();
                    state.index.unhide(name);
                    state.damaged.retain(|(damaged, _)| *damaged != name);
                    state.damaged.push((name, bytes));
                }
                Err(ReadError::Io { .. }) => {}
            }
        }
        let n_too_many = self.state().damaged.len().saturating_sub(MAX_DAMAGED);
        let oldest: Vec<_> = self.state().damaged.drain(..n_too_many).collect();
        for (name, _) in oldest {
            _ = remove(self, &self.paths.damaged(name));
        }
    }

    /// Does what can be done at leisure: writes down uses, moves damaged files aside.
    pub(crate) fn tend(&self) {
        let unlogged = std::mem::take(&mut self.state().unlogged);
        let records: Vec<u8> =
            unlogged.iter().flat_map(|&(id, usage)| usage::record(id, usage)).collect();
        let is_read_only = self.is_read_only();
        if !records.is_empty()
            && !is_read_only
            && let Err(error) = self.io.append(&self.paths.usage, &records)
        {
            tracing::debug!(%error, "uses of the KV store are not written down");
        }
        if !self.state().suspects.is_empty() && !is_read_only {
            _ = self.locked(|| Ok(()));
        }
    }

    pub(super) fn write_journal(&self, usages: &HashMap<BlockId, Usage>) {
        let records: Vec<u8> =
            usages.iter().flat_map(|(id, usage)| usage::record(*id, *usage)).collect();
        let temporary = self.paths.temporary.join("usage");
        let written = self.io.write(&temporary, &[&records]).and_then(Unsynced::sync);
        let renamed = written.and_then(|()| self.io.rename(&temporary, &self.paths.usage));
        if let Err(error) = renamed {
            tracing::debug!(%error, "the journal of the KV store stays long");
        }
    }

    /// Removes all temporary files: with the lock held, nobody is writing them.
    pub(super) fn clear_temporary(&self) {
        for name in self.io.list(&self.paths.temporary).unwrap_or_default() {
            let path = self.paths.temporary.join(name);
            if let Err(error) = remove(self, &path) {
                tracing::warn!(%error, path = %path.display(), "a temporary file stays");
            }
        }
    }
}

/// Removes a file; one that is gone already is fine.
fn remove(directory: &Directory, path: &Path) -> Result<(), SaveError> {
    match directory.io.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> SaveError {
    SaveError::Io { path: PathBuf::from(path), source }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn is_read_only(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | Unsupported)
}
