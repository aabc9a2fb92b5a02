//! Targets for what the KV store reads: entries and exported prefixes.
//!
//! Checksums would keep a fuzzer out of everything behind them, so each input is also tried with
//! its checksums put right, as a hostile writer would do it.

use kv_store::{
    Directory, DirectoryOptions, Entry, Fingerprint, FormatError, FrontierKind, NewFrontier,
    Options, Save, Store, check_export,
};

/// Where the fields are that checksums need: from `FORMATS.md`.
const N_TOKENS_AT: usize = 84;
const CREATED_AT: usize = 88;
const PAYLOAD_LENGTH_AT: usize = 96;
const PAYLOAD_HASH_AT: usize = 112;
const HEADER_HASH_AT: usize = 144;
const TOKENS_AT: usize = 176;

/// Parses an entry, as it is and with its checksums put right.
///
/// # Panics
/// If the parser accepted something that is not what it says.
pub fn fuzz_kv_entry(data: &[u8]) {
    check_entry(data);
    let mut repaired = data.to_vec();
    if repair(&mut repaired) {
        let parsed = check_entry(&repaired);
        let is_checksum = matches!(parsed, Some(FormatError::Checksum { .. }));
        assert!(!is_checksum, "a checksum does not hold that was just computed");
    }
}

fn check_entry(data: &[u8]) -> Option<FormatError> {
    let header = Entry::parse(data, data.len() as u64);
    match Entry::parse_file(data.to_vec()) {
        Ok((entry, _)) => {
            assert_eq!(header.as_ref(), Ok(&entry), "the header is the same alone");
            assert_eq!(entry.n_file_bytes(), data.len() as u64, "the length is the file's");
            assert_eq!(
                entry.tokens.is_empty(),
                entry.frontier.is_some(),
                "only blocks have tokens"
            );
            // The name must be computable.
            assert_eq!(entry.id().to_string().len(), 64);
            None
        }
        Err(error) => Some(error),
    }
}

/// Puts the checksums right, if there is room for a header.
fn repair(entry: &mut [u8]) -> bool {
    let Some(n_tokens) = entry.get(N_TOKENS_AT..).and_then(|bytes| bytes.first_chunk()) else {
        return false;
    };
    let n_header = (u32::from_le_bytes(*n_tokens) as usize).saturating_mul(4) + TOKENS_AT;
    let Some(payload) = entry.get(n_header..) else { return false };
    let payload = blake3::hash(payload);
    entry[PAYLOAD_HASH_AT..HEADER_HASH_AT].copy_from_slice(payload.as_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&entry[..HEADER_HASH_AT]).update(&entry[TOKENS_AT..n_header]);
    entry[HEADER_HASH_AT..TOKENS_AT].copy_from_slice(hasher.finalize().as_bytes());
    true
}

/// Checks an exported prefix, as it is and with all of its checksums put right.
///
/// # Panics
/// If the checker accepted a prefix without tokens.
pub fn fuzz_kv_export(data: &[u8]) {
    let check = |data: &[u8]| {
        if let Ok(imported) = check_export(data) {
            assert!(imported.n_tokens > 0, "a prefix has tokens");
        }
    };
    check(data);
    let mut repaired = data.to_vec();
    if repair_export(&mut repaired, |_| ()) {
        check(&repaired);
    }
}

/// Puts all checksums of an export right, after `edit` has seen each entry; `false` if it is too
/// short to have any.
fn repair_export(export: &mut [u8], edit: impl Fn(&mut [u8])) -> bool {
    let Some(end) = export.len().checked_sub(32).filter(|&end| end >= 16) else { return false };
    let mut at = 16;
    while let Some(length) = export.get(at..end).and_then(|rest| rest.first_chunk()) {
        let length = u64::from_le_bytes(*length) as usize;
        at += 8;
        let Some(to) = at.checked_add(length).filter(|&to| to <= end) else { break };
        edit(&mut export[at..to]);
        repair(&mut export[at..to]);
        at = to;
    }
    let checksum = blake3::hash(&export[..end]);
    export[end..].copy_from_slice(checksum.as_bytes());
    true
}

/// Makes seeds the same in every run.
fn forget_time(entry: &mut [u8]) {
    entry[CREATED_AT..PAYLOAD_LENGTH_AT].fill(0);
    repair(entry);
}

/// Files of a store: blocks and frontiers, compressed and not.
///
/// # Panics
/// If no store can be made in a temporary folder.
pub fn entries() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for compress in [false, true] {
        with_store(compress, |dir| {
            for file in dir.join("entries").read_dir().expect("the store has a folder") {
                let path = file.expect("the folder can be read").path();
                let mut file = std::fs::read(path).expect("the file can be read");
                forget_time(&mut file);
                files.push(file);
            }
        });
    }
    // The order in a folder is by chance.
    files.sort();
    files
}

/// Exported prefixes.
///
/// # Panics
/// If no store can be made in a temporary folder.
pub fn exports() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    with_store(true, |dir| {
        let options = DirectoryOptions { budget_bytes: u64::MAX, compress: false };
        let directory = Directory::open(dir, options).expect("the store opens");
        let mut prefixes = directory.prefixes();
        prefixes.sort_by_key(|prefix| prefix.n_tokens);
        for prefix in prefixes {
            let mut file = Vec::new();
            directory.export(prefix.id, &mut file).expect("the prefix can be exported");
            repair_export(&mut file, forget_time);
            files.push(file);
        }
    });
    files
}

fn with_store(compress: bool, look: impl FnOnce(&std::path::Path)) {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let options = Options { block_tokens: 2, compress, ..Options::new(1 << 20) };
    let store = Store::open(dir.path(), Fingerprint([1; 32]), &options).expect("a store opens");
    for (n_blocks, kind) in [(1, FrontierKind::SystemPrompt), (3, FrontierKind::TurnEnd)] {
        let tokens: Vec<u32> = (0..2 * n_blocks).collect();
        let blocks = (0..n_blocks as u8).map(|n| vec![n; 64]).collect();
        let frontier = Some(NewFrontier { kind, payload: vec![9; 32] });
        let receipt = store.save(Save { tokens: &tokens, blocks, frontier });
        receipt.expect("it is queued").wait().expect("it is saved");
    }
    drop(store);
    look(dir.path());
}
