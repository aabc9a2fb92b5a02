//! The bytes of an entry: a header that says everything but the payload, and the payload.
//!
//! `FORMATS.md` has the table. Little endian throughout. A file is written once and never changed,
//! and its name follows from its content.

use std::fmt;
use std::io::Read as _;

use crate::cursor::Cursor;
use crate::{BlockId, Fingerprint, FormatError};

/// The most tokens that a block may have.
pub const MAX_BLOCK_TOKENS: usize = 1024;
/// The most bytes that a payload may have, before and after compression. Keeps a hostile file from
/// choosing how much memory it takes.
pub const MAX_PAYLOAD_BYTES: u64 = 1 << 30;

const MAGIC: [u8; 8] = *b"IRONSTKV";
const VERSION: u32 = 1;
/// Bytes of a header without its tokens.
const FIXED_BYTES: usize = 176;
const CHECKSUM_AT: usize = 144;
/// No header has more bytes.
pub(crate) const MAX_HEADER_BYTES: usize = FIXED_BYTES + 4 * MAX_BLOCK_TOKENS;
/// No file has more bytes.
pub(crate) const MAX_FILE_BYTES: u64 = MAX_HEADER_BYTES as u64 + MAX_PAYLOAD_BYTES;
/// The fastest level that still finds repetitions.
const ZSTD_LEVEL: i32 = 1;

/// Why there is a frontier at a place, which says how likely it is to be wanted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontierKind {
    /// The end of a turn, where the next one goes on.
    TurnEnd,
    /// The end of what many conversations share: system text and tools.
    SystemPrompt,
    /// Every so many tokens, for conversations that are edited.
    Interval,
}

/// Which of the two kinds of entry a name or a header is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Part {
    /// What a block's tokens added.
    Block,
    /// What else is needed to go on behind a block.
    Frontier,
}

/// The name of an entry: a block, and which part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) id: BlockId,
    pub(crate) part: Part,
}

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// For frontiers the reason they are there; blocks have none.
    pub frontier: Option<FrontierKind>,
    /// What the state belongs to.
    pub fingerprint: Fingerprint,
    /// The block before this one, or the one that the frontier is behind.
    pub(crate) parent: BlockId,
    /// Tokens from the beginning to the end of the entry.
    pub position: u32,
    /// The block's tokens; a frontier has none.
    pub tokens: Vec<u32>,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    is_compressed: bool,
    raw_bytes: u64,
    stored_bytes: u64,
    payload_hash: [u8; 32],
}

/// An entry as it is to be written.
pub(crate) struct Encoded {
    pub(crate) entry: Entry,
    pub(crate) header: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Encoded {
    /// Makes the bytes of a block, or of a frontier when `frontier` is given.
    ///
    /// # Panics
    /// If there are more tokens or bytes than an entry may have.
    pub(crate) fn new(what: EntryHead, payload: Vec<u8>, compress: bool) -> Self {
        assert!(what.tokens.len() <= MAX_BLOCK_TOKENS, "a block has {} tokens", what.tokens.len());
        let raw_bytes = payload.len() as u64;
        assert!(raw_bytes <= MAX_PAYLOAD_BYTES, "a payload has {raw_bytes} bytes");
        let smaller = compress.then(|| zstd::bulk::compress(&payload, ZSTD_LEVEL).ok()).flatten();
        let smaller = smaller.filter(|bytes| bytes.len() < payload.len());
        let is_compressed = smaller.is_some();
        let payload = smaller.unwrap_or(payload);
        let entry = Entry {
            frontier: what.frontier,
            fingerprint: what.fingerprint,
            parent: what.parent,
            position: what.position,
            tokens: what.tokens,
            created: what.created,
            is_compressed,
            raw_bytes,
            stored_bytes: payload.len() as u64,
            payload_hash: *blake3::hash(&payload).as_bytes(),
        };
        Self { header: entry.encode(), entry, payload }
    }

    /// Takes the bytes of a whole file as they are, once they have been checked.
    ///
    /// # Errors
    /// As [`Entry::parse_file`].
    pub(crate) fn from_file(mut header: Vec<u8>) -> Result<Self, FormatError> {
        let (entry, _) = Entry::parse_file(header.clone())?;
        let payload = header.split_off(entry.n_header_bytes());
        Ok(Self { entry, header, payload })
    }

    pub(crate) fn n_bytes(&self) -> u64 {
        (self.header.len() + self.payload.len()) as u64
    }
}

/// What the writer of an entry decides.
pub(crate) struct EntryHead {
    pub(crate) frontier: Option<FrontierKind>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) parent: BlockId,
    pub(crate) position: u32,
    pub(crate) tokens: Vec<u32>,
    pub(crate) created: u64,
}

