//! Looking at the directory: making the index, finding prefixes, reading entries. Takes no lock.

use std::collections::HashSet;
use std::io;

use super::{Counters, Directory, State};
use crate::format::{Entry, MAX_FILE_BYTES, MAX_HEADER_BYTES, Name, Part};
use crate::usage::{self, MAX_JOURNAL, Usage};
use crate::{BlockId, Fingerprint, FormatError, ReadError};

/// From so many headers on they are read by several threads: the time is the disk's.
const MANY_HEADERS: usize = 256;
const N_HEADER_READERS: usize = 4;

impl Directory {
    /// Makes the index agree with the directory. Whoever holds the lock may also clear away what
    /// crashes left behind.
    pub(super) fn refresh(&self, has_lock: bool) -> io::Result<()> {
        let listed = self.io.list(&self.paths.entries)?;
        let present: HashSet<Name> = listed.iter().filter_map(|name| Name::parse(name)).collect();
        if present.len() < listed.len() {
            let n_foreign = listed.len() - present.len();
            tracing::warn!(n_foreign, "the KV store holds files that are not its own");
        }
        let mut unknown: Vec<Name> = {
            let mut state = self.state();
            let gone = state.index.names().filter(|name| !present.contains(name));
            for name in gone.collect::<Vec<_>>() {
                state.index.remove(name);
            }
            let is_unknown =
                |name: &Name| !state.index.contains(*name) && !state.index.is_hidden(*name);
            present.into_iter().filter(is_unknown).collect()
        };
        unknown.sort_unstable();
        self.take_up_all(&unknown);
        let damaged = self.list_damaged();
        self.state().damaged = damaged;
        if has_lock {
            self.clear_temporary();
        }
        self.read_journal(has_lock);
        Ok(())
    }

    fn take_up_all(&self, names: &[Name]) {
        if names.len() < MANY_HEADERS {
            for &name in names {
                self.take_up(name);
            }
            return;
        }
        std::thread::scope(|scope| {
            for names in names.chunks(names.len().div_ceil(N_HEADER_READERS)) {
                scope.spawn(|| names.iter().for_each(|&name| _ = self.take_up(name)));
            }
        });
    }

