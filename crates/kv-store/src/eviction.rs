//! What goes first when there is no room.
//!
//! The unit is a frontier together with the blocks that nothing else needs. It is worth
//!
//! ```text
//! weight x tokens x (1 + hits) x 2^(-age / 6 h) / bytes
//! ```
//!
//! - *tokens*: what has to be computed again without it, from the frontier before it on;
//! - *hits*: how often it was restored; *age*: since it was used last or made;
//! - *bytes*: what removing it frees, its own and those of the blocks that go with it;
//! - *weight*: 1; 2 for the end of a system prompt, which new conversations begin with; 1/4 for any
//!   other frontier that the conversation has gone past.
//!
//! So a long conversation is thinned out first and goes as a whole later: with each frontier that
//! goes, the next one answers for more tokens. What cannot be restored (blocks that no frontier
//! follows, a frontier behind a hole) is worth nothing. A block goes only when no block and no
//! frontier builds on it, so children go before parents. What is pinned stays.

use std::cmp::Ordering;

use crate::BlockId;
use crate::format::{FrontierKind, Name};
use crate::index::{Frontier, Index};

/// The worth of an entry that is not used halves in this time.
const HALF_LIFE_SECONDS: f64 = 6.0 * 3600.0;

/// What to remove next, in this order; `None` if all that is left is pinned.
pub(crate) fn next_victim(index: &Index, now: u64) -> Option<Vec<Name>> {
    if let Some(id) = oldest_loose_block(index) {
        return Some(freed_blocks(index, id).map(Name::block).collect());
    }
    let frontiers = index.frontiers.iter().filter(|(id, _)| !index.is_pinned(**id));
    let worths =
        frontiers.map(|(&id, frontier)| (log_worth(index, id, frontier, now), id, frontier));
    let (_, id, _) = worths.min_by(order)?;
    let blocks = freed_blocks(index, id).map(Name::block);
    Some(std::iter::once(Name::frontier(id)).chain(blocks).collect())
}

/// Something that cannot be restored and is not in use, to be removed in this order.
pub(crate) fn next_unusable(index: &Index) -> Option<Vec<Name>> {
    if let Some(id) = oldest_loose_block(index) {
        return Some(freed_blocks(index, id).map(Name::block).collect());
    }
    let mut frontiers = index.frontiers.iter().filter(|(id, _)| !index.is_pinned(**id));
    let (&id, _) =
        frontiers.find(|(id, frontier)| tokens_saved(index, **id, frontier).is_none())?;
    let blocks = freed_blocks(index, id).map(Name::block);
    Some(std::iter::once(Name::frontier(id)).chain(blocks).collect())
}

/// Least worth first; among equals the one that was used longest ago; the id makes it total.
fn order(a: &(f64, BlockId, &Frontier), b: &(f64, BlockId, &Frontier)) -> Ordering {
    let last_used = |item: &(f64, BlockId, &Frontier)| item.2.usage.last_used;
    a.0.total_cmp(&b.0).then(last_used(a).cmp(&last_used(b))).then(a.1.cmp(&b.1))
}

/// The logarithm of the worth, which cannot underflow however old an entry is.
pub(crate) fn log_worth(index: &Index, id: BlockId, frontier: &Frontier, now: u64) -> f64 {
    let Some(n_tokens) = tokens_saved(index, id, frontier) else { return f64::NEG_INFINITY };
    let bytes =
        frontier.bytes + freed_blocks(index, id).map(|id| index.blocks[&id].bytes).sum::<u64>();
    let weight: f64 = match frontier.kind {
        FrontierKind::SystemPrompt => 2.0,
        _ if index.n_children(id) > 0 => 0.25,
        _ => 1.0,
    };
    let age = now.saturating_sub(frontier.usage.last_used) as f64;
    let uses = 1.0 + f64::from(frontier.usage.hits);
    (weight * f64::from(n_tokens) * uses / bytes as f64).log2() - age / HALF_LIFE_SECONDS
}

/// Tokens since the frontier before this one; `None` if a block on the way is missing.
fn tokens_saved(index: &Index, id: BlockId, frontier: &Frontier) -> Option<u32> {
    let mut block = index.blocks.get(&id)?;
    while block.parent != BlockId::NONE {
        if let Some(before) = index.frontiers.get(&block.parent) {
            return Some(frontier.position.saturating_sub(before.position));
        }
        block = index.blocks.get(&block.parent)?;
    }
    Some(frontier.position)
}

/// The blocks that nothing needs any more once the frontier at `id` is gone, last one first.
pub(crate) fn freed_blocks(index: &Index, id: BlockId) -> impl Iterator<Item = BlockId> {
    let is_free = |id: BlockId, n_children: usize| {
        index.blocks.contains_key(&id) && index.n_children(id) == n_children && !index.is_pinned(id)
    };
    let first = is_free(id, 0).then_some(id);
    std::iter::successors(first, move |id| {
        let parent = index.blocks[id].parent;
        (is_free(parent, 1) && !index.frontiers.contains_key(&parent)).then_some(parent)
    })
}

fn oldest_loose_block(index: &Index) -> Option<BlockId> {
    let loose = index.blocks.iter().filter(|(id, _)| {
        index.n_children(**id) == 0 && !index.frontiers.contains_key(id) && !index.is_pinned(**id)
    });
    loose.min_by_key(|(id, block)| (block.created, **id)).map(|(id, _)| *id)
}