/// Bytes of an entry with this payload when it is not compressed.
pub(crate) fn uncompressed_bytes(n_tokens: usize, payload: usize) -> u64 {
    (FIXED_BYTES + 4 * n_tokens + payload) as u64
}

impl Entry {
    /// Reads a header from the first bytes of a file of `n_file_bytes`.
    ///
    /// # Errors
    /// If it is not a header, its checksum does not hold, or the file has another length than it
    /// says.
    pub fn parse(bytes: &[u8], n_file_bytes: u64) -> Result<Self, FormatError> {
        let too_short = |expected: usize| {
            let found = n_file_bytes.min(bytes.len() as u64);
            FormatError::Length { expected: expected as u64, found }
        };
        if !bytes.starts_with(&MAGIC[..bytes.len().min(MAGIC.len())]) {
            return Err(FormatError::NotAnEntry);
        }
        let fixed = bytes.get(..FIXED_BYTES).ok_or_else(|| too_short(FIXED_BYTES))?;
        let mut cursor = Cursor::new(&fixed[MAGIC.len()..]);
        let version = cursor.u32();
        if version != VERSION {
            return Err(FormatError::Version { found: version });
        }
        let [part, codec, reason, reserved] = cursor.array();
        let fingerprint = Fingerprint(cursor.array());
        let parent = BlockId::from_bytes(cursor.array());
        let position = cursor.u32();
        let n_tokens = cursor.u32() as usize;
        let created = cursor.u64();
        let raw_bytes = cursor.u64();
        let stored_bytes = cursor.u64();
        let payload_hash = cursor.array();
        let header_hash: [u8; 32] = cursor.array();
        field("token count", n_tokens as u64, n_tokens <= MAX_BLOCK_TOKENS)?;
        let n_header_bytes = FIXED_BYTES + 4 * n_tokens;
        let tokens =
            bytes.get(FIXED_BYTES..n_header_bytes).ok_or_else(|| too_short(n_header_bytes))?;
        if header_checksum(fixed, tokens) != header_hash {
            return Err(FormatError::Checksum { part: "header" });
        }
        let frontier = match (part, reason) {
            (1, 0) => None,
            (2, 1) => Some(FrontierKind::TurnEnd),
            (2, 2) => Some(FrontierKind::SystemPrompt),
            (2, 3) => Some(FrontierKind::Interval),
            (1 | 2, _) => return Err(FormatError::Field { field: "reason", found: reason.into() }),
            _ => return Err(FormatError::Field { field: "kind", found: part.into() }),
        };
        field("codec", codec.into(), codec <= 1)?;
        field("reserved byte", reserved.into(), reserved == 0)?;
        field("token count", n_tokens as u64, (n_tokens == 0) == frontier.is_some())?;
        field("position", position.into(), position as usize >= n_tokens.max(1))?;
        field("payload length", raw_bytes, raw_bytes <= MAX_PAYLOAD_BYTES)?;
        field("stored length", stored_bytes, stored_bytes <= MAX_PAYLOAD_BYTES)?;
        field("stored length", stored_bytes, codec == 1 || stored_bytes == raw_bytes)?;
        let expected = n_header_bytes as u64 + stored_bytes;
        if n_file_bytes != expected {
            return Err(FormatError::Length { expected, found: n_file_bytes });
        }
        let tokens = tokens.as_chunks().0.iter().map(|&token| u32::from_le_bytes(token)).collect();
        Ok(Self {
            frontier,
            fingerprint,
            parent,
            position,
            tokens,
            created,
            is_compressed: codec == 1,
            raw_bytes,
            stored_bytes,
            payload_hash,
        })
    }

