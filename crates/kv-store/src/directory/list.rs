//! What is in the directory, for people.

use super::Directory;
use crate::eviction::{freed_blocks, log_worth};
use crate::index::Index;
use crate::{BlockId, Fingerprint, FrontierKind};

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
}

/// Bytes of all blocks up to this one; `None` if one is missing.
fn chain_bytes(index: &Index, mut id: BlockId) -> Option<u64> {
    let mut bytes = 0;
    while id != BlockId::NONE {
        let block = index.blocks.get(&id)?;
        bytes += block.bytes;
        id = block.parent;
    }
    Some(bytes)
}
