//! How fast a conversation of Flash's size is saved and restored, beside what the disk can do.
//!
//! `cargo bench -p ironstar-kv-store --bench disk -- DIR` makes a folder in DIR (else in the current
//! one) that takes 1.3 GB for a while. The page cache is emptied before reading, where that is
//! allowed; where it is not, the numbers are the cache's.
#![expect(clippy::print_stdout, reason = "a measurement tells what it measured")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kv_store::{Fingerprint, FrontierKind, NewFrontier, Options, Save, Store};

const FP: Fingerprint = Fingerprint([1; 32]);
const BLOCK_TOKENS: usize = 128;
/// 128 tokens of 3,509 bytes.
const BLOCK_BYTES: usize = 128 * 3509;
/// 128 raw rows of 43 layers, and the compressors' states.
const FRONTIER_BYTES: usize = 128 * 43 * 583 + 1_700_000;
/// Blocks of 100,000 tokens.
const N_BLOCKS: usize = 782;
/// What the engine saves at once.
const BLOCKS_PER_SAVE: usize = 16;
/// Readers of one file at a time, for what the disk can do at best.
const N_STREAMS: usize = 8;
const REPEATS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or(".".to_owned());
    let dir = Path::new(&dir).join("kv-store-bench");
    fs::create_dir_all(&dir)?;
    let done = measure(&dir);
    fs::remove_dir_all(&dir)?;
    done
}

fn measure(dir: &Path) -> Result<(), Box<dyn Error>> {
    for _ in 0..REPEATS {
        let (write, read) = disk_rates(&dir.join("plain"))?;
        println!("disk, one file of 350 MB:  write {write:.0} MB/s, read {read:.0} MB/s");
        let kv = dir.join("kv");
        save(&kv)?;
        restore(&kv, read)?;
        fs::remove_dir_all(&kv)?;
    }
    turns(&dir.join("turns"))
}

fn megabytes_per_second(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

/// Bytes that do not compress, other ones for each `seed`.
fn payload(seed: u64, n_bytes: usize) -> Vec<u8> {
    let mut bytes = vec![0; n_bytes];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn empty_page_cache() -> bool {
    // Pages that are not written yet would stay.
    let synced = std::process::Command::new("sync").status().is_ok_and(|status| status.success());
    synced && fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

fn disk_rates(path: &PathBuf) -> Result<(f64, f64), Box<dyn Error>> {
    let n_bytes = N_BLOCKS * BLOCK_BYTES;
    let bytes = payload(0, n_bytes);
    let start = Instant::now();
    let mut file = File::create(path)?;
    for chunk in bytes.chunks(1 << 20) {
        file.write_all(chunk)?;
    }
    file.sync_all()?;
    let write = megabytes_per_second(n_bytes, start.elapsed());
    drop(file);
    if !empty_page_cache() {
        println!("the page cache cannot be emptied here");
    }
    let start = Instant::now();
    let mut chunk = vec![0; 1 << 20];
    let mut file = File::open(path)?;
    while file.read(&mut chunk)? > 0 {}
    let one = megabytes_per_second(n_bytes, start.elapsed());
    empty_page_cache();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let part = n_bytes / N_STREAMS;
        let readers = (0..N_STREAMS).map(|n| scope.spawn(move || read_part(path, n * part, part)));
        readers
            .collect::<Vec<_>>()
            .into_iter()
            .try_for_each(|reader| reader.join().expect("it ends"))
    })?;
    let several = megabytes_per_second(n_bytes, start.elapsed());
    println!("disk: read {one:.0} MB/s by one reader, {several:.0} MB/s by {N_STREAMS}");
    let read = one.max(several);
    fs::remove_file(path)?;
    Ok((write, read))
}

fn read_part(path: &Path, from: usize, n_bytes: usize) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from as u64))?;
    file.read_exact(&mut vec![0; n_bytes])
}

