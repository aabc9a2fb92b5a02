//! Processes that end at any moment, and several of them on one directory.
//!
//! A child is this test program again, told by a variable to be one.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kv_store::{Fingerprint, Options, SaveError, Store};

use crate::conversation::{BLOCK_TOKENS, SMALL, Sizes, options, tokens};
use crate::disk::Disk;

const FP: Fingerprint = Fingerprint([1; 32]);
const CHILD: &str = "IRONSTAR_KV_STORE_CHILD";
/// How often processes are killed; the full number is 500.
const KILLS: &str = "IRONSTAR_KV_STORE_KILLS";
/// A folder on a file system that may be filled.
const SMALL_FILE_SYSTEM: &str = "IRONSTAR_KV_STORE_SMALL_FILE_SYSTEM";
const DEFAULT_KILLS: usize = 16;
/// Large enough that a kill meets files that are half written.
const SIZES: Sizes = Sizes { block: 150_000, frontier: 200_000 };
const MAX_BLOCKS: usize = 11;

#[expect(clippy::disallowed_methods, reason = "a switch of the test run, not of the program")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What is reported: seed and number of blocks.
fn conversation(seed: u32, n_blocks: usize) -> Vec<u32> {
    tokens(1000 * (seed + 1), 2, n_blocks)
}

/// Not a test of its own: what a child does until it is killed.
#[test]
fn child() {
    let Some(task) = variable(CHILD) else { return };
    let [dir, budget, first_seed] = task.split('\n').collect::<Vec<_>>()[..] else {
        panic!("{task}")
    };
    let options = Options { budget_bytes: budget.parse().expect("bytes"), ..options() };
    let store = Store::open(Path::new(dir), FP, &options).expect("a store");
    let first_seed: u32 = first_seed.parse().expect("a number");
    for seed in first_seed.. {
        for n_blocks in [2, 3, MAX_BLOCKS] {
            let tokens = conversation(seed, n_blocks);
            // In a directory that is always full, the other one may evict what this one builds on.
            if SIZES.save_now(&store, &tokens).is_ok() {
                report(seed, n_blocks);
            }
            SIZES.restore(&store, &tokens);
        }
    }
}

#[expect(clippy::print_stdout, reason = "the parent listens")]
fn report(seed: u32, n_blocks: usize) {
    println!("saved {seed} {n_blocks}");
}

