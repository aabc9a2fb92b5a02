//! A disk in memory that fails when it is told to, and that forgets what was not synced when the
//! power goes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kv_store::{Io, Lock, Unsynced};

/// When operations fail. They are counted from 0.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// This one does nothing, or half of it.
    Once(usize),
    /// This one is done and fails all the same.
    After(usize),
    /// This one and all that follow: the process ends, or the disk does.
    From(usize),
}

/// A handle; clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
struct State {
    files: Vec<File>,
    /// What a process sees.
    names: BTreeMap<PathBuf, usize>,
    /// What a power cut leaves.
    durable: BTreeMap<PathBuf, usize>,
    /// Changes of names that a power cut may undo, one by one.
    pending: Vec<(PathBuf, Option<usize>)>,
    dirs: BTreeSet<PathBuf>,
    locked: BTreeSet<usize>,
    now: u64,
    n_operations: usize,
    fault: Option<(Fault, ErrorKind)>,
    capacity: Option<u64>,
    is_read_only: bool,
    /// The most bytes that all files but the journal and the locks ever had.
    peak_bytes: u64,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy that shares nothing.
    pub(crate) fn copy(&self) -> Self {
        let mut state = self.state().clone();
        state.locked.clear();
        Self { state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn io(&self) -> Arc<dyn Io> {
        Arc::new(self.clone())
    }

    pub(crate) fn set_now(&self, now: u64) {
        self.state().now = now;
    }

    pub(crate) fn set_fault(&self, fault: Option<(Fault, ErrorKind)>) {
        let mut state = self.state();
        state.n_operations = 0;
        state.fault = fault;
    }

    pub(crate) fn set_capacity(&self, capacity: Option<u64>) {
        self.state().capacity = capacity;
    }

    pub(crate) fn set_read_only(&self) {
        self.state().is_read_only = true;
    }

    pub(crate) fn n_operations(&self) -> usize {
        self.state().n_operations
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        self.state().peak_bytes
    }

    /// Bytes of all files but the journal and the locks.
    pub(crate) fn bytes(&self) -> u64 {
        self.state().counted_bytes()
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    /// Changes a file behind the store's back.
    pub(crate) fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.names[path];
        edit(&mut state.files[file].bytes);
    }

    /// The power goes: what was not synced stays or not, as `coin` has it.
    pub(crate) fn cut_power(&self, mut coin: impl FnMut(usize) -> usize) {
        let mut state = self.state();
        for (path, file) in std::mem::take(&mut state.pending) {
            if coin(2) == 0 {
                set(&mut state.durable, path, file);
            }
        }
        state.names = state.durable.clone();
        for file in &mut state.files {
            if file.bytes != file.synced {
                let length = coin(file.bytes.len() + 1);
                match coin(4) {
                    0 => file.bytes.truncate(length),
                    1 => file.bytes[length..].fill(0),
                    2 => file.bytes = file.synced.clone(),
                    _ => {}
                }
            }
            file.synced = file.bytes.clone();
        }
        state.fault = None;
        state.locked.clear();
    }

    fn failed(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let n = state.n_operations;
        state.n_operations += 1;
        match state.fault {
            Some((Fault::Once(at), kind)) if n == at => Err(kind.into()),
            Some((Fault::From(at), kind)) if n >= at => Err(kind.into()),
            _ => Ok(state),
        }
    }

    /// As `failed`, for what changes something.
    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.failed()?;
        if state.is_read_only { Err(ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(state) }
    }

    /// The end of an operation that has had its effect.
    fn finish<T>(mut state: MutexGuard<'_, State>, value: T) -> io::Result<T> {
        state.peak_bytes = state.peak_bytes.max(state.counted_bytes());
        match state.fault {
            Some((Fault::After(at), kind)) if state.n_operations == at + 1 => Err(kind.into()),
            _ => Ok(value),
        }
    }
}

impl State {
    fn counted_bytes(&self) -> u64 {
        let counted = |path: &Path| path.parent() != Some(Path::new("kv"));
        let files = self.names.iter().filter(|(path, _)| counted(path));
        files.map(|(_, &file)| self.files[file].bytes.len() as u64).sum()
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn link(&mut self, path: &Path, file: Option<usize>) {
        set(&mut self.names, path.to_owned(), file);
        self.pending.push((path.to_owned(), file));
    }

    /// The file of that name, made if need be.
    fn make(&mut self, path: &Path) -> io::Result<usize> {
        if let Ok(file) = self.file(path) {
            return Ok(file);
        }
        if !path.parent().is_some_and(|dir| self.dirs.contains(dir)) {
            return Err(ErrorKind::NotFound.into());
        }
        self.files.push(File::default());
        self.link(path, Some(self.files.len() - 1));
        Ok(self.files.len() - 1)
    }

    /// Writes what the disk has room for.
    fn extend(&mut self, file: usize, bytes: &[u8]) -> io::Result<()> {
        let used = self.counted_bytes();
        let room = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used));
        let fits = bytes.len().min(room as usize);
        self.files[file].bytes.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

fn set(names: &mut BTreeMap<PathBuf, usize>, path: PathBuf, file: Option<usize>) {
    match file {
        Some(file) => _ = names.insert(path, file),
        None => _ = names.remove(&path),
    }
}

impl Io for Disk {
    fn now(&self) -> u64 {
        self.state().now
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.failed()?;
        if state.is_read_only && !state.dirs.contains(path) {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        state.dirs.insert(path.to_owned());
        Self::finish(state, ())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.failed()?;
        if !state.dirs.contains(path) {
            return Err(ErrorKind::NotFound.into());
        }
        let inside = state.names.keys().filter(|name| name.parent() == Some(path));
        let name = |path: &PathBuf| path.file_name()?.to_str().map(str::to_owned);
        let names = inside.filter_map(name).collect();
        Self::finish(state, names)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        let state = self.failed()?;
        let length = state.files[state.file(path)?].bytes.len() as u64;
        Self::finish(state, length)
    }

    fn read(&self, path: &Path, most: u64) -> io::Result<(Vec<u8>, u64)> {
        let state = self.failed()?;
        let bytes = &state.files[state.file(path)?].bytes;
        let length = bytes.len() as u64;
        let bytes = bytes[..length.min(most) as usize].to_vec();
        Self::finish(state, (bytes, length))
    }

    fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<Box<dyn Unsynced>> {
        let bytes = parts.concat();
        let mut state = match self.changing() {
            Ok(state) => state,
            Err(error) => {
                let mut state = self.state();
                if !state.is_read_only && !matches!(state.fault, Some((Fault::From(_), _))) {
                    let file = state.make(path)?;
                    state.files[file].bytes = bytes[..bytes.len() / 2].to_vec();
                }
                return Err(error);
            }
        };
        let file = state.make(path)?;
        state.files[file].bytes.clear();
        state.extend(file, &bytes)?;
        Self::finish(state, Box::new(Open { disk: self.clone(), file }))
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.changing()?;
        let file = state.make(path)?;
        state.extend(file, bytes)?;
        Self::finish(state, ())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        let file = state.file(from)?;
        state.link(from, None);
        state.link(to, Some(file));
        Self::finish(state, ())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        state.file(path)?;
        state.link(path, None);
        Self::finish(state, ())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        let pending = std::mem::take(&mut state.pending);
        for (name, file) in pending {
            if name.parent() == Some(path) {
                set(&mut state.durable, name, file);
            } else {
                state.pending.push((name, file));
            }
        }
        Self::finish(state, ())
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let mut state = self.changing()?;
        let file = state.make(path)?;
        if !state.locked.insert(file) {
            return Ok(None);
        }
        drop(state);
        Ok(Some(Box::new(Held(Open { disk: self.clone(), file }))))
    }
}

struct Open {
    disk: Disk,
    file: usize,
}

impl Unsynced for Open {
    fn sync(self: Box<Self>) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        let file = &mut state.files[self.file];
        file.synced = file.bytes.clone();
        Disk::finish(state, ())
    }
}

struct Held(Open);

impl Lock for Held {
    fn number(&mut self) -> io::Result<u64> {
        let state = self.0.disk.failed()?;
        let number = state.files[self.0.file].bytes.first_chunk().copied();
        Disk::finish(state, number.map_or(0, u64::from_le_bytes))
    }

    fn set_number(&mut self, number: u64) -> io::Result<()> {
        let mut state = self.0.disk.changing()?;
        state.files[self.0.file].bytes = number.to_le_bytes().to_vec();
        Disk::finish(state, ())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.disk.state().locked.remove(&self.0.file);
    }
}
