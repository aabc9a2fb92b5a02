//! When frontiers were used, kept over restarts without touching the entries themselves: a journal
//! that is appended to, and written anew when it has grown.
//!
//! Nothing here is precious. A record that is torn or lost costs a better choice of what to evict.

use std::collections::HashMap;

use crate::BlockId;
use crate::cursor::Cursor;

/// Bytes of a record: id, time, hits, checksum.
const RECORD_BYTES: usize = 48;
const CHECKED_BYTES: usize = 44;
/// A longer journal is written anew.
pub(crate) const LONG_JOURNAL: u64 = 256 << 10;
/// No more of a journal is read.
pub(crate) const MAX_JOURNAL: u64 = 4 << 20;

/// How often a frontier was restored, and when last, in seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) hits: u32,
    pub(crate) last_used: u64,
}

impl Usage {
    /// Adds what another record says.
    pub(crate) fn add(&mut self, other: Self) {
        self.hits = self.hits.saturating_add(other.hits);
        self.last_used = self.last_used.max(other.last_used);
    }
}

/// The bytes of a record.
pub(crate) fn record(id: BlockId, usage: Usage) -> [u8; RECORD_BYTES] {
    let mut bytes = [0; RECORD_BYTES];
    bytes[..32].copy_from_slice(id.bytes());
    bytes[32..40].copy_from_slice(&usage.last_used.to_le_bytes());
    bytes[40..CHECKED_BYTES].copy_from_slice(&usage.hits.to_le_bytes());
    let checksum = checksum(&bytes);
    bytes[CHECKED_BYTES..].copy_from_slice(&checksum);
    bytes
}

/// Sums up a journal. What is no record is skipped byte by byte until records begin again.
pub(crate) fn parse(mut journal: &[u8]) -> HashMap<BlockId, Usage> {
    let mut usages: HashMap<BlockId, Usage> = HashMap::new();
    while let Some(bytes) = journal.first_chunk::<RECORD_BYTES>() {
        if checksum(bytes) != bytes[CHECKED_BYTES..] {
            journal = &journal[1..];
            continue;
        }
        let mut cursor = Cursor::new(bytes);
        let id = BlockId::from_bytes(cursor.array());
        let (last_used, hits) = (cursor.u64(), cursor.u32());
        usages.entry(id).or_default().add(Usage { hits, last_used });
        journal = &journal[RECORD_BYTES..];
    }
    usages
}

fn checksum(record: &[u8; RECORD_BYTES]) -> [u8; 4] {
    let hash = blake3::hash(&record[..CHECKED_BYTES]);
    *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_add_up_and_torn_ones_are_skipped() {
        let (a, b) = (BlockId::from_bytes([1; 32]), BlockId::from_bytes([2; 32]));
        let usage = |hits, last_used| Usage { hits, last_used };
        let mut journal = record(a, usage(1, 50)).to_vec();
        journal.extend_from_slice(&record(b, usage(3, 7))[..20]);
        journal.extend_from_slice(&record(a, usage(2, 40)));
        journal.extend_from_slice(&record(b, usage(1, 9)));
        journal.extend_from_slice(&[9; 47]);
        let expected = HashMap::from([(a, usage(3, 50)), (b, usage(1, 9))]);
        assert_eq!(parse(&journal), expected);
    }

    #[test]
    fn no_flipped_bit_makes_a_record() {
        let good = record(BlockId::from_bytes([1; 32]), Usage { hits: 1, last_used: 2 });
        for bit in 0..8 * RECORD_BYTES {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&bad), HashMap::new(), "bit {bit}");
        }
    }
}
