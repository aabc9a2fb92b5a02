//! What is in the directory, for people.

use super::Directory;
use crate::eviction::{freed_blocks, log_worth};
use crate::format::Name;
use crate::index::{Block, Index};
use crate::{BlockId, Fingerprint, FrontierKind, ReadError};

/// A prefix that can be restored.
#[derive(Debug, Clone, PartialEq)]
pub struct Prefix {
    /// Its last block, which stands for all of its tokens.
    pub id: BlockId,
    /// What it belongs to.
    pub fingerprint: Fingerprint,
    /// Why there is a frontier.
    pub kind: FrontierKind,
    /// Its length in tokens.
    pub n_tokens: u32,
    /// Bytes of its frontier and all of its blocks.
    pub bytes: u64,
    /// Bytes that nothing else needs.
    pub own_bytes: u64,
    /// How often it was restored.
    pub hits: u32,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it was restored last, or made.
    pub last_used: u64,
}

impl Directory {
    /// All prefixes that can be restored, the one that would be evicted last first.
    #[must_use]
    pub fn prefixes(&self) -> Vec<Prefix> {
        let now = self.io.now();
        let state = self.state();
        let index = &state.index;
        let mut prefixes = Vec::new();
        for (&id, frontier) in &index.frontiers {
            let Some(bytes) = chain_bytes(index, id) else { continue };
            let block = &index.blocks[&id];
            let own: u64 = freed_blocks(index, id).map(|id| index.blocks[&id].bytes).sum();
            let prefix = Prefix {
                id,
                fingerprint: block.fingerprint,
                kind: frontier.kind,
                n_tokens: block.position,
                bytes: frontier.bytes + bytes,
                own_bytes: frontier.bytes + own,
                hits: frontier.usage.hits,
                created: frontier.created,
                last_used: frontier.usage.last_used,
            };
            prefixes.push((log_worth(index, id, frontier, now), prefix));
        }
        prefixes.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.id.cmp(&b.1.id)));
        prefixes.into_iter().map(|(_, prefix)| prefix).collect()
    }

    /// Bytes of all files that count towards the budget.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.totals().1
    }

    /// Entries of the directory.
    #[must_use]
    pub fn n_entries(&self) -> usize {
        self.totals().0
    }

    /// Damaged files that were moved aside, now or earlier.
    #[must_use]
    pub fn n_damaged(&self) -> usize {
        self.state().damaged.len()
    }

    /// Reads and checks every entry, and calls `step` after each. What fails is moved aside and
    /// returned.
    pub fn verify(&self, mut step: impl FnMut()) -> Vec<ReadError> {
        let mut names: Vec<Name> = self.state().index.names().collect();
        names.sort_unstable();
        let mut errors = Vec::new();
        for name in names {
            if let Err(error) = self.read_whole(name) {
                self.forget(name, &error);
                errors.push(error);
            }
            step();
        }
        self.tend();
        errors
    }

    /// The tokens of a prefix.
    ///
    /// # Errors
    /// If one of its blocks cannot be read.
    pub fn tokens(&self, prefix: &Prefix) -> Result<Vec<u32>, ReadError> {
        let mut tokens = Vec::new();
        for id in self.chain(prefix.id) {
            tokens.extend(self.read_header(Name::block(id))?.tokens);
        }
        Ok(tokens)
    }

    /// All blocks up to this one, first to last, as far as they are known.
    pub(crate) fn chain(&self, last: BlockId) -> Vec<BlockId> {
        let state = self.state();
        let mut chain: Vec<BlockId> = ancestors(&state.index, last).map(|(id, _)| id).collect();
        chain.reverse();
        chain
    }
}

/// A block and those before it, last one first, until one is missing.
fn ancestors(index: &Index, id: BlockId) -> impl Iterator<Item = (BlockId, &Block)> {
    let block = |id: BlockId| index.blocks.get(&id).map(|block| (id, block));
    std::iter::successors(block(id), move |(_, known)| block(known.parent))
}

/// Bytes of all blocks up to this one; `None` if one is missing.
fn chain_bytes(index: &Index, id: BlockId) -> Option<u64> {
    let (bytes, first) = ancestors(index, id)
        .fold((0, id), |(bytes, _), (_, block)| (bytes + block.bytes, block.parent));
    (first == BlockId::NONE).then_some(bytes)
}
