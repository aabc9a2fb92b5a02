use std::io::ErrorKind;
use std::path::Path;

use kv_store::{Fingerprint, FrontierKind, Options, SaveError, Store};
use proptest::prelude::*;

use crate::conversation::{BLOCK_TOKENS, SMALL, options, tokens};
use crate::damage::open;
use crate::disk::{Disk, Fault};

/// Conversations that grow turn by turn and share beginnings. One turn is long enough for several
/// threads to write it.
fn turns() -> Vec<Vec<u32>> {
    let of = |seed, n_shared, lengths: &[usize]| {
        let turns: Vec<_> = lengths.iter().map(|&n| tokens(seed, n_shared, n)).collect();
        turns
    };
    [of(100, 2, &[2, 3, 5, 14]), of(5000, 2, &[4]), of(9000, 0, &[1, 3])].concat()
}

/// Saves and restores all, whatever fails, and returns what was reported saved. A disk that says it
/// is full makes the store evict; then nothing is certain to be left.
fn work(store: &Store) -> Vec<Vec<u32>> {
    let mut saved = Vec::new();
    for turn in turns() {
        if SMALL.save_now(store, &turn).is_ok() {
            saved.push(turn.clone());
        }
        SMALL.restore(store, &turn);
        store.flush();
    }
    if store.stats().evicted_entries == 0 { saved } else { Vec::new() }
}

/// Opens the disk as it was left, and looks that nothing is wrong or lost.
fn check_left(disk: &Disk, saved: &[Vec<u32>], what: &str) {
    let store = open(disk);
    for turn in turns() {
        let found = SMALL.restore(&store, &turn);
        assert!(found == turn.len() || !saved.contains(&turn), "{what}: lost {}", turn.len());
    }
    store.flush();
    let temporary = disk.paths().into_iter().find(|path| path.starts_with("kv/temporary"));
    assert_eq!(temporary, None, "{what}");
    assert_eq!(store.stats().bytes, disk.bytes(), "{what}");
    // And all is well again.
    assert_eq!(work(&store).len(), turns().len(), "{what}");
}

fn n_operations() -> usize {
    let disk = Disk::default();
    assert_eq!(work(&open(&disk)).len(), turns().len());
    disk.n_operations()
}

#[test]
fn every_operation_may_fail() {
    let n_operations = n_operations();
    assert!(n_operations > 120, "{n_operations} operations");
    let mut kinds = [ErrorKind::Other, ErrorKind::StorageFull, ErrorKind::NotFound];
    for n in 0..n_operations {
        let faults = [Fault::Once(n), Fault::After(n), Fault::From(n)];
        for (fault, kind) in faults.into_iter().zip(kinds) {
            let disk = Disk::default();
            disk.set_fault(Some((fault, kind)));
            let store =
                Store::open_with(disk.io(), Path::new("kv"), Fingerprint([1; 32]), &options());
            let saved = store.map_or_else(|_| Vec::new(), |store| work(&store));
            disk.set_fault(None);
            check_left(&disk, &saved, &format!("{fault:?} {kind}"));
        }
        // Each kind with each fault, and every operation with three of the nine.
        kinds.rotate_left(1);
    }
}

/// The process or the machine ends at any operation, and what was not synced may be lost.
#[test]
fn nothing_that_was_reported_saved_is_lost_when_the_power_goes() {
    let n_operations = n_operations();
    for n in 0..n_operations {
        for seed in 0..4_u64 {
            let disk = Disk::default();
            disk.set_fault(Some((Fault::From(n), ErrorKind::Other)));
            let store =
                Store::open_with(disk.io(), Path::new("kv"), Fingerprint([1; 32]), &options());
            let saved = store.map_or_else(|_| Vec::new(), |store| work(&store));
            let mut state = seed << 32 | n as u64;
            disk.cut_power(|below| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as usize % below
            });
            check_left(&disk, &saved, &format!("power cut at {n}, seed {seed}"));
        }
    }
}

/// Writes to a full disk fail, the store makes room in what it has, and reading goes on.
#[test]
fn a_full_disk_costs_old_entries_and_nothing_else() {
    let disk = Disk::default();
    let store = open(&disk);
    let conversations: Vec<_> = (1..=6).map(|n| tokens(1000 * n, 0, 4)).collect();
    for (n, conversation) in conversations[..4].iter().enumerate() {
        disk.set_now(1_000_000 + 100_000 * n as u64);
        SMALL.save_now(&store, conversation).expect("saved");
    }
    disk.set_capacity(Some(disk.bytes() + 100));
    disk.set_now(2_000_000);
    SMALL.save_now(&store, &conversations[4]).expect("room is made");
    let found: Vec<_> = conversations[..5].iter().map(|c| SMALL.restore(&store, c)).collect();
    assert_eq!(found, [0, 16, 16, 16, 16], "the oldest went");
    // Somebody else fills the disk, so that there is no room to be made.
    disk.set_capacity(Some(0));
    let failed = SMALL.save_now(&store, &tokens(7000, 0, 40));
    let is_full = matches!(&failed, Err(SaveError::NoRoom { .. } | SaveError::Io { .. }));
    assert!(is_full, "{failed:?}");
    assert_eq!(store.stats().failed_saves, 1);
    disk.set_capacity(None);
    check_left(&disk, &[], "full disk");
}

