use std::collections::BTreeMap;
use std::path::Path;

use kv_store::{Fingerprint, FrontierKind, Options, SaveError, Store};
use proptest::prelude::*;

use crate::conversation::{BLOCK_TOKENS, Sizes, options};
use crate::disk::Disk;

const FP: Fingerprint = Fingerprint([1; 32]);
const START: u64 = 1_790_000_000;
/// Bytes of a block's and of a frontier's header, from `FORMATS.md`.
const BLOCK_HEADER: usize = 176 + 4 * BLOCK_TOKENS;
const FRONTIER_HEADER: usize = 176;
const SIZES: Sizes = Sizes { block: 500 - BLOCK_HEADER, frontier: 1000 - FRONTIER_HEADER };
const BLOCK_BYTES: u64 = 500;
const FRONTIER_BYTES: u64 = 1000;

/// A step of a day's work.
#[derive(Debug, Clone)]
enum Step {
    /// A conversation is saved: which of few branches it takes at each block.
    Save(Vec<u8>, FrontierKind),
    Restore(Vec<u8>),
    Wait(u64),
    Restart,
}

fn branches() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0_u8..2, 1..6)
}

fn kind() -> impl Strategy<Value = FrontierKind> {
    prop_oneof![
        Just(FrontierKind::TurnEnd),
        Just(FrontierKind::Interval),
        Just(FrontierKind::SystemPrompt)
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (branches(), kind()).prop_map(|(branches, kind)| Step::Save(branches, kind)),
        3 => branches().prop_map(Step::Restore),
        2 => (1_u64..40_000).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..40)
}

fn tokens(branches: &[u8]) -> Vec<u32> {
    branches.iter().flat_map(|&branch| [u32::from(branch); BLOCK_TOKENS]).collect()
}

fn open(disk: &Disk, budget_bytes: u64) -> Store {
    let options = Options { budget_bytes, ..options() };
    Store::open_with(disk.io(), Path::new("kv"), FP, &options).expect("a store")
}

/// What a store should hold, as sets of prefixes: nothing is shared with how the store does it.
#[derive(Debug, Default)]
struct Model {
    /// With the times they were made at.
    blocks: BTreeMap<Vec<u8>, u64>,
    frontiers: BTreeMap<Vec<u8>, Frontier>,
    /// Hits outlive an eviction: what was popular once is known to have been when it comes back.
    hits: BTreeMap<Vec<u8>, u32>,
    budget: u64,
    now: u64,
}

#[derive(Debug, Clone)]
struct Frontier {
    kind: FrontierKind,
    hits: u32,
    last_used: u64,
}

impl Model {
    fn bytes(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK_BYTES + self.frontiers.len() as u64 * FRONTIER_BYTES
    }

    /// Blocks that nothing would need if the frontier there were gone.
    fn freed(&self, of: &[u8], kept: &[u8]) -> Vec<Vec<u8>> {
        let is_branch =
            |block: &[u8], other: &[u8]| other.starts_with(block) && !of.starts_with(other);
        let needed = |block: &[u8]| {
            kept.starts_with(block)
                || self.blocks.keys().any(|other| is_branch(block, other))
                || self.frontiers.keys().any(|other| other != of && other.starts_with(block))
        };
        self.blocks
            .keys()
            .filter(|block| of.starts_with(block) && !needed(block))
            .cloned()
            .collect()
    }

    fn worth(&self, of: &[u8], frontier: &Frontier, kept: &[u8]) -> f64 {
        let before = (0..of.len()).rev().find(|&n| self.frontiers.contains_key(&of[..n]));
        let tokens = (of.len() - before.unwrap_or(0)) * BLOCK_TOKENS;
        let is_passed =
            self.blocks.keys().any(|block| block.len() > of.len() && block.starts_with(of));
        let weight = match frontier.kind {
            FrontierKind::SystemPrompt => 2.0,
            _ if is_passed => 0.25,
            _ => 1.0,
        };
        let bytes = FRONTIER_BYTES + self.freed(of, kept).len() as u64 * BLOCK_BYTES;
        let age = (self.now - frontier.last_used) as f64;
        let uses = f64::from(1 + frontier.hits);
        // The logarithm, so that equals are equal here where they are in the store.
        (weight * tokens as f64 * uses / bytes as f64).log2() - age / 21_600.0
    }

