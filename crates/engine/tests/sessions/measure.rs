//! Measurements of keeping conversations on disk, with KV of the published model's shape. They take
//! disk, time and a quiet machine, so they are skipped unless `IRONSTAR_MEASURE_DIR` names a directory:
//! `cargo test -p ironstar-engine --test sessions measure -- --nocapture`.
//!
//! A first run saves a long state there and the next ones bring it back, so that the files can be
//! thrown out of memory in between.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use engine::{
    BackendChoice, CancelToken, DiskKv, Inference, Job, KvRounding, LoadOptions, ModelFile,
    Penalties, SampleParams, Scheduler, SchedulerOptions, Update,
};
use kv_store::{FrontierKind, NewFrontier, Save};

use crate::small_model::SmallModel;

const BLOCK: usize = 128;
/// 350 MB of KV.
const N_BLOCKS: usize = 784;
const CONTEXT: usize = 101_000;

fn load(file: &ModelFile) -> Box<dyn Inference> {
    let options = LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() };
    file.load(&options, &mut |_| {}).expect("the file is sound")
}

fn open(dir: &Path, file: &ModelFile) -> DiskKv {
    DiskKv::open(dir, 4 << 30, file, KvRounding::Applied).expect("a directory")
}

fn job(n_prompt: usize, max_tokens: usize) -> Job {
    Job {
        prompt: vec![0; n_prompt],
        sampling: SampleParams::default(),
        max_tokens,
        top_logprobs: None,
        prompt_logprobs: false,
        penalties: Penalties::default(),
        constraint: None,
        cancel: CancelToken::new(),
    }
}

/// The directory to measure in, if there is one.
fn chosen_dir() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
    let dir = std::env::var_os("IRONSTAR_MEASURE_DIR");
    if dir.is_none() {
        say("skipped: IRONSTAR_MEASURE_DIR names no directory");
    }
    dir.map(PathBuf::from)
}

#[expect(clippy::print_stderr, reason = "a measurement says what it measured")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn rate(bytes: usize, took: Duration) -> String {
    format!(
        "{:.0} MB in {:.3} s, {:.0} MB/s",
        bytes as f64 / 1e6,
        took.as_secs_f64(),
        bytes as f64 / 1e6 / took.as_secs_f64()
    )
}

/// Copies a state of 100,352 tokens out of a slot and saves it.
fn save(dir: &Path, file: &ModelFile) {
    let (mut model, disk) = (load(file), open(dir, file));
    let slot = model.open_slot(CONTEXT).expect("there is memory");
    model.fill(slot, N_BLOCKS * BLOCK);
    let tokens = vec![0; N_BLOCKS * BLOCK];
    let (mut copying, mut slowest, mut n_bytes) = (Duration::ZERO, Duration::ZERO, 0);
    for first in (0..N_BLOCKS).step_by(16) {
        let blocks = (first..first + 16).map(|block| {
            let start = Instant::now();
            let bytes = model.export_block(slot, block).expect("the device works");
            copying += start.elapsed();
            slowest = slowest.max(start.elapsed());
            n_bytes += bytes.len();
            bytes
        });
        let save = Save {
            tokens: &tokens[..(first + 16) * BLOCK],
            blocks: blocks.collect(),
            frontier: None,
        };
        disk.store().save(save).expect("the queue has room").wait().expect("it is written");
    }
    say(&format!(
        "blocks copied out: {}; the slowest of {N_BLOCKS} took {slowest:?}",
        rate(n_bytes, copying)
    ));
    let start = Instant::now();
    let payload =
        model.export_frontier(slot, tokens.len()).expect("the device works").expect("the end");
    say(&format!("frontier copied out: {}", rate(payload.len(), start.elapsed())));
    let frontier = Some(NewFrontier { kind: FrontierKind::TurnEnd, payload });
    disk.store()
        .save(Save { tokens: &tokens, blocks: Vec::new(), frontier })
        .expect("room")
        .wait()
        .expect("written");
    say(&format!("on disk: {} bytes", disk.store().stats().bytes));
}

/// Asks for an answer to the saved prompt, and measures until its first token is about to be run.
fn restore(dir: &Path, file: &ModelFile) {
    let disk = open(dir, file);
    let n_bytes = disk.store().stats().bytes;
    let options = SchedulerOptions { n_slots: 1, context: CONTEXT, max_queued: 0 };
    let scheduler =
        Scheduler::start_with_disk(load(file), None, options, Some(disk)).expect("memory");
    let (sender, updates) = mpsc::channel();
    let start = Instant::now();
    let sink = Box::new(move |update| drop(sender.send((Instant::now(), update))));
    scheduler.submit(job(N_BLOCKS * BLOCK + 9, 1), sink).expect("room");
    for (when, update) in &updates {
        if let Update::Prefill { reused, done: 0, .. } = update {
            assert_eq!(reused, N_BLOCKS * BLOCK - 4);
            say(&format!("brought back: {}", rate(n_bytes as usize, when - start)));
        }
    }
    scheduler.shutdown();
}

#[test]
fn a_long_prefix_comes_back_as_fast_as_the_disk() {
    let Some(dir) = chosen_dir() else { return };
    let file = ModelFile::from(SmallModel::flash_shaped().write());
    if dir.join("measured").exists() {
        return restore(&dir, &file);
    }
    save(&dir, &file);
    std::fs::write(dir.join("measured"), "").expect("a mark can be left");
}

/// Gaps between tokens in order of length, in seconds.
fn gaps(file: &ModelFile, disk: Option<DiskKv>) -> Vec<f64> {
    let options = SchedulerOptions { n_slots: 2, context: 8192, max_queued: 2 };
    let scheduler = Scheduler::start_with_disk(load(file), None, options, disk).expect("memory");
    let (sender, updates) = mpsc::channel();
    let sink = Box::new(move |update| drop(sender.send((Instant::now(), update))));
    // 17 blocks and a frontier are to be saved, while this one answers.
    scheduler.submit(job(2200, 200), sink).expect("room");
    let is_token = |update: &Update| matches!(update, Update::Token(_));
    let times: Vec<Instant> =
        updates.iter().filter(|(_, update)| is_token(update)).map(|(when, _)| when).collect();
    scheduler.shutdown();
    let mut gaps: Vec<f64> = times.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect();
    gaps.sort_by(f64::total_cmp);
    gaps
}

#[test]
fn saving_does_not_delay_tokens() {
    if chosen_dir().is_none() {
        return;
    }
    let file = ModelFile::from(SmallModel::flash_shaped().write());
    let dir = tempfile::tempdir().expect("a directory");
    for round in 0..2 {
        let without = gaps(&file, None);
        let with = gaps(&file, Some(open(&dir.path().join(round.to_string()), &file)));
        let told = |gaps: &[f64]| {
            let sum: f64 = gaps.iter().sum();
            let n = gaps.len();
            format!(
                "mean {:.2}, median {:.2}, 99 % {:.2}, longest {:.2} ms",
                1e3 * sum / n as f64,
                1e3 * gaps[n / 2],
                1e3 * gaps[n * 99 / 100],
                1e3 * gaps[n - 1]
            )
        };
        say(&format!("between tokens, nothing saved: {}", told(&without)));
        say(&format!("between tokens, saving: {}", told(&with)));
    }
}
