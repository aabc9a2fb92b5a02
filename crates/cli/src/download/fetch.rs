//! Fetches a file in pieces over several connections, and checks it.
//!
//! Which pieces are there is written down after each, behind the bytes themselves, so a download
//! that was stopped in any way goes on where it was. The file gets its name only after its SHA-256
//! was found to be the server's.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use indicatif::{HumanBytes, ProgressBar};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::catalogue::Entry;
use super::hub::{Failure, Hub, Remote, check_size, cut_short, pause, told};
use super::shelf::Shelf;
use crate::files::new_temporary_file;
use crate::terminal::bytes_bar;

/// Failures in a row, without a byte between them, after which a connection gives up.
const N_FAILURES: u32 = 8;
const SMALLEST_PIECE: u64 = 1 << 18;
/// What a stopped download may lose, and the least that is asked for at once.
const LARGEST_PIECE: u64 = 1 << 26;
/// Small files come in pieces too, so that there is something for each connection.
const N_PIECES: u64 = 128;
/// Left free on the disk.
const MARGIN: u64 = 1 << 30;
const BUFFER: usize = 1 << 18;

/// A download to be done.
pub(super) struct Fetch<'a> {
    pub(super) hub: &'a Hub,
    pub(super) shelf: &'a Shelf,
    pub(super) entry: &'a Entry,
    pub(super) remote: &'a Remote,
    pub(super) n_connections: usize,
}

/// What is there of an unfinished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    file: String,
    size: u64,
    piece_bytes: u64,
    /// Indexes of whole pieces, ascending.
    done: Vec<u64>,
}

/// Whether the text is the record of an unfinished file of the catalogue.
pub(super) fn is_record_of(record: &str, entry: &Entry) -> bool {
    serde_json::from_str::<Record>(record).is_ok_and(|record| record.file == entry.file)
}

impl Record {
    fn new(entry: &Entry, size: u64) -> Self {
        let piece_bytes =
            size.div_ceil(N_PIECES).next_power_of_two().clamp(SMALLEST_PIECE, LARGEST_PIECE);
        Self { file: entry.file.to_owned(), size, piece_bytes, done: Vec::new() }
    }

    /// The record on disk, if it is one of this file; else a new one.
    fn open(path: &Path, entry: &Entry, size: u64) -> Self {
        let new = Self::new(entry, size);
        let text = fs::read_to_string(path).unwrap_or_default();
        let Ok(old) = serde_json::from_str::<Self>(&text) else { return new };
        let is_whole = |index: &u64| *index < size.div_ceil(new.piece_bytes);
        let fits = (&old.file, old.size, old.piece_bytes) == (&new.file, size, new.piece_bytes)
            && old.done.iter().all(is_whole)
            && old.done.is_sorted_by(|a, b| a < b);
        if fits { old } else { new }
    }

    fn save(&self, path: &Path) -> Result<()> {
        let cannot_save = || format!("cannot write {}", path.display());
        let mut file = new_temporary_file(path)?;
        serde_json::to_writer(&mut file, self).with_context(cannot_save)?;
        file.persist(path).with_context(cannot_save)?;
        Ok(())
    }

    fn piece(&self, index: u64) -> (u64, u64) {
        let start = index * self.piece_bytes;
        (start, self.size.min(start + self.piece_bytes))
    }

    fn missing(&self) -> Vec<u64> {
        let n_pieces = self.size.div_ceil(self.piece_bytes);
        (0..n_pieces).filter(|index| self.done.binary_search(index).is_err()).collect()
    }

    fn bytes_done(&self) -> u64 {
        let length = |index: &u64| {
            let (start, end) = self.piece(*index);
            end - start
        };
        self.done.iter().map(length).sum()
    }

    fn mark(&mut self, index: u64) {
        if let Err(at) = self.done.binary_search(&index) {
            self.done.insert(at, index);
        }
    }
}