    /// Drops a block that a save which found no room left behind, and what is before it.
    fn drop_loose(&mut self, kept: &[u8]) -> bool {
        let is_extended = |of: &[u8]| {
            self.blocks.keys().any(|block| block.len() > of.len() && block.starts_with(of))
        };
        let is_loose = |block: &[u8]| {
            block != kept && !self.frontiers.contains_key(block) && !is_extended(block)
        };
        let loose = self.blocks.iter().filter(|(block, _)| is_loose(block));
        let oldest = loose.min_by_key(|(block, made)| (**made, ids(block))).map(|(block, _)| block);
        let Some(oldest) = oldest.cloned() else { return false };
        for block in self.freed(&oldest, kept) {
            self.blocks.remove(&block);
        }
        true
    }

    /// The store's answer to a save.
    fn save(&mut self, branches: &[u8], kind: FrontierKind) -> Result<(), ()> {
        let new: Vec<Vec<u8>> = (1..=branches.len()).map(|n| branches[..n].to_vec()).collect();
        let n_missing = new.iter().filter(|block| !self.blocks.contains_key(*block)).count() as u64;
        let is_new = !self.frontiers.contains_key(branches);
        let need = n_missing * BLOCK_BYTES + u64::from(is_new) * FRONTIER_BYTES;
        let n_stored = new.len() as u64 - n_missing;
        // What the save builds on is pinned from its last stored block on.
        let kept = &branches[..n_stored as usize];
        // A save of what is there already asks for no more than its frontier.
        if n_missing * BLOCK_BYTES + FRONTIER_BYTES > self.budget {
            return Err(());
        }
        while self.bytes() + need > self.budget {
            if self.drop_loose(kept) {
                continue;
            }
            let pinned = |prefix: &[u8]| {
                prefix == kept || (prefix.len() > kept.len() && branches.starts_with(prefix))
            };
            let candidates = self.frontiers.iter().filter(|(of, _)| !pinned(of));
            let worths = candidates.map(|(of, frontier)| {
                let id = ids(of);
                (self.worth(of, frontier, kept), frontier.last_used, id, of.clone())
            });
            let Some((.., of)) =
                worths.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)))
            else {
                return Err(());
            };
            let freed = self.freed(&of, kept);
            self.frontiers.remove(&of);
            self.blocks.retain(|block, _| !freed.contains(block));
        }
        for block in new {
            self.blocks.entry(block).or_insert(self.now);
        }
        let hits = self.hits.get(branches).copied().unwrap_or(0);
        let frontier = Frontier { kind, hits, last_used: self.now };
        self.frontiers.entry(branches.to_vec()).or_insert(frontier);
        Ok(())
    }

    fn restore(&mut self, branches: &[u8]) -> usize {
        let found =
            (1..=branches.len()).rev().find(|&n| self.frontiers.contains_key(&branches[..n]));
        let Some(n) = found else { return 0 };
        let frontier = self.frontiers.get_mut(&branches[..n]).expect("it was found");
        frontier.hits += 1;
        self.hits.insert(branches[..n].to_vec(), frontier.hits);
        frontier.last_used = self.now;
        n
    }
}

/// The id that decides between equals, from `FORMATS.md`.
fn ids(branches: &[u8]) -> [u8; 32] {
    let mut id = [0; 32];
    for block in branches {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"ironstar KV block 1\0").update(&FP.0).update(&id);
        for token in tokens(&[*block]) {
            hasher.update(&token.to_le_bytes());
        }
        id = *hasher.finalize().as_bytes();
    }
    id
}

