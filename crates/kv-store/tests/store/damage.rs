use std::path::{Path, PathBuf};

use kv_store::{Fingerprint, FrontierKind, Store};

use crate::conversation::{BLOCK_TOKENS, SMALL, options, tokens};
use crate::disk::Disk;

const FP: Fingerprint = Fingerprint([1; 32]);

pub(crate) fn open(disk: &Disk) -> Store {
    Store::open_with(disk.io(), Path::new("kv"), FP, &options()).expect("a store")
}

/// A disk with two conversations that share two blocks, and both.
fn two_conversations() -> (Disk, [Vec<u32>; 2]) {
    let disk = Disk::default();
    let both = [tokens(100, 2, 4), tokens(5000, 2, 3)];
    let store = open(&disk);
    SMALL.save_now(&store, &both[0][..2 * BLOCK_TOKENS]).expect("saved");
    for conversation in &both {
        SMALL.save_now(&store, conversation).expect("saved");
    }
    // The journal shall have a record too.
    assert_eq!(SMALL.restore(&store, &both[0]), 4 * BLOCK_TOKENS);
    (disk, both)
}

/// When a file is damaged.
#[derive(Clone, Copy, PartialEq)]
enum When {
    BeforeOpening,
    WhileOpen,
}

/// Damages one file. Whatever is found must be right; afterwards everything can be saved and found
/// again.
fn check_damage(
    path: &Path,
    disk: &Disk,
    both: &[Vec<u32>; 2],
    when: When,
    edit: impl Fn(&mut Vec<u8>),
) {
    let disk = disk.copy();
    let early = (when == When::WhileOpen).then(|| open(&disk));
    disk.edit(path, &edit);
    let store = early.unwrap_or_else(|| open(&disk));
    let prompts = [&both[0], &both[1], &both[0][..2 * BLOCK_TOKENS]];
    let found = prompts.map(|prompt| SMALL.restore(&store, prompt));
    let is_entry = path.starts_with("kv/entries");
    let whole = prompts.map(<[u32]>::len);
    assert_eq!(found == whole, !is_entry, "{}: {found:?}", path.display());
    store.flush();
    if is_entry {
        assert_eq!(store.stats().damaged_entries, 1, "{}", path.display());
        let aside = Path::new("kv/damaged").join(path.file_name().expect("a name"));
        assert!(disk.paths().contains(&aside) && !disk.paths().contains(&path.to_owned()));
    }
    for conversation in both {
        // Also in the middle, where the shared frontier may be the one that was damaged.
        for n_blocks in [2, conversation.len() / BLOCK_TOKENS] {
            let part = &conversation[..n_blocks * BLOCK_TOKENS];
            SMALL.save_now(&store, part).expect("saved");
            assert_eq!(SMALL.restore(&store, part), part.len());
        }
    }
    assert_eq!(store.stats().entries, 8, "{}", path.display());
}

/// Every other time one, every other time the other.
fn either(n: usize) -> When {
    if n.is_multiple_of(2) { When::BeforeOpening } else { When::WhileOpen }
}

fn files(disk: &Disk) -> Vec<PathBuf> {
    let paths = disk.paths();
    assert_eq!(paths.len(), 5 + 3 + 3, "blocks, frontiers, locks and journal: {paths:?}");
    paths
}

#[test]
fn a_file_of_any_other_length_is_a_miss() {
    let (disk, both) = two_conversations();
    for path in files(&disk) {
        let mut length = 0;
        disk.edit(&path, |bytes| length = bytes.len());
        for cut in 0..length {
            check_damage(&path, &disk, &both, either(cut), |bytes| bytes.truncate(cut));
        }
        check_damage(&path, &disk, &both, When::WhileOpen, |bytes| bytes.push(0));
    }
}

#[test]
fn a_file_with_any_bit_flipped_is_a_miss() {
    let (disk, both) = two_conversations();
    for path in files(&disk) {
        let mut length = 0;
        disk.edit(&path, |bytes| length = bytes.len());
        // Every bit in turn would take a minute; the format's own tests do that.
        for bit in (0..8 * length).step_by(15) {
            check_damage(&path, &disk, &both, either(bit), |bytes| {
                bytes[bit / 8] ^= 1 << (bit % 8);
            });
        }
    }
}

/// A sound file under another one's name, as a careless copy would leave it.
#[test]
fn a_file_under_another_name_is_a_miss() {
    let (disk, both) = two_conversations();
    let entries: Vec<_> =
        files(&disk).into_iter().filter(|path| path.starts_with("kv/entries")).collect();
    for path in &entries {
        for other in entries.iter().filter(|other| *other != path) {
            let mut content = Vec::new();
            disk.edit(other, |bytes| content.clone_from(bytes));
            for when in [When::BeforeOpening, When::WhileOpen] {
                check_damage(path, &disk, &both, when, |bytes| bytes.clone_from(&content));
            }
        }
    }
}

#[test]
fn foreign_files_are_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let conversation = tokens(100, 0, 3);
    let open = || Store::open(dir.path(), FP, &options()).expect("a store");
    SMALL.save_now(&open(), &conversation).expect("saved");
    let foreign = dir.path().join("entries/notes.txt");
    std::fs::write(&foreign, "mine").expect("a file");
    std::fs::create_dir(dir.path().join("entries/folder")).expect("a folder");
    std::fs::write(dir.path().join("temporary/0.block"), "left over").expect("a file");
    let store = open();
    assert_eq!(SMALL.restore(&store, &conversation), conversation.len());
    SMALL
        .save(&store, &tokens(9, 0, 2), FrontierKind::Interval)
        .expect("queued")
        .wait()
        .expect("saved");
    assert_eq!(std::fs::read(&foreign).expect("it is there"), b"mine");
    let temporary = dir.path().join("temporary").read_dir().expect("a folder");
    assert_eq!(temporary.count(), 0, "what a crash left over is gone");
}

/// A directory where a file should be, and a file where the directory should be.
#[test]
fn what_is_no_file_is_a_miss_and_what_is_no_directory_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let conversation = tokens(100, 0, 1);
    let open = || Store::open(dir.path(), FP, &options()).expect("a store");
    SMALL.save_now(&open(), &conversation).expect("saved");
    let entries = dir.path().join("entries").read_dir().expect("a folder");
    for entry in entries {
        let path = entry.expect("an entry").path();
        std::fs::remove_file(&path).expect("it goes");
        std::fs::create_dir(&path).expect("a folder");
    }
    assert_eq!(SMALL.restore(&open(), &conversation), 0);
    let file = dir.path().join("lock");
    let error = Store::open(&file, FP, &options()).map(|_| ()).expect_err("a file is no directory");
    assert_eq!(error.to_string(), format!("cannot use {} as a KV store", file.display()));
}