#[test]
fn a_read_only_directory_is_read() {
    let disk = Disk::default();
    let turn = &turns()[0];
    SMALL.save_now(&open(&disk), turn).expect("saved");
    disk.set_read_only();
    let store = open(&disk);
    assert_eq!(SMALL.restore(&store, turn), turn.len());
    let refused = SMALL.save(&store, &tokens(7000, 0, 2), FrontierKind::TurnEnd).map(|_| ());
    assert!(matches!(refused, Err(SaveError::ReadOnly)), "{refused:?}");
    store.flush();
    assert_eq!((store.stats().dropped_saves, store.stats().failed_saves), (1, 0));
    // What is damaged cannot be moved aside, and is not tried again and again all the same.
    let paths = disk.paths();
    let block = paths.iter().find(|path| path.extension().is_some_and(|part| part == "block"));
    disk.edit(block.expect("a block"), |bytes| *bytes.last_mut().expect("a payload") ^= 1);
    assert_eq!(SMALL.restore(&store, turn), 0);
    let empty = Disk::default();
    empty.set_read_only();
    let error = Store::open_with(empty.io(), Path::new("kv"), Fingerprint([1; 32]), &options());
    assert!(error.is_err(), "there is nothing, and nothing can be made");
}

/// Someone removes the directory under a running store.
#[test]
fn a_directory_that_is_removed_is_made_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("kv");
    let store = Store::open(&root, Fingerprint([1; 32]), &options()).expect("a store");
    let turn = &turns()[2];
    SMALL.save_now(&store, turn).expect("saved");
    std::fs::remove_dir_all(&root).expect("it goes");
    assert_eq!(SMALL.restore(&store, turn), 0);
    SMALL.save_now(&store, turn).expect("saved");
    assert_eq!(SMALL.restore(&store, turn), turn.len());
    assert_eq!(store.stats().entries, 6);
}

#[test]
fn a_queue_that_is_full_refuses_and_never_waits() {
    let disk = Disk::default();
    let options = Options { queue_bytes: 2000, ..options() };
    let store = Store::open_with(disk.io(), Path::new("kv"), Fingerprint([1; 32]), &options);
    let store = store.expect("a store");
    // As long as another process holds the lock, nothing is written.
    let lock = disk.io().try_lock(Path::new("kv/lock")).expect("it locks").expect("it is free");
    let turns: Vec<_> = (0..10).map(|n| tokens(1000 * n, 0, 3)).collect();
    let receipts: Vec<_> =
        turns.iter().map(|turn| SMALL.save(&store, turn, FrontierKind::TurnEnd)).collect();
    let n_queued = receipts.iter().filter(|receipt| receipt.is_ok()).count();
    assert!((1..=3).contains(&n_queued), "{n_queued}");
    assert_eq!(store.stats().dropped_saves, 10 - n_queued as u64);
    assert!(store.stats().queued_bytes <= 2000);
    drop(lock);
    for (receipt, turn) in receipts.into_iter().zip(&turns) {
        match receipt {
            Ok(receipt) => {
                receipt.wait().expect("saved");
                assert_eq!(SMALL.restore(&store, turn), 3 * BLOCK_TOKENS);
            }
            Err(error) => assert!(matches!(error, SaveError::QueueFull { .. }), "{error}"),
        }
    }
    assert_eq!(store.stats().queued_bytes, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any damage to any number of files, at any time.
    #[test]
    fn no_damage_makes_a_wrong_hit(
        edits in prop::collection::vec((0_usize..100, 0_usize..400, any::<u8>(), 0_usize..6), 1..12),
    ) {
        let disk = Disk::default();
        let store = open(&disk);
        work(&store);
        for (file, at, value, turn) in edits {
            let paths = disk.paths();
            disk.edit(&paths[file % paths.len()], |bytes| match value % 3 {
                0 => bytes.truncate(at),
                1 => bytes.extend(std::iter::repeat_n(value, at)),
                _ => if let Some(byte) = bytes.get_mut(at) { *byte = byte.wrapping_add(value) },
            });
            SMALL.restore(&store, &turns()[turn]);
            SMALL.restore(&open(&disk), &turns()[turn]);
        }
        drop(store);
        prop_assert_eq!(work(&open(&disk)).len(), turns().len());
    }
}
