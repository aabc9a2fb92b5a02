//! A prefix in one file, to be taken to another machine.
//!
//! `FORMATS.md` has the table. The entries stand in it as they stand in a directory, so everything
//! that is checked there is checked here, and that they make one prefix besides. An import reads
//! the whole file before it stores any of it.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::format::{Encoded, MAX_FILE_BYTES, Name};
use crate::{BlockId, Directory, Fingerprint, ReadError, TransferError};

const MAGIC: [u8; 8] = *b"IRONSTKX";
const VERSION: u32 = 1;
/// So much is stored together.
const BATCH_BYTES: u64 = 32 << 20;

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// The last block, which stands for all tokens.
    pub id: BlockId,
    /// What it belongs to.
    pub fingerprint: Fingerprint,
    /// Tokens of the prefix.
    pub n_tokens: u32,
}

impl Directory {
    /// Writes the prefix that ends with a block, and the frontier behind it, to a file.
    ///
    /// # Errors
    /// If the prefix cannot be read, or the file not be written; part of it may be there then.
    pub fn export(&self, id: BlockId, out: impl Write) -> Result<(), TransferError> {
        self.pin([id]);
        let done = self.export_pinned(id, out);
        self.unpin([id]);
        done
    }

    fn export_pinned(&self, id: BlockId, out: impl Write) -> Result<(), TransferError> {
        let chain = self.chain(id);
        let names = chain.into_iter().map(Name::block).chain([Name::frontier(id)]);
        let names: Vec<Name> = names.collect();
        let mut out = Hashing { inner: out, hasher: blake3::Hasher::new() };
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&(names.len() as u32).to_le_bytes())?;
        let mut order = Order::default();
        for (number, name) in (1..).zip(names) {
            let bytes = self.read_bytes(name)?;
            let invalid = |source| ReadError::Invalid { path: self.entry_path(name), source };
            let encoded = Encoded::from_file(bytes).map_err(invalid)?;
            order.take(number, &encoded).map_err(|_| TransferError::Incomplete)?;
            out.write_all(&encoded.n_bytes().to_le_bytes())?;
            out.write_all(&encoded.header)?;
            out.write_all(&encoded.payload)?;
        }
        order.finish().ok_or(TransferError::Incomplete)?;
        let checksum = *out.hasher.finalize().as_bytes();
        out.inner.write_all(&checksum)?;
        Ok(out.inner.flush()?)
    }

    /// Stores an exported prefix, after all of it has been checked.
    ///
    /// # Errors
    /// If anything about the file is wrong, and nothing is stored then; or if storing fails, and
    /// part of it is.
    pub fn import(&self, mut file: impl Read + Seek) -> Result<Imported, TransferError> {
        let start = file.stream_position()?;
        check_export(&mut file)?;
        file.seek(SeekFrom::Start(start))?;
        // Nothing of it may be evicted to make room for the rest.
        let mut pinned = Vec::new();
        let done = self.import_checked(file, &mut pinned);
        self.unpin(pinned);
        done
    }

    fn import_checked(
        &self,
        file: impl Read,
        pinned: &mut Vec<BlockId>,
    ) -> Result<Imported, TransferError> {
        let mut batch = Vec::new();
        let mut n_bytes = 0;
        let imported = read_export(file, |encoded| {
            let id = encoded.entry.id();
            self.pin([id]);
            pinned.push(id);
            n_bytes += encoded.n_bytes();
            batch.push(encoded);
            if n_bytes >= BATCH_BYTES {
                self.write(&std::mem::take(&mut batch))?;
                n_bytes = 0;
            }
            Ok(())
        })?;
        self.write(&batch)?;
        // However long ago it was made, it is wanted now.
        self.touch(imported.id, 0);
        self.tend();
        Ok(imported)
    }
}

/// Reads all of an export and says what it holds.
///
/// # Errors
/// If anything about it is wrong.
pub fn check_export(file: impl Read) -> Result<Imported, TransferError> {
    read_export(file, |_| Ok(()))
}

fn read_export(
    file: impl Read,
    mut take: impl FnMut(Encoded) -> Result<(), TransferError>,
) -> Result<Imported, TransferError> {
    let mut file = Hashing { inner: file, hasher: blake3::Hasher::new() };
    if file.array("its header").is_ok_and(|magic: [u8; 8]| magic != MAGIC) {
        return Err(TransferError::NotAnExport);
    }
    let version = u32::from_le_bytes(file.array("its header")?);
    if version != VERSION {
        return Err(TransferError::Version { found: version });
    }
    let n_entries = u32::from_le_bytes(file.array("its header")?);
    let mut order = Order::default();
    for number in 1..=n_entries {
        let n_bytes = u64::from_le_bytes(file.array("an entry")?);
        let mut bytes = Vec::new();
        // Step by step, so that a promise alone takes no memory.
        file.by_ref().take(n_bytes.min(MAX_FILE_BYTES + 1)).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < n_bytes.min(MAX_FILE_BYTES + 1) {
            return Err(TransferError::Truncated { what: "an entry" });
        }
        let damaged = |source| TransferError::Entry { number, source };
        let encoded = Encoded::from_file(bytes).map_err(damaged)?;
        order.take(number, &encoded)?;
        take(encoded)?;
    }
    let imported = order.finish().ok_or(TransferError::Order { number: n_entries })?;
    let expected = *file.hasher.finalize().as_bytes();
    let found: [u8; 32] = file.array("its checksum")?;
    if found != expected || file.inner.read(&mut [0])? > 0 {
        return Err(TransferError::Checksum);
    }
    Ok(imported)
}

/// Blocks from the first on, each behind the one before, of one fingerprint and one size, and at
/// the end the frontier behind the last.
#[derive(Default)]
struct Order {
    last: Option<(BlockId, Fingerprint, u32, usize)>,
    has_frontier: bool,
}

impl Order {
    fn take(&mut self, number: u32, encoded: &Encoded) -> Result<(), TransferError> {
        let entry = &encoded.entry;
        let n_tokens = entry.tokens.len();
        let continues = match self.last {
            _ if self.has_frontier => false,
            None => entry.parent == BlockId::NONE && entry.position as usize == n_tokens,
            Some((id, fingerprint, position, block_tokens)) => {
                entry.parent == id
                    && entry.fingerprint == fingerprint
                    && entry.position as usize == position as usize + n_tokens
                    && (entry.frontier.is_some() || n_tokens == block_tokens)
            }
        };
        // A frontier is behind a block.
        if !continues || (self.last.is_none() && entry.frontier.is_some()) {
            return Err(TransferError::Order { number });
        }
        if entry.frontier.is_some() {
            self.has_frontier = true;
        } else {
            self.last = Some((entry.id(), entry.fingerprint, entry.position, n_tokens));
        }
        Ok(())
    }

    fn finish(self) -> Option<Imported> {
        let (id, fingerprint, n_tokens, _) = self.last.filter(|_| self.has_frontier)?;
        Some(Imported { id, fingerprint, n_tokens })
    }
}

/// A file, and the hash of what went through.
struct Hashing<F> {
    inner: F,
    hasher: blake3::Hasher,
}

impl<R: Read> Hashing<R> {
    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], TransferError> {
        let mut bytes = [0; N];
        match self.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(TransferError::Truncated { what })
            }
            done => Ok(done.map(|()| bytes)?),
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(bytes)?;
        self.hasher.update(&bytes[..n_read]);
        Ok(n_read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n_written]);
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
