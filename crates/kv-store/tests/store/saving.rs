use std::path::Path;

use kv_store::{Fingerprint, FrontierKind, NewFrontier, Options, Save, SaveError, Store};
use tempfile::tempdir;

use crate::conversation::{BLOCK_TOKENS, SMALL, options, tokens};

const FP: Fingerprint = Fingerprint([1; 32]);

fn open(dir: &Path) -> Store {
    Store::open(dir, FP, &options()).expect("a store")
}

#[test]
fn what_is_saved_is_found_again_also_after_a_restart() {
    let dir = tempdir().expect("a folder");
    let conversation = tokens(100, 0, 10);
    let store = open(dir.path());
    assert!(store.lookup(&conversation).is_none());
    SMALL.save_now(&store, &conversation[..6 * BLOCK_TOKENS]).expect("saved");
    for store in [store.clone(), open(dir.path())] {
        assert_eq!(store.n_stored_blocks(&conversation), 6);
        assert_eq!(SMALL.restore(&store, &conversation), 6 * BLOCK_TOKENS);
        // A token more or less than a block makes no difference; a block less ends before the
        // only frontier.
        assert_eq!(SMALL.restore(&store, &conversation[..6 * BLOCK_TOKENS]), 6 * BLOCK_TOKENS);
        assert_eq!(SMALL.restore(&store, &conversation[..6 * BLOCK_TOKENS - 1]), 0);
    }
    assert_eq!((store.stats().hits, store.stats().misses), (2, 2));
}

#[test]
fn the_longest_prefix_with_a_frontier_is_found() {
    let dir = tempdir().expect("a folder");
    let store = open(dir.path());
    let conversation = tokens(100, 6, 9);
    for n_blocks in [2, 5, 9] {
        SMALL.save_now(&store, &conversation[..n_blocks * BLOCK_TOKENS]).expect("saved");
    }
    let other = tokens(5000, 6, 9);
    for (tokens, n_blocks) in [(&conversation, 9), (&other, 5)] {
        assert_eq!(SMALL.restore(&store, tokens), n_blocks * BLOCK_TOKENS);
    }
    assert_eq!(store.n_stored_blocks(&other), 6);
    let hit = store.lookup(&other).expect("a hit");
    let last: Vec<_> = hit.blocks(3).map(|block| block.expect("a block")).collect();
    assert_eq!(last, [SMALL.block(&other, 3), SMALL.block(&other, 4)]);
}

#[test]
fn a_block_is_written_once() {
    let dir = tempdir().expect("a folder");
    let store = open(dir.path());
    for n_turns in 1..=20 {
        SMALL.save_now(&store, &tokens(100, 0, 3 * n_turns)).expect("saved");
    }
    let stats = store.stats();
    assert_eq!((stats.written_entries, stats.entries), (80, 80));
    assert_eq!((stats.written_bytes, stats.deduplicated_entries), (stats.bytes, 0));
    // A caller that does not ask writes no more either.
    let all = tokens(100, 0, 60);
    SMALL.save_from(&store, &all, 0, FrontierKind::TurnEnd).expect("queued").wait().expect("saved");
    assert_eq!(store.stats().written_bytes, stats.bytes);
    let on_disk: u64 = std::fs::read_dir(dir.path().join("entries"))
        .expect("a folder")
        .map(|file| file.expect("a file").metadata().expect("metadata").len())
        .sum();
    assert_eq!(on_disk, stats.bytes);
}

#[test]
fn another_fingerprint_or_block_size_sees_nothing() {
    let dir = tempdir().expect("a folder");
    let conversation = tokens(100, 0, 4);
    SMALL.save_now(&open(dir.path()), &conversation).expect("saved");
    let other = Store::open(dir.path(), Fingerprint([2; 32]), &options()).expect("a store");
    let larger = Options { block_tokens: 8, ..options() };
    let larger = Store::open(dir.path(), FP, &larger).expect("a store");
    for store in [other, larger] {
        assert!(store.lookup(&conversation).is_none());
        assert_eq!(store.n_stored_blocks(&conversation), 0);
        assert_eq!(store.stats().entries, 5, "they count towards the budget all the same");
    }
}

#[test]
fn a_save_without_its_parent_fails_and_a_large_one_is_refused() {
    let dir = tempdir().expect("a folder");
    let small = Options { budget_bytes: 1500, queue_bytes: 600, ..options() };
    let store = Store::open(dir.path(), FP, &small).expect("a store");
    let conversation = tokens(100, 0, 8);
    let receipt = SMALL.save_from(&store, &conversation[..32], 7, FrontierKind::TurnEnd);
    let done = receipt.expect("queued").wait();
    assert!(matches!(done, Err(SaveError::MissingParent)), "{done:?}");
    let refused = SMALL.save_now(&store, &conversation);
    assert!(matches!(refused, Err(SaveError::TooLarge { .. })), "{refused:?}");
    assert_eq!((store.stats().failed_saves, store.stats().dropped_saves), (1, 1));
    assert_eq!(store.stats().entries, 0);
    SMALL.save_now(&store, &conversation[..8]).expect("saved");
}

#[test]
fn compression_changes_files_and_nothing_else() {
    let dir = tempdir().expect("a folder");
    let compressing = Options { compress: true, ..options() };
    let store = Store::open(dir.path(), FP, &compressing).expect("a store");
    let conversation = tokens(100, 0, 1);
    let zeros = vec![0; 100_000];
    let frontier = NewFrontier { kind: FrontierKind::TurnEnd, payload: zeros.clone() };
    let save =
        Save { tokens: &conversation, blocks: vec![zeros.clone()], frontier: Some(frontier) };
    store.save(save).expect("queued").wait().expect("saved");
    assert!(store.stats().bytes < 1000, "{}", store.stats().bytes);
    let plain = open(dir.path());
    let hit = plain.lookup(&conversation).expect("a hit");
    assert_eq!(hit.blocks(0).next().expect("a block").expect("it reads"), zeros);
    assert_eq!(hit.frontier().expect("it reads"), zeros);
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempdir().expect("a folder");
    let root = dir.path().join("deep/er");
    let conversation = tokens(100, 0, 2);
    let store = open(&root);
    SMALL.save_now(&store, &conversation).expect("saved");
    SMALL.restore(&store, &conversation);
    store.flush();
    let mut folders = vec![root];
    let mut n_files = 0;
    while let Some(folder) = folders.pop() {
        let mode = |path: &Path| path.metadata().expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for item in std::fs::read_dir(&folder).expect("a folder") {
            let path = item.expect("an item").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                n_files += 1;
            }
        }
    }
    assert_eq!(n_files, 6, "two blocks, a frontier, two locks and the journal");
}
