//! What is in the directory, in memory: rebuilt from headers, and no more trusted than a hint.
//!
//! A file may vanish or turn out damaged at any time. Then its entry is forgotten, and what hangs
//! on it is out of reach until the hole is filled again.

use std::collections::{HashMap, HashSet};

use crate::format::{Entry, FrontierKind, Name, Part};
use crate::usage::Usage;
use crate::{BlockId, Fingerprint};

/// A block that is there.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) parent: BlockId,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) position: u32,
    pub(crate) bytes: u64,
    pub(crate) created: u64,
}

/// A frontier that is there.
#[derive(Debug, Clone)]
pub(crate) struct Frontier {
    pub(crate) kind: FrontierKind,
    pub(crate) position: u32,
    pub(crate) bytes: u64,
    pub(crate) created: u64,
    pub(crate) usage: Usage,
}

/// All entries of a directory, and which of them may not be touched.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) blocks: HashMap<BlockId, Block>,
    pub(crate) frontiers: HashMap<BlockId, Frontier>,
    /// How many blocks have this one as their parent, whether or not it is there itself.
    n_children: HashMap<BlockId, usize>,
    /// Blocks that are being restored or extended, with their frontiers.
    pins: HashMap<BlockId, usize>,
    /// Files that are on their way out, or failed: not to be taken up again when they are seen.
    hidden: HashSet<Name>,
    /// Use from the journal, of entries that may not have been seen yet.
    usages: HashMap<BlockId, Usage>,
    bytes: u64,
}

impl Index {
    /// Bytes of all entries.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn n_entries(&self) -> usize {
        self.blocks.len() + self.frontiers.len()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = Name> {
        let blocks = self.blocks.keys().map(|&id| Name::block(id));
        blocks.chain(self.frontiers.keys().map(|&id| Name::frontier(id)))
    }

    pub(crate) fn contains(&self, name: Name) -> bool {
        match name.part {
            Part::Block => self.blocks.contains_key(&name.id),
            Part::Frontier => self.frontiers.contains_key(&name.id),
        }
    }

    /// Takes up an entry whose file is complete.
    pub(crate) fn insert(&mut self, entry: &Entry) {
        let name = entry.name();
        self.hidden.remove(&name);
        if self.contains(name) {
            return;
        }
        let id = name.id;
        let (position, bytes, created) = (entry.position, entry.n_file_bytes(), entry.created);
        self.bytes += bytes;
        if let Some(kind) = entry.frontier {
            let mut usage = Usage { hits: 0, last_used: created };
            usage.add(self.usages.get(&id).copied().unwrap_or_default());
            self.frontiers.insert(id, Frontier { kind, position, bytes, created, usage });
        } else {
            let (parent, fingerprint) = (entry.parent, entry.fingerprint);
            *self.n_children.entry(parent).or_default() += 1;
            self.blocks.insert(id, Block { parent, fingerprint, position, bytes, created });
        }
    }

    /// Forgets an entry, if it is known.
    pub(crate) fn remove(&mut self, name: Name) {
        match name.part {
            Part::Block => {
                let Some(block) = self.blocks.remove(&name.id) else { return };
                self.bytes -= block.bytes;
                decrement(&mut self.n_children, block.parent);
            }
            Part::Frontier => {
                let Some(frontier) = self.frontiers.remove(&name.id) else { return };
                self.bytes -= frontier.bytes;
            }
        }
    }

    /// Whether other blocks build on this one.
    pub(crate) fn n_children(&self, id: BlockId) -> usize {
        self.n_children.get(&id).copied().unwrap_or(0)
    }

    /// Keeps a block and its frontier from being evicted, until it is unpinned as often.
    pub(crate) fn pin(&mut self, id: BlockId) {
        *self.pins.entry(id).or_default() += 1;
    }

    pub(crate) fn unpin(&mut self, id: BlockId) {
        decrement(&mut self.pins, id);
    }

    pub(crate) fn is_pinned(&self, id: BlockId) -> bool {
        self.pins.contains_key(&id)
    }

    /// Forgets an entry, and does not take it up again before it is written anew.
    pub(crate) fn hide(&mut self, name: Name) {
        self.remove(name);
        self.hidden.insert(name);
    }

    pub(crate) fn unhide(&mut self, name: Name) {
        self.hidden.remove(&name);
    }

    pub(crate) fn is_hidden(&self, name: Name) -> bool {
        self.hidden.contains(&name)
    }

    /// Notes that a frontier was used.
    pub(crate) fn touch(&mut self, id: BlockId, usage: Usage) {
        self.usages.entry(id).or_default().add(usage);
        if let Some(frontier) = self.frontiers.get_mut(&id) {
            frontier.usage.add(usage);
        }
    }

    /// Takes what the journal says in place of what was known.
    pub(crate) fn set_usages(&mut self, usages: HashMap<BlockId, Usage>) {
        for (id, frontier) in &mut self.frontiers {
            let mut usage = Usage { hits: 0, last_used: frontier.created };
            usage.add(usages.get(id).copied().unwrap_or_default());
            frontier.usage = usage;
        }
        self.usages = usages;
    }

    /// How many of the chain's blocks are known, from the beginning without a gap.
    pub(crate) fn n_known(&self, chain: &[BlockId]) -> usize {
        chain.iter().take_while(|id| self.blocks.contains_key(id)).count()
    }
}

fn decrement(counts: &mut HashMap<BlockId, usize>, id: BlockId) {
    if let Some(count) = counts.get_mut(&id) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&id);
        }
    }
}
