//! `cache` as a user runs it, on a directory with two conversations.
//!
//! No oracle: what is found is what was put there, and the formats have tests of their own.

use std::fs;

use kv_store::{Fingerprint, FrontierKind, NewFrontier, Options, Save, Store};
use serde_json::{Value, json};

use crate::tiny::Folder;

const BLOCK_TOKENS: usize = 4;

fn open(folder: &Folder, dir: &str) -> Store {
    let options = Options { block_tokens: BLOCK_TOKENS, ..Options::new(1 << 30) };
    Store::open(&folder.path(dir), Fingerprint([0xab; 32]), &options).expect("a store")
}

fn save(store: &Store, tokens: &[u32], kind: FrontierKind) {
    let n_new = tokens.len() / BLOCK_TOKENS - store.n_stored_blocks(tokens);
    let frontier = Some(NewFrontier { kind, payload: vec![9; 3000] });
    let saved = store.save(Save { tokens, blocks: vec![vec![5; 1000]; n_new], frontier });
    saved.expect("queued").wait().expect("saved");
}

/// `kv` with a system prompt of two blocks and a conversation of five that begins with it.
fn with_store() -> Folder {
    let folder = Folder::empty();
    let store = open(&folder, "kv");
    save(&store, &[1, 2, 3, 4, 5, 6, 7, 8], FrontierKind::SystemPrompt);
    save(&store, &(1..=20).collect::<Vec<_>>(), FrontierKind::TurnEnd);
    folder
}

fn list(folder: &Folder, dir: &str) -> Value {
    let out = folder.succeed(&["cache", "ls", "--kv-dir", dir, "--json"], b"");
    serde_json::from_slice(&out).expect("JSON")
}

fn id_of(folder: &Folder, n_tokens: u64) -> String {
    let all = list(folder, "kv");
    let prefixes = all["prefixes"].as_array().expect("a list");
    let found = prefixes.iter().find(|prefix| prefix["tokens"] == n_tokens).expect("it is listed");
    found["id"].as_str().expect("text").to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn prefixes_are_listed_and_shown() {
    let folder = with_store();
    let all = list(&folder, "kv");
    // Files of 176 bytes, 4 for each token, and the payload.
    let (block, frontier) = (176 + 16 + 1000, 176 + 3000);
    assert_eq!(
        (&all["entries"], &all["bytes"], &all["damaged"]),
        (&json!(7), &json!(5 * block + 2 * frontier), &json!(0))
    );
    let fields = ["tokens", "kind", "bytes", "own_bytes", "hits"];
    let prefixes = all["prefixes"].as_array().expect("a list").iter();
    let found: Vec<_> =
        prefixes.map(|prefix| fields.map(|field| prefix[field].clone()).to_vec()).collect();
    let system = json!([8, "system_prompt", 2 * block + frontier, frontier, 0]);
    let turn = json!([20, "turn_end", 5 * block + frontier, 3 * block + frontier, 0]);
    assert_eq!(json!(found), json!([system, turn]));
    let lines = text(&folder.succeed(&["cache", "ls", "--kv-dir", "kv"], b""));
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[2].starts_with(&id_of(&folder, 20)[..12]), "{}", lines[2]);
    assert!(lines[2].contains("abababab  turn end"), "{}", lines[2]);
    assert_eq!(lines[3], "2 prefixes, 7 files, 12.02 KiB");
    let id = id_of(&folder, 20);
    let shown = text(&folder.succeed(&["cache", "show", "--kv-dir", "kv", &id[..8]], b""));
    assert!(shown.starts_with(&format!("id         {id}\n")), "{shown}");
    assert!(shown.contains("\ntokens     20\n"), "{shown}");
    let tokens = folder.succeed(&["cache", "show", "--kv-dir", "kv", &id, "--tokens"], b"");
    let tokens: Vec<u32> = serde_json::from_slice(&tokens).expect("an array");
    assert_eq!(tokens, (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_prefix_is_carried_to_another_directory() {
    let folder = with_store();
    let id = id_of(&folder, 20);
    let export = ["cache", "export", "--kv-dir", "kv", &id[..12], "prefix.kv"];
    folder.succeed(&export, b"");
    let again = folder.run(&export, b"");
    assert_eq!(again.status.code(), Some(1), "a file is not replaced unasked");
    let imported =
        text(&folder.succeed(&["cache", "import", "--kv-dir", "other/kv", "prefix.kv"], b""));
    assert_eq!(imported, format!("{}  20 tokens of model abababab\n", &id[..12]));
    let all = list(&folder, "other/kv");
    assert_eq!((all["entries"].as_u64(), all["prefixes"][0]["id"].as_str()), (Some(6), Some(&*id)));
    let store = open(&folder, "other/kv");
    let hit = store.lookup(&(1..=30).collect::<Vec<_>>()).expect("a hit");
    assert_eq!((hit.n_tokens(), hit.frontier().expect("it reads")), (20, vec![9; 3000]));
    assert!(hit.blocks(0).all(|block| block.is_ok_and(|block| block == vec![5; 1000])));
}

#[test]
fn damage_is_found_and_cleared_away() {
    let folder = with_store();
    let verify = ["cache", "verify", "--kv-dir", "kv"];
    assert_eq!(text(&folder.succeed(&verify, b"")), "7 files are sound\n");
    let frontier = format!("kv/entries/{}.frontier", id_of(&folder, 20));
    let mut bytes = fs::read(folder.path(&frontier)).expect("it is there");
    bytes[1000] ^= 1;
    fs::write(folder.path(&frontier), bytes).expect("a file");
    for _ in 0..2 {
        let output = folder.run(&verify, b"");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("error: 1 damaged files are set aside, 6 files are"), "{message}");
    }
    let prune = |args: &[&str]| {
        text(&folder.succeed(&[&["cache", "prune", "--kv-dir", "kv"], args].concat(), b""))
    };
    // The three blocks that only the damaged frontier needed.
    assert_eq!(prune(&[]), "3 files removed, 6.59 KiB freed, 5.43 KiB left\n");
    assert_eq!(text(&folder.succeed(&verify, b"")), "3 files are sound\n");
    assert_eq!(prune(&["--size", "1GiB"]), "0 files removed, 0 B freed, 5.43 KiB left\n");
    assert_eq!(prune(&["--size", "0"]), "3 files removed, 5.43 KiB freed, 0 B left\n");
}