    /// Reads a whole file: its header and its payload, checked and decompressed.
    ///
    /// # Errors
    /// If anything about it is not as a writer leaves it.
    pub fn parse_file(mut file: Vec<u8>) -> Result<(Self, Vec<u8>), FormatError> {
        let entry = Self::parse(&file, file.len() as u64)?;
        let stored = &file[entry.n_header_bytes()..];
        if *blake3::hash(stored).as_bytes() != entry.payload_hash {
            return Err(FormatError::Checksum { part: "payload" });
        }
        let payload = if entry.is_compressed {
            entry.decompress(stored)?
        } else {
            file.drain(..entry.n_header_bytes());
            file
        };
        Ok((entry, payload))
    }

    /// Decompresses step by step, so that a header's promise alone takes no memory.
    fn decompress(&self, stored: &[u8]) -> Result<Vec<u8>, FormatError> {
        let failed = || FormatError::Compression { expected: self.raw_bytes };
        let decoder = zstd::stream::Decoder::with_buffer(stored).map_err(|_| failed())?;
        let mut payload = Vec::new();
        decoder.take(self.raw_bytes + 1).read_to_end(&mut payload).map_err(|_| failed())?;
        if payload.len() as u64 == self.raw_bytes { Ok(payload) } else { Err(failed()) }
    }

    fn encode(&self) -> Vec<u8> {
        let (part, reason) = match self.frontier {
            None => (1, 0),
            Some(FrontierKind::TurnEnd) => (2, 1),
            Some(FrontierKind::SystemPrompt) => (2, 2),
            Some(FrontierKind::Interval) => (2, 3),
        };
        let mut bytes = Vec::with_capacity(self.n_header_bytes());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[part, u8::from(self.is_compressed), reason, 0]);
        bytes.extend_from_slice(&self.fingerprint.0);
        bytes.extend_from_slice(self.parent.bytes());
        bytes.extend_from_slice(&self.position.to_le_bytes());
        bytes.extend_from_slice(&(self.tokens.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.created.to_le_bytes());
        bytes.extend_from_slice(&self.raw_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.stored_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.payload_hash);
        let tokens: Vec<u8> = self.tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        bytes.extend_from_slice(&header_checksum(&bytes, &tokens));
        bytes.extend_from_slice(&tokens);
        bytes
    }

    fn n_header_bytes(&self) -> usize {
        FIXED_BYTES + 4 * self.tokens.len()
    }

    /// Bytes of the whole file.
    #[must_use]
    pub fn n_file_bytes(&self) -> u64 {
        self.n_header_bytes() as u64 + self.stored_bytes
    }

    /// The block that the entry is, or that it is behind.
    #[must_use]
    pub fn id(&self) -> BlockId {
        match self.frontier {
            Some(_) => self.parent,
            None => BlockId::of(&self.fingerprint, self.parent, &self.tokens),
        }
    }

    pub(crate) fn name(&self) -> Name {
        let part = if self.frontier.is_some() { Part::Frontier } else { Part::Block };
        Name { id: self.id(), part }
    }
}

fn field(field: &'static str, found: u64, is_valid: bool) -> Result<(), FormatError> {
    if is_valid { Ok(()) } else { Err(FormatError::Field { field, found }) }
}

fn header_checksum(fixed: &[u8], tokens: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fixed[..CHECKSUM_AT]).update(tokens);
    *hasher.finalize().as_bytes()
}

impl Name {
    pub(crate) fn block(id: BlockId) -> Self {
        Self { id, part: Part::Block }
    }

    pub(crate) fn frontier(id: BlockId) -> Self {
        Self { id, part: Part::Frontier }
    }

    /// Reads a file name; `None` if no entry is called that.
    pub(crate) fn parse(file_name: &str) -> Option<Self> {
        let (id, part) = file_name.split_once('.')?;
        let part = match part {
            "block" => Part::Block,
            "frontier" => Part::Frontier,
            _ => return None,
        };
        Some(Self { id: BlockId::from_hex(id)?, part })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Block => "block",
            Part::Frontier => "frontier",
        };
        write!(f, "{}.{part}", self.id)
    }
}

#[cfg(test)]
mod tests;