fn start(dir: &Path, budget: u64, first_seed: usize) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", "processes::child", "--nocapture"])
        .env(CHILD, format!("{}\n{budget}\n{first_seed}", dir.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

/// Waits for a time, kills the child with a signal that cannot be caught, and returns what it has
/// reported saved.
fn kill_after(mut child: Child, time: Duration) -> Vec<(u32, usize)> {
    std::thread::sleep(time);
    let is_running = child.try_wait().expect("a child").is_none();
    child.kill().expect("it can be killed");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let lines: Vec<String> = output.lines().map(|line| line.expect("text")).collect();
    child.wait().expect("it ends");
    assert!(is_running, "the child ended by itself: {lines:?}");
    let saved = lines.iter().filter_map(|line| {
        let (seed, n_blocks) = line.split_once("saved ")?.1.split_once(' ')?;
        Some((seed.parse().ok()?, n_blocks.parse().ok()?))
    });
    saved.collect()
}

/// Restores what was reported saved, and looks that nothing is wrong. How much was found.
fn check_left(dir: &Path, budget: u64, saved: &[(u32, usize)]) -> usize {
    let options = Options { budget_bytes: budget, ..options() };
    let store = Store::open(dir, FP, &options).expect("a store");
    let found = saved.iter().filter(|(seed, n_blocks)| {
        let tokens = conversation(*seed, *n_blocks);
        SIZES.restore(&store, &tokens) == tokens.len()
    });
    let n_found = found.count();
    store.flush();
    assert_eq!(store.stats().damaged_entries, 0, "no torn file has a name");
    assert_eq!(dir.join("temporary").read_dir().expect("a folder").count(), 0);
    assert_eq!(store.stats().bytes, bytes_in(dir));
    assert!(store.stats().bytes <= budget);
    n_found
}

fn n_kills() -> usize {
    variable(KILLS).map_or(DEFAULT_KILLS, |n| n.parse().expect("a number"))
}

/// Kills pairs of processes on one directory, at random moments. Returns how many had files half
/// written, how much was reported saved, and how much of it was found.
fn kill_pairs(dir: &Path, budget: u64) -> [usize; 3] {
    let [mut n_torn, mut n_saved, mut n_found] = [0; 3];
    let mut all = Vec::new();
    let mut random = 1_u64;
    for n in 0..n_kills() / 2 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let time = Duration::from_micros(5_000 + (random >> 33) % 120_000);
        // Both on the same conversations; one is killed a little later.
        let (one, other) = (start(dir, budget, 1000 * n), start(dir, budget, 1000 * n));
        all.extend(kill_after(one, time));
        all.extend(kill_after(other, time / 3));
        let temporary = dir.join("temporary").read_dir();
        n_torn += usize::from(temporary.is_ok_and(|mut files| files.next().is_some()));
        if n % 10 == 9 || n + 1 == n_kills() / 2 {
            n_saved += all.len();
            n_found += check_left(dir, budget, &all);
            all.clear();
        }
        if n % 50 == 49 {
            // Keeps a long run from filling the disk.
            check_left(dir, 0, &[]);
        }
    }
    [n_torn, n_saved, n_found]
}

#[test]
fn a_killed_process_loses_nothing_that_it_reported_saved() {
    let dir = tempfile::tempdir().expect("a folder");
    let [n_torn, n_saved, n_found] = kill_pairs(dir.path(), 1 << 40);
    assert_eq!(n_found, n_saved);
    say(&format!("{} kills, {n_torn} while writing, {n_saved} conversations saved", n_kills()));
}

#[test]
fn killed_processes_leave_a_full_directory_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let [n_torn, n_saved, n_found] = kill_pairs(dir.path(), 8_000_000);
    say(&format!("{} kills, {n_torn} while writing, {n_saved} saved, {n_found} left", n_kills()));
}

#[expect(clippy::print_stderr, reason = "a long run should say what it did")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[test]
fn two_processes_share_what_they_save() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = || Store::open(dir.path(), FP, &options()).expect("a store");
    let (one, other) = (open(), open());
    let tokens = tokens(100, 0, 6);
    for n_blocks in 1..=6 {
        let (from, to) = if n_blocks % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let part = &tokens[..n_blocks * BLOCK_TOKENS];
        // Each finds what the other one wrote, and adds only what is new.
        assert_eq!(from.n_stored_blocks(&tokens), n_blocks - 1);
        SMALL.save_now(from, part).expect("saved");
        assert_eq!(SMALL.restore(to, &tokens), part.len());
    }
    let written = one.stats().written_entries + other.stats().written_entries;
    assert_eq!((written, one.stats().entries), (12, 12));
    // A frontier that comes later, at a block that both know.
    SMALL.save_now(&one, &tokens[..8]).expect("saved");
}

/// Each evicts what the other one wrote, though it has not looked at it.
#[test]
fn a_budget_holds_for_all_processes_together() {
    const BUDGET: u64 = 4_000;
    let disk = Disk::default();
    let options = Options { budget_bytes: BUDGET, ..options() };
    let open = || Store::open_with(disk.io(), Path::new("kv"), FP, &options).expect("a store");
    let stores = [open(), open(), open()];
    for n in 0..30 {
        disk.set_now(1000 * u64::from(n));
        SMALL.save_now(&stores[n as usize % 3], &conversation(n, 3)).expect("saved");
        assert!(disk.bytes() > BUDGET / 2 || n < 5, "{} bytes after {n}", disk.bytes());
    }
    assert!(disk.peak_bytes() <= BUDGET, "{} bytes at most", disk.peak_bytes());
    for store in &stores {
        assert_eq!(SMALL.restore(store, &conversation(29, 3)), 3 * BLOCK_TOKENS);
    }
}