    /// Looks for a file that is not in the index, and takes it up if its header is sound. `false`
    /// if there is none to be had.
    fn take_up(&self, name: Name) -> bool {
        if self.state().index.is_hidden(name) {
            return false;
        }
        match self.read_header(name) {
            Ok(entry) => {
                let mut state = self.state();
                // It may have been chosen for eviction meanwhile.
                let may_enter = !state.index.is_hidden(name);
                if may_enter {
                    state.index.insert(&entry);
                }
                may_enter
            }
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                self.forget(name, &error);
                false
            }
        }
    }

    pub(super) fn read_header(&self, name: Name) -> Result<Entry, ReadError> {
        let path = self.paths.entry(name);
        let read = self.io.read(&path, MAX_HEADER_BYTES as u64);
        let (bytes, length) =
            read.map_err(|source| ReadError::Io { path: path.clone(), source })?;
        let entry = Entry::parse(&bytes, length).and_then(|entry| named(entry, name));
        entry.map_err(|source| ReadError::Invalid { path, source })
    }

    /// How many blocks of a chain are stored, from the beginning without a gap.
    pub(crate) fn n_stored(&self, chain: &[BlockId]) -> usize {
        let mut n = self.state().index.n_known(chain);
        // Another process may have evicted the end: children go before parents, so what is before
        // a block that is there is there too.
        while n > 0 && !self.is_there(Name::block(chain[n - 1])) {
            n -= 1;
        }
        // Or it may have written more.
        while n < chain.len() && self.take_up(Name::block(chain[n])) {
            n += 1;
            n += self.state().index.n_known(&chain[n..]);
        }
        n
    }

    /// Finds the longest prefix of a chain that ends at a frontier, in blocks, and pins it.
    pub(crate) fn find_and_pin(&self, chain: &[BlockId]) -> Option<usize> {
        let n_stored = self.n_stored(chain);
        (1..=n_stored).rev().find(|n| {
            let id = chain[n - 1];
            let name = Name::frontier(id);
            let pin = |state: &mut State| {
                let is_known = state.index.contains(name);
                if is_known {
                    state.index.pin(id);
                }
                is_known
            };
            let is_pinned = pin(&mut self.state());
            if !is_pinned {
                return self.take_up(name) && pin(&mut self.state());
            }
            let is_there = self.is_there(name);
            if !is_there {
                self.unpin([id]);
            }
            is_there
        })
    }

    /// Whether the file of a known entry still exists; if not, it is forgotten.
    fn is_there(&self, name: Name) -> bool {
        let is_there = self.io.len(&self.paths.entry(name)).is_ok();
        if !is_there {
            self.state().index.remove(name);
        }
        is_there
    }

    /// Reads and checks an entry. One that fails is forgotten and not found again.
    ///
    /// # Errors
    /// If it is gone, or not what it should be.
    pub(crate) fn read(&self, name: Name, fingerprint: &Fingerprint) -> Result<Vec<u8>, ReadError> {
        let read = self.read_whole(name).and_then(|(entry, payload)| {
            if entry.fingerprint == *fingerprint {
                return Ok(payload);
            }
            let path = self.paths.entry(name);
            Err(ReadError::Invalid { path, source: FormatError::Name })
        });
        match &read {
            Ok(payload) => Counters::add(&self.counters.read_bytes, payload.len() as u64),
            Err(error) => {
                Counters::add(&self.counters.failed_reads, 1);
                self.forget(name, error);
            }
        }
        read
    }

    /// The bytes of an entry's file, whatever they are.
    pub(crate) fn read_bytes(&self, name: Name) -> Result<Vec<u8>, ReadError> {
        let path = self.paths.entry(name);
        let read = self.io.read(&path, MAX_FILE_BYTES + 1);
        read.map(|(bytes, _)| bytes).map_err(|source| ReadError::Io { path, source })
    }

    pub(super) fn read_whole(&self, name: Name) -> Result<(Entry, Vec<u8>), ReadError> {
        let bytes = self.read_bytes(name)?;
        let path = self.paths.entry(name);
        let parsed = Entry::parse_file(bytes);
        let named = parsed.and_then(|(entry, payload)| Ok((named(entry, name)?, payload)));
        named.map_err(|source| ReadError::Invalid { path, source })
    }

    /// An entry could not be read. Gone is gone; anything else is hidden, and moved aside by the
    /// next one who holds the lock.
    pub(super) fn forget(&self, name: Name, error: &ReadError) {
        let mut state = self.state();
        match error {
            ReadError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                state.index.remove(name);
                return;
            }
            ReadError::Io { .. } => {}
            ReadError::Invalid { .. } => state.suspects.push(name),
        }
        state.index.hide(name);
        drop(state);
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "an entry of the KV store is ignored");
    }

    pub(crate) fn pin(&self, ids: impl IntoIterator<Item = BlockId>) {
        let mut state = self.state();
        ids.into_iter().for_each(|id| state.index.pin(id));
    }

    pub(crate) fn unpin(&self, ids: impl IntoIterator<Item = BlockId>) {
        let mut state = self.state();
        ids.into_iter().for_each(|id| state.index.unpin(id));
    }

    pub(crate) fn contains(&self, name: Name) -> bool {
        self.state().index.contains(name)
    }

    /// Notes that a frontier was restored, or came from elsewhere, which is no hit.
    pub(crate) fn touch(&self, id: BlockId, hits: u32) {
        let usage = Usage { hits, last_used: self.io.now() };
        let mut state = self.state();
        state.index.touch(id, usage);
        state.unlogged.push((id, usage));
    }

    fn list_damaged(&self) -> Vec<(Name, u64)> {
        let listed = self.io.list(&self.paths.damaged).unwrap_or_default();
        let names = listed.iter().filter_map(|name| Name::parse(name));
        let with_bytes =
            names.map(|name| (name, self.io.len(&self.paths.damaged(name)).unwrap_or(0)));
        with_bytes.collect()
    }

    /// Reads the journal; with the lock, also shortens one that has grown.
    fn read_journal(&self, has_lock: bool) {
        let Ok((bytes, length)) = self.io.read(&self.paths.usage, MAX_JOURNAL) else { return };
        let mut usages = usage::parse(&bytes);
        if has_lock && length > usage::LONG_JOURNAL {
            usages.retain(|&id, _| self.contains(Name { id, part: Part::Frontier }));
            self.write_journal(&usages);
        }
        self.state().index.set_usages(usages);
    }

    /// Counts and bytes of all that is there.
    pub(crate) fn totals(&self) -> (usize, u64) {
        let state = self.state();
        (state.index.n_entries(), state.bytes())
    }
}

/// The entry, if its content is what the name stands for.
fn named(entry: Entry, name: Name) -> Result<Entry, FormatError> {
    if entry.name() == name { Ok(entry) } else { Err(FormatError::Name) }
}