impl Fetch<'_> {
    /// Fetches what is missing, checks the whole and returns the file's path.
    pub(super) fn run(&self) -> Result<PathBuf> {
        check_size(self.remote.size)?;
        let blob = self.shelf.blob(self.entry, self.remote);
        let unfinished = self.shelf.unfinished(self.entry, self.remote);
        let folder = crate::files::folder(&blob);
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        if !blob.exists() {
            let file = open_alone(&unfinished)?;
            let record_path = unfinished.with_extension("ironstar.json");
            self.fetch(&file, &unfinished, &record_path)?;
            self.check(&unfinished, &record_path)?;
            fs::rename(&unfinished, &blob)
                .with_context(|| format!("cannot make {}", blob.display()))?;
            let _ = fs::remove_file(&record_path);
        }
        self.shelf.install(self.entry, self.remote)
    }

    fn fetch(&self, file: &File, path: &Path, record_path: &Path) -> Result<()> {
        let cannot_write = || format!("cannot write {}", path.display());
        let length = file.metadata().with_context(cannot_write)?.len();
        let record = if length == self.remote.size {
            Record::open(record_path, self.entry, self.remote.size)
        } else {
            Record::new(self.entry, self.remote.size)
        };
        self.check_space(&record)?;
        file.set_len(self.remote.size).with_context(cannot_write)?;
        record.save(record_path)?;
        let bar = bytes_bar("downloading", self.remote.size);
        bar.set_position(record.bytes_done());
        bar.reset_eta();
        let missing = record.missing();
        let work = Work {
            fetch: self,
            path,
            record_path,
            bar: &bar,
            missing: Mutex::new(missing.into_iter()),
            record: Mutex::new(record),
            stop: AtomicBool::new(false),
        };
        let result = thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.n_connections).map(|_| scope.spawn(|| work.run())).collect();
            let join = |worker: thread::ScopedJoinHandle<'_, Result<()>>| {
                worker.join().expect("workers do not panic")
            };
            workers.into_iter().map(join).fold(Ok(()), Result::and)
        });
        bar.finish_and_clear();
        result.context("the download stopped; the same command goes on where it was")
    }

    /// Refuses to begin what the disk cannot hold.
    fn check_space(&self, record: &Record) -> Result<()> {
        let folder = self.shelf.path();
        let Ok(free) = fs4::available_space(folder) else { return Ok(()) };
        let needed = self.remote.size - record.bytes_done();
        ensure!(
            needed.saturating_add(MARGIN) <= free,
            "the download needs {} more and {} to spare, and the disk of {} has {} free; HF_HOME can \
             name a folder on another one",
            HumanBytes(needed),
            HumanBytes(MARGIN),
            folder.display(),
            HumanBytes(free)
        );
        Ok(())
    }

    /// Compares the whole with the server's SHA-256, and deletes it if it is another.
    fn check(&self, path: &Path, record_path: &Path) -> Result<()> {
        let cannot_read = || format!("cannot read {}", path.display());
        let mut file = File::open(path).with_context(cannot_read)?;
        let bar = bytes_bar("checking", self.remote.size);
        let mut hash = Sha256::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = file.read(&mut buffer).with_context(cannot_read)?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
            bar.inc(n as u64);
        }
        bar.finish_and_clear();
        let found = format!("{:x}", hash.finalize());
        if found == self.remote.sha256 {
            return Ok(());
        }
        let _ = fs::remove_file(record_path);
        fs::remove_file(path).with_context(|| format!("cannot delete {}", path.display()))?;
        bail!(
            "what was downloaded has SHA-256 {found}, and the server says {}; it was deleted, and the \
             same command begins again",
            self.remote.sha256
        )
    }
}

/// Opens the unfinished file for this process alone.
fn open_alone(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).with_context(|| format!("cannot write {}", path.display()))?;
    if let Err(fs::TryLockError::WouldBlock) = file.try_lock() {
        bail!("another ironstar is downloading this file");
    }
    Ok(file)
}

/// What the connections share.
struct Work<'a> {
    fetch: &'a Fetch<'a>,
    path: &'a Path,
    record_path: &'a Path,
    bar: &'a ProgressBar,
    missing: Mutex<std::vec::IntoIter<u64>>,
    record: Mutex<Record>,
    /// Raised when one has given up.
    stop: AtomicBool,
}

