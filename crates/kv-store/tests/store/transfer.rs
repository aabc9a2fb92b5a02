use std::io::Cursor;
use std::path::Path;

use kv_store::{
    BlockId, Directory, DirectoryOptions, Fingerprint, Imported, Store, TransferError, check_export,
};

use crate::conversation::{BLOCK_TOKENS, SMALL, tokens};
use crate::damage::open;
use crate::disk::Disk;

const UNBOUNDED: DirectoryOptions = DirectoryOptions { budget_bytes: u64::MAX, compress: false };

fn directory(disk: &Disk) -> Directory {
    Directory::open_with(disk.io(), Path::new("kv"), UNBOUNDED).expect("a directory")
}

/// The prefix of so many blocks.
fn id(directory: &Directory, n_blocks: usize) -> BlockId {
    let prefixes = directory.prefixes();
    let found = prefixes.iter().find(|p| p.n_tokens as usize == n_blocks * BLOCK_TOKENS);
    found.expect("it is there").id
}

fn save(store: &Store, conversation: &[u32], blocks: &[usize]) {
    for &n_blocks in blocks {
        SMALL.save_now(store, &conversation[..n_blocks * BLOCK_TOKENS]).expect("saved");
    }
}

fn export(disk: &Disk, n_blocks: usize) -> Vec<u8> {
    let directory = directory(disk);
    let mut file = Vec::new();
    directory.export(id(&directory, n_blocks), &mut file).expect("exported");
    file
}

#[test]
fn an_exported_prefix_opens_elsewhere() {
    let (here, there) = (Disk::default(), Disk::default());
    let conversation = tokens(100, 0, 5);
    save(&open(&here), &conversation, &[2, 4, 5]);
    let file = export(&here, 4);
    there.set_now(5_000_000);
    let elsewhere = directory(&there);
    let imported = elsewhere.import(Cursor::new(&file)).expect("imported");
    let expected = Imported {
        id: id(&directory(&here), 4),
        fingerprint: Fingerprint([1; 32]),
        n_tokens: 4 * BLOCK_TOKENS as u32,
    };
    assert_eq!((imported, check_export(&file[..]).expect("sound")), (expected, expected));
    let prefix = &elsewhere.prefixes()[0];
    assert_eq!((prefix.hits, prefix.last_used), (0, 5_000_000), "it is wanted now");
    assert_eq!(elsewhere.tokens(prefix).expect("tokens"), conversation[..4 * BLOCK_TOKENS]);
    let store = open(&there);
    assert_eq!(SMALL.restore(&store, &conversation), 4 * BLOCK_TOKENS);
    assert_eq!(store.stats().entries, 5, "the frontier in the middle stays behind");
    // Again, and where a part of it is already.
    elsewhere.import(Cursor::new(&file)).expect("imported");
    let third = Disk::default();
    save(&open(&third), &tokens(900, 0, 3), &[3]);
    save(&open(&third), &conversation, &[2]);
    directory(&third).import(Cursor::new(&file)).expect("imported");
    assert_eq!(SMALL.restore(&open(&third), &conversation), 4 * BLOCK_TOKENS);
}

#[test]
fn nothing_of_a_damaged_export_is_stored() {
    let here = Disk::default();
    save(&open(&here), &tokens(100, 0, 3), &[3]);
    let file = export(&here, 3);
    let there = Disk::default();
    let elsewhere = directory(&there);
    let check = |bad: Vec<u8>, what: &str| {
        let imported = elsewhere.import(Cursor::new(bad));
        assert!(imported.is_err(), "{what}");
        assert_eq!((elsewhere.n_entries(), there.bytes()), (0, 0), "{what}");
    };
    for length in 0..file.len() {
        check(file[..length].to_vec(), &format!("{length} bytes"));
    }
    check([file.as_slice(), b"x"].concat(), "a byte more");
    for bit in (0..8 * file.len()).step_by(5) {
        let mut bad = file.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        check(bad, &format!("bit {bit}"));
    }
    let another = b"GGUF and whatever follows it".to_vec();
    let refused = elsewhere.import(Cursor::new(another));
    assert!(matches!(refused, Err(TransferError::NotAnExport)), "{refused:?}");
    elsewhere.import(Cursor::new(file)).expect("imported");
}