fn check_days_work(steps: Vec<Step>, budget: u64) -> Result<(), TestCaseError> {
    let disk = Disk::default();
    let mut model = Model { budget, now: START, ..Model::default() };
    disk.set_now(START);
    let mut store = open(&disk, budget);
    for step in steps {
        match step {
            Step::Save(branches, kind) => {
                let expected = model.save(&branches, kind);
                let receipt = SIZES.save(&store, &tokens(&branches), kind);
                let saved = receipt.and_then(kv_store::Receipt::wait);
                prop_assert_eq!(saved.is_ok(), expected.is_ok(), "{:?}", saved);
                let no_room = matches!(
                    saved,
                    Ok(()) | Err(SaveError::NoRoom { .. } | SaveError::TooLarge { .. })
                );
                prop_assert!(no_room);
            }
            Step::Restore(branches) => {
                let found = SIZES.restore(&store, &tokens(&branches));
                prop_assert_eq!(found, model.restore(&branches) * BLOCK_TOKENS);
            }
            Step::Wait(seconds) => {
                model.now += seconds;
                disk.set_now(model.now);
            }
            Step::Restart => {
                drop(store);
                store = open(&disk, budget);
            }
        }
        store.flush();
        prop_assert_eq!(store.stats().bytes, model.bytes());
        prop_assert_eq!(disk.bytes(), model.bytes());
        prop_assert!(disk.peak_bytes() <= budget, "at most {} bytes", disk.peak_bytes());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The longest prefix is found, what is worth least is evicted, the budget holds at all times,
    /// and hits survive restarts: as a model of sets has it that shares nothing with the store.
    #[test]
    fn a_store_does_what_a_model_of_sets_does(steps in steps(), budget in 2_000_u64..20_000) {
        check_days_work(steps, budget)?;
    }
}

/// Damaged files count, and go before anything else does.
#[test]
fn the_budget_covers_damaged_files() {
    let disk = Disk::default();
    let store = open(&disk, 4000);
    SIZES.save_now(&store, &tokens(&[0, 0])).expect("saved");
    let frontier =
        disk.paths().into_iter().find(|path| path.to_string_lossy().contains(".frontier"));
    disk.edit(&frontier.expect("it is there"), |bytes| bytes[500] ^= 1);
    assert_eq!(SIZES.restore(&store, &tokens(&[0, 0])), 0);
    store.flush();
    assert_eq!((store.stats().bytes, disk.bytes(), store.stats().entries), (2000, 2000, 2));
    SIZES.save_now(&store, &tokens(&[1, 1, 1, 1])).expect("saved");
    assert_eq!((disk.bytes(), disk.peak_bytes()), (4000, 4000));
    assert_eq!(store.n_stored_blocks(&tokens(&[0, 0])), 2, "the blocks could stay");
}

#[test]
fn a_smaller_budget_is_kept_from_the_start() {
    let disk = Disk::default();
    let store = open(&disk, 100_000);
    for n in 0..10 {
        disk.set_now(START + 1000 * u64::from(n));
        SIZES.save_now(&store, &tokens(&[n, n, n])).expect("saved");
    }
    drop(store);
    let store = open(&disk, 10_000);
    assert_eq!(disk.bytes(), 10_000);
    let found: Vec<_> =
        (0..10).map(|n| SIZES.restore(&store, &tokens(&[n, n, n])) / BLOCK_TOKENS).collect();
    assert_eq!(found, [0, 0, 0, 0, 0, 0, 3, 3, 3, 3]);
}

/// A hit lives, so what it stands for stays, however little it is worth.
#[test]
fn what_is_being_restored_is_not_evicted() {
    let disk = Disk::default();
    let store = open(&disk, 6000);
    let old = tokens(&[0, 0]);
    SIZES.save_now(&store, &old).expect("saved");
    let hit = store.lookup(&old).expect("a hit");
    for n in 1..10 {
        disk.set_now(START + 1_000_000 * u64::from(n));
        SIZES.save_now(&store, &tokens(&[n, n])).expect("saved");
    }
    SIZES.check_hit(&hit, &old).expect("it is there still");
    drop(hit);
    let refused = SIZES.save_now(&store, &tokens(&[20; 10]));
    assert!(refused.is_ok(), "{refused:?}");
    assert_eq!(SIZES.restore(&store, &old), 0);
}