impl Work<'_> {
    /// Fetches pieces until there are none, or one cannot be had.
    fn run(&self) -> Result<()> {
        let result = self.pieces();
        if result.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    fn pieces(&self) -> Result<()> {
        let cannot_write = || format!("cannot write {}", self.path.display());
        let mut file = OpenOptions::new().write(true).open(self.path).with_context(cannot_write)?;
        while !self.stop.load(Ordering::Relaxed) {
            let next = self.missing.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(index) = next else { break };
            if !self.piece(index, &mut file)? {
                break;
            }
            // The record must not speak of bytes that a crash could still take.
            file.sync_data().with_context(cannot_write)?;
            let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            record.mark(index);
            record.save(self.record_path)?;
        }
        Ok(())
    }

    /// Fetches one piece, asking again as long as bytes come now and then; false if stopped.
    fn piece(&self, index: u64, file: &mut File) -> Result<bool> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (mut start, end) = record.piece(index);
        let mut n_failures = 0;
        while start < end {
            let before = start;
            let result = self.read_to(file, &mut start, end);
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            n_failures = if start > before { 0 } else { n_failures + 1 };
            match result {
                Ok(()) => {}
                Err(Failure::Passing(_)) if n_failures < N_FAILURES => {
                    thread::sleep(pause(n_failures));
                }
                Err(failure) => return Err(told(failure)),
            }
        }
        Ok(true)
    }

    /// Moves bytes from the server to the file, and `start` with them.
    fn read_to(&self, file: &mut File, start: &mut u64, end: u64) -> Result<(), Failure> {
        let cannot_write = |error: std::io::Error| {
            let error = anyhow::Error::from(error);
            Failure::Lasting(error.context(format!("cannot write {}", self.path.display())))
        };
        let mut body = self.fetch.hub.read(self.fetch.entry, *start, end)?;
        file.seek(SeekFrom::Start(*start)).map_err(cannot_write)?;
        let mut buffer = vec![0; BUFFER];
        while *start < end && !self.stop.load(Ordering::Relaxed) {
            let n = body.read(&mut buffer).map_err(|error| Failure::Passing(error.into()))?;
            if n == 0 {
                return Err(cut_short(end - *start));
            }
            file.write_all(&buffer[..n]).map_err(cannot_write)?;
            *start += n as u64;
            self.bar.inc(n as u64);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn records_are_believed_only_where_they_fit() {
        let entry = Entry::named("q2").expect("it is published");
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("record.json");
        let mut record = Record::new(entry, 1_000_000);
        assert_eq!((record.piece_bytes, record.missing().len()), (SMALLEST_PIECE, 4));
        record.mark(3);
        record.mark(1);
        record.mark(3);
        assert_eq!((&record.done[..], record.missing()), (&[1, 3][..], vec![0, 2]));
        assert_eq!(record.bytes_done(), SMALLEST_PIECE + 1_000_000 - 3 * SMALLEST_PIECE);
        record.save(&path).expect("it is writable");
        assert_eq!(Record::open(&path, entry, 1_000_000), record);
        let refused = |text: &str| {
            fs::write(&path, text).expect("it is writable");
            assert_eq!(
                Record::open(&path, entry, 1_000_000),
                Record::new(entry, 1_000_000),
                "{text}"
            );
        };
        refused("");
        refused("{");
        let text = serde_json::to_string(&record).expect("plain data");
        refused(&text.replace("[1,3]", "[1,4]"));
        refused(&text.replace("[1,3]", "[3,1]"));
        refused(&text.replace("1000000", "1000001"));
        refused(&text.replace("262144", "0"));
    }

    #[test]
    fn published_files_come_in_pieces_of_64_mib() {
        let entry = Entry::named("q2").expect("it is published");
        let record = Record::new(entry, entry.about_bytes);
        assert_eq!((record.piece_bytes, record.missing().len()), (LARGEST_PIECE, 1293));
    }
}
