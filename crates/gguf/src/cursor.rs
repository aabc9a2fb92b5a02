//! Reads the header's bytes in order and never past their end.
//!
//! Every read says what it is for, so that an error can name it; the description is formatted only
//! when an error needs it.

use std::fmt::Display;

use crate::header::MAX_HEADER_BYTES;
use crate::{Error, Result};

/// A position in the bytes of a file's header.
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
    file_bytes: u64,
}

impl<'a> Cursor<'a> {
    /// Starts at byte 0 of `file`, and will not go past [`MAX_HEADER_BYTES`].
    pub(crate) fn new(file: &'a [u8]) -> Self {
        let header_bytes =
            usize::try_from(MAX_HEADER_BYTES).map_or(file.len(), |max| max.min(file.len()));
        Self { bytes: &file[..header_bytes], offset: 0, file_bytes: file.len() as u64 }
    }

    /// Bytes from the start of the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset as u64
    }

    /// Bytes that can still be read.
    pub(crate) fn available(&self) -> u64 {
        (self.bytes.len() - self.offset) as u64
    }

    /// The next `n_bytes` bytes.
    pub(crate) fn take(&mut self, n_bytes: u64, what: &dyn Display) -> Result<&'a [u8]> {
        if n_bytes > self.available() {
            return Err(self.short(n_bytes, what));
        }
        // The comparison above bounds `n_bytes` by a slice length, so the cast keeps its value.
        let end = self.offset + n_bytes as usize;
        let taken = &self.bytes[self.offset..end];
        self.offset = end;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self, what: &dyn Display) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    /// The next four bytes as an unsigned integer.
    pub(crate) fn u32(&mut self, what: &dyn Display) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// The next eight bytes as an unsigned integer.
    pub(crate) fn u64(&mut self, what: &dyn Display) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count of items that take at least `min_bytes` bytes each.
    pub(crate) fn count(&mut self, what: &'static str, min_bytes: u64) -> Result<u64> {
        let offset = self.offset();
        let count = self.u64(&what)?;
        let available = self.available();
        if count > available / min_bytes {
            return Err(Error::Count { what, offset, count, available });
        }
        Ok(count)
    }

    /// A string: its length as u64, then its bytes.
    pub(crate) fn string(&mut self, what: &dyn Display) -> Result<&'a str> {
        let n_bytes = self.u64(what)?;
        let offset = self.offset();
        let bytes = self.take(n_bytes, what)?;
        std::str::from_utf8(bytes).map_err(|_| Error::Utf8 { what: what.to_string(), offset })
    }

    /// A string that names something: neither empty nor longer than `limit` bytes.
    pub(crate) fn name(&mut self, what: &'static str, limit: u64) -> Result<&'a str> {
        let offset = self.offset();
        let name = self.string(&what)?;
        let bytes = name.len() as u64;
        if bytes == 0 || bytes > limit {
            return Err(Error::NameLength { what, offset, bytes, limit });
        }
        Ok(name)
    }

    fn short(&self, needed: u64, what: &dyn Display) -> Error {
        let (what, offset) = (what.to_string(), self.offset());
        let left_in_file = self.file_bytes - offset;
        if needed <= left_in_file {
            return Error::HeaderTooLong { what, offset, limit: MAX_HEADER_BYTES };
        }
        Error::Truncated { what, offset, needed, available: left_in_file }
    }
}
