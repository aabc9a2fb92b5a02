//! Prefixes that outlive the process: a content-addressed tree of KV blocks on disk.
//!
//! A conversation is cut into *blocks* of a fixed number of tokens. A block's id is a hash of the
//! fingerprint, the id of the block before it and its tokens, so that a prefix is stored once,
//! however many conversations begin with it. A block holds what its tokens added to the KV. What
//! else is needed to go on behind a block is a *frontier*, stored at some block ends only: a prefix
//! can be restored where it ends at a frontier.
//!
//! [`Store`] is what an engine uses: it never waits for the disk to save. [`Directory`] is what lies
//! below it, for commands that look at a directory or tend it.
//!
//! Everything read is hostile until its checksums hold: a torn, foreign or corrupt file is a miss
//! with a warning, and is moved aside. Two processes may use one directory. Writing, evicting and
//! moving aside happen under a lock file, so that the budget holds for both; reading takes no lock,
//! since files never change once they have their name.
//!
//! Refuses: interpreting the payload, knowing that tokens mean anything, deciding when to save.
#![forbid(unsafe_code)]

mod cursor;
mod directory;
mod error;
mod eviction;
mod format;
mod id;
mod index;
mod io;
mod queue;
mod restore;
mod store;
mod transfer;
mod usage;

pub use directory::{Directory, DirectoryOptions, Prefix};
pub use error::{FormatError, OpenError, ReadError, SaveError, TransferError};
pub use format::{Entry, FrontierKind, MAX_BLOCK_TOKENS, MAX_PAYLOAD_BYTES};
pub use id::{BlockId, Fingerprint};
pub use io::{Io, Lock, SystemIo, Unsynced};
pub use restore::{Blocks, Hit};
pub use store::{NewFrontier, Options, Receipt, Save, Stats, Store};
pub use transfer::{Imported, check_export};
