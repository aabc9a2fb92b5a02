//! What can go wrong, and what it means for the caller: a store that cannot be opened, a save that
//! did not happen, a hit that is a miss after all.

use std::io;
use std::path::PathBuf;

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be made or read.
    #[error("cannot use {} as a KV store", path.display())]
    Io {
        /// The directory, or what in it failed.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Why something was not saved. Nothing is wrong with the store; the next save may succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// More is waiting to be written than the queue may hold.
    #[error("the disk is behind: {queued_bytes} bytes are waiting to be written")]
    QueueFull {
        /// Bytes in the queue.
        queued_bytes: u64,
    },

    /// The directory cannot be written to.
    #[error("the KV store is read-only")]
    ReadOnly,

    /// The save alone is larger than the store may be.
    #[error("{bytes} bytes do not fit a KV store of {budget_bytes} bytes")]
    TooLarge {
        /// Bytes of the save.
        bytes: u64,
        /// The budget.
        budget_bytes: u64,
    },

    /// All that could be evicted is in use.
    #[error("there is no room for {bytes} bytes: all else is in use")]
    NoRoom {
        /// Bytes that were to be written.
        bytes: u64,
    },

    /// The blocks before the new ones are not, or no longer, in the store.
    #[error("the block before the new ones is not stored")]
    MissingParent,

    /// Another process holds the directory's lock for too long.
    #[error("another process keeps the KV store locked")]
    Busy,

    /// Writing failed.
    #[error("cannot write {}", path.display())]
    Io {
        /// What was being written.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// The writer has stopped.
    #[error("the writer of the KV store has stopped")]
    Closed,
}

/// Why a stored entry cannot be had. To the caller it is a miss.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Another process removed it, or the disk failed.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },

    /// The file is not what its name says.
    #[error("{} is damaged", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
}

/// Why a prefix could not be exported or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The prefix is not in the store, or not all of it.
    #[error("the prefix is not complete in the KV store")]
    Incomplete,

    /// An entry cannot be read.
    #[error("the prefix cannot be read")]
    Read(#[from] ReadError),

    /// An entry cannot be written.
    #[error("the prefix cannot be stored")]
    Save(#[from] SaveError),

    /// The export cannot be read or written.
    #[error("the export cannot be read or written")]
    Io(#[from] io::Error),

    /// The file is something else.
    #[error("not an exported prefix (the file does not begin with `IRONSTKX`)")]
    NotAnExport,

    /// Another version.
    #[error("the export is version {found}, and only version 1 can be read")]
    Version {
        /// The version in the file.
        found: u32,
    },

    /// The file ends too early.
    #[error("the export ends inside {what}; the copy may be incomplete")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },

    /// One of the entries is not sound.
    #[error("entry {number} of the export is damaged")]
    Entry {
        /// Which, from 1.
        number: u32,
        /// What is wrong with it.
        source: FormatError,
    },

    /// The entries are sound and do not make a prefix.
    #[error("entry {number} of the export does not continue what is before it")]
    Order {
        /// Which, from 1.
        number: u32,
    },

    /// The checksum of the whole does not hold, or something follows it.
    #[error("the checksum of the export does not hold")]
    Checksum,
}

/// What is wrong with the bytes of an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file begins with something else than an entry does.
    #[error("it is not an entry of a KV store")]
    NotAnEntry,

    /// Another version.
    #[error("it is version {found}, and only version 1 can be read")]
    Version {
        /// The version in the file.
        found: u32,
    },

    /// The file ends too early, or goes on too long.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// Bytes that the header asks for, or the least that a header has.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },

    /// A field has a value that no writer writes.
    #[error("its {field} is {found}")]
    Field {
        /// The field's name, as in `FORMATS.md`.
        field: &'static str,
        /// What it holds.
        found: u64,
    },

    /// A checksum does not hold.
    #[error("the checksum of its {part} does not hold")]
    Checksum {
        /// `header` or `payload`.
        part: &'static str,
    },

    /// The content is sound and belongs to another name.
    #[error("it holds another entry than its name says")]
    Name,

    /// The payload cannot be decompressed, or to another length than the header says.
    #[error("its payload does not decompress to {expected} bytes")]
    Compression {
        /// Bytes that the header promises.
        expected: u64,
    },
}