fn save(dir: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir, FP, &Options { queue_bytes: 1 << 30, ..Options::new(1 << 40) })?;
    let tokens: Vec<u32> = (0..(N_BLOCKS * BLOCK_TOKENS) as u32).collect();
    let mut payloads: Vec<Vec<u8>> =
        (0..N_BLOCKS as u64).map(|n| payload(n, BLOCK_BYTES)).collect();
    let start = Instant::now();
    let mut calls = Vec::new();
    for first in (0..N_BLOCKS).step_by(BLOCKS_PER_SAVE) {
        let last = N_BLOCKS.min(first + BLOCKS_PER_SAVE);
        let blocks = payloads[first..last].iter_mut().map(std::mem::take).collect();
        let frontier = (last == N_BLOCKS).then(|| NewFrontier {
            kind: FrontierKind::TurnEnd,
            payload: payload(1 << 40, FRONTIER_BYTES),
        });
        let call = Instant::now();
        store.save(Save { tokens: &tokens[..last * BLOCK_TOKENS], blocks, frontier })?;
        calls.push(call.elapsed().as_secs_f64() * 1e3);
    }
    store.flush();
    let stats = store.stats();
    let rate = megabytes_per_second(stats.bytes as usize, start.elapsed());
    calls.sort_by(f64::total_cmp);
    let failed = stats.failed_saves + stats.dropped_saves;
    println!(
        "saved {:.0} MB in {} files: {rate:.0} MB/s to the disk; a call takes {:.2} ms, the \
         longest {:.2} ms; {failed} failed",
        stats.bytes as f64 / 1e6,
        stats.entries,
        calls[calls.len() / 2],
        calls[calls.len() - 1],
    );
    Ok(())
}

fn restore(dir: &Path, disk_read: f64) -> Result<(), Box<dyn Error>> {
    let tokens: Vec<u32> = (0..(N_BLOCKS * BLOCK_TOKENS) as u32).collect();
    for cache in ["disk", "page cache"] {
        if cache == "disk" {
            empty_page_cache();
        }
        let start = Instant::now();
        let store = Store::open(dir, FP, &Options::new(1 << 40))?;
        let opened = start.elapsed();
        let start = Instant::now();
        let hit = store.lookup(&tokens).ok_or("a miss")?;
        let found = start.elapsed();
        let start = Instant::now();
        let mut n_bytes = hit.frontier()?.len();
        for block in hit.blocks(0) {
            n_bytes += block?.len();
        }
        let rate = megabytes_per_second(n_bytes, start.elapsed());
        println!(
            "restored {:.0} MB from the {cache}: {rate:.0} MB/s, {:.0} % of the disk; opened in \
             {:.1} ms, looked up in {:.2} ms",
            n_bytes as f64 / 1e6,
            100.0 * rate / disk_read,
            opened.as_secs_f64() * 1e3,
            found.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}

/// A conversation of 32,768 tokens, saved after each of 20 turns.
fn turns(dir: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(dir, FP, &Options::new(1 << 40))?;
    let tokens: Vec<u32> = (0..32_768).collect();
    for turn in 1..=20 {
        let n_blocks = turn * 256 / 20;
        let tokens = &tokens[..n_blocks * BLOCK_TOKENS];
        let new = store.n_stored_blocks(tokens)..n_blocks;
        let blocks = new.map(|n| payload(n as u64, BLOCK_BYTES)).collect();
        let payload = payload((1 << 40) + turn as u64, FRONTIER_BYTES);
        let frontier = Some(NewFrontier { kind: FrontierKind::TurnEnd, payload });
        store.save(Save { tokens, blocks, frontier })?.wait()?;
    }
    let on_disk: u64 = fs::read_dir(dir.join("entries"))?
        .map(|file| Ok(file?.metadata()?.len()))
        .sum::<std::io::Result<u64>>()?;
    let written = store.stats().written_bytes;
    println!(
        "20 turns of a conversation of 32,768 tokens: {:.1} MB written, {:.1} MB on disk: {:.3}",
        written as f64 / 1e6,
        on_disk as f64 / 1e6,
        written as f64 / on_disk as f64,
    );
    Ok(())
}