/// Both write as fast as they can into a directory that is always full, and read what they find.
#[test]
fn two_processes_keep_one_budget() {
    const BUDGET: u64 = 40_000;
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options { budget_bytes: BUDGET, ..options() };
    let open = || Store::open(dir.path(), FP, &options).expect("a store");
    let end = Instant::now() + Duration::from_millis(1500);
    let work = |store: Store, first: u32| {
        let (mut n_saved, mut n_failed) = (0, 0);
        for n in (first..).step_by(2) {
            let tokens = conversation(n / 3, 2 + n as usize % 4);
            match SMALL.save_now(&store, &tokens) {
                Ok(()) => n_saved += 1,
                // The other one has evicted what this save was to build on.
                Err(SaveError::MissingParent) => n_failed += 1,
                Err(error) => panic!("{error}"),
            }
            SMALL.restore(&store, &conversation(n / 4, 5));
            if Instant::now() > end {
                store.flush();
                assert_eq!(store.stats().damaged_entries, 0);
                assert_eq!(store.stats().failed_saves, n_failed);
                return n_saved;
            }
        }
        unreachable!("time goes on")
    };
    let largest = std::thread::scope(|scope| {
        let workers = [(open(), 0), (open(), 1)]
            .map(|(store, first)| scope.spawn(move || work(store, first)));
        let mut largest = 0;
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            largest = largest.max(bytes_in(dir.path()));
        }
        for worker in workers {
            assert!(worker.join().expect("it works") > 10);
        }
        largest
    });
    assert!(largest > BUDGET / 2, "{largest} bytes at most");
    assert!(largest <= BUDGET, "{largest} bytes at most");
}

/// A real file system that fills up: one of 20 MB, say, made for the test.
#[test]
fn a_small_file_system_that_fills_up() {
    let Some(dir) = variable(SMALL_FILE_SYSTEM) else {
        say(&format!("skipped: {SMALL_FILE_SYSTEM} names no folder on a small file system"));
        return;
    };
    let dir = Path::new(&dir).join("kv");
    let store = Store::open(&dir, FP, &options()).expect("a store");
    let (mut n_saved, mut n_failed) = (0, 0);
    for seed in 0..200 {
        let tokens = conversation(seed, MAX_BLOCKS);
        if SIZES.save_now(&store, &tokens).is_ok() {
            n_saved += 1;
            assert_eq!(SIZES.restore(&store, &tokens), tokens.len());
        } else {
            n_failed += 1;
        }
    }
    let stats = store.stats();
    assert!(stats.evicted_entries > 0, "the file system is too large: {stats:?}");
    assert_eq!(stats.bytes, bytes_in(&dir));
    drop(store);
    let left = (0..200).filter(|&seed| {
        let store = Store::open(&dir, FP, &options()).expect("a store");
        let tokens = conversation(seed, MAX_BLOCKS);
        SIZES.restore(&store, &tokens) == tokens.len()
    });
    say(&format!("{n_saved} saved, {n_failed} failed, {} left: {stats:?}", left.count()));
}

/// A file that is renamed while the folders are read may be counted twice, never missed: so it is
/// read in the order in which files move.
fn bytes_in(dir: &Path) -> u64 {
    let mut files = std::collections::BTreeMap::new();
    for folder in ["temporary", "entries", "damaged"] {
        for file in dir.join(folder).read_dir().expect("a folder") {
            let file = file.expect("a file");
            if let Ok(metadata) = file.metadata() {
                files.insert(file.file_name(), metadata.len());
            }
        }
    }
    files.values().sum()
}