/// Exports whose entries and checksums are sound, and that are no prefix.
#[test]
fn entries_that_make_no_prefix_are_refused() {
    let disk = Disk::default();
    let store = open(&disk);
    save(&store, &tokens(100, 0, 2), &[1, 2]);
    save(&store, &tokens(900, 0, 1), &[1]);
    let (file, disk_now) = (export(&disk, 2), Disk::default());
    let entries = split(&file);
    let (first, second, frontier) = (entries[0], entries[1], entries[2]);
    let elsewhere = directory(&disk_now);
    let import = |entries: &[&[u8]]| elsewhere.import(Cursor::new(join(entries))).map(|_| ());
    for (entries, at) in [
        (&[second, frontier][..], 1),
        (&[frontier], 1),
        (&[first, frontier], 2),
        (&[first, first, second, frontier], 2),
        (&[first, second, frontier, frontier], 4),
        (&[first, second], 2),
        (&[], 0),
    ] {
        let refused = import(entries);
        let is_order = matches!(refused, Err(TransferError::Order { number }) if number == at);
        assert!(is_order, "{at}: {refused:?}");
        assert_eq!(elsewhere.n_entries(), 0);
    }
    import(&[first, second, frontier]).expect("the right order");
}

fn split(mut file: &[u8]) -> Vec<&[u8]> {
    file = &file[16..file.len() - 32];
    let mut entries = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let (entry, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
        entries.push(entry);
        file = rest;
    }
    entries
}

/// The table in `FORMATS.md`, written again by hand.
fn join(entries: &[&[u8]]) -> Vec<u8> {
    let mut file = b"IRONSTKX\x01\0\0\0".to_vec();
    file.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    for entry in entries {
        file.extend_from_slice(&(entry.len() as u64).to_le_bytes());
        file.extend_from_slice(entry);
    }
    let checksum = blake3::hash(&file);
    file.extend_from_slice(checksum.as_bytes());
    file
}

#[test]
fn verify_finds_what_is_damaged_and_prune_leaves_what_is_asked() {
    let disk = Disk::default();
    let store = open(&disk);
    for n in 1..=5 {
        disk.set_now(1000 * u64::from(n));
        save(&store, &tokens(1000 * n, 0, 3), &[3]);
    }
    let directory = directory(&disk);
    assert!(directory.verify(|| ()).is_empty());
    let prefixes = directory.prefixes();
    assert_eq!(
        prefixes.iter().map(|p| p.created).collect::<Vec<_>>(),
        [5000, 4000, 3000, 2000, 1000]
    );
    assert!(prefixes.iter().all(|p| p.bytes == p.own_bytes && p.n_tokens == 12));
    // The first block of the oldest.
    let damaged = disk.paths().into_iter().find(|path| {
        let mut is_first = false;
        disk.edit(path, |bytes| {
            is_first = bytes.get(80) == Some(&4) && bytes[176..180] == [0xe8, 3, 0, 0];
        });
        is_first
    });
    disk.edit(&damaged.expect("a block"), |bytes| bytes[200] ^= 1);
    let mut n_steps = 0;
    let errors = directory.verify(|| n_steps += 1);
    assert_eq!((errors.len(), n_steps, directory.n_damaged()), (1, 20, 1), "{errors:?}");
    assert_eq!(directory.prefixes().len(), 4, "what is behind the hole cannot be restored");
    // What cannot be restored goes first, and nothing else when there is room.
    directory.prune(u64::MAX).expect("pruned");
    assert_eq!((directory.n_entries(), directory.n_damaged()), (16, 0));
    let each = prefixes[0].bytes;
    directory.prune(2 * each).expect("pruned");
    assert_eq!((directory.bytes(), disk.bytes()), (2 * each, 2 * each));
    let left: Vec<_> = directory.prefixes().iter().map(|p| p.created).collect();
    assert_eq!(left, [5000, 4000]);
    directory.prune(0).expect("pruned");
    assert_eq!((directory.n_entries(), disk.bytes()), (0, 0));
}
