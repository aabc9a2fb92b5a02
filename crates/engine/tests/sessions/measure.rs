//! Measurements of copying conversations and of keeping them on disk, with KV of the published model's
//! shape. They take
//! disk, time and a quiet machine, so they are skipped unless `IRONSTAR_MEASURE_DIR` names a directory:
//! `cargo test -p ironstar-engine --test sessions measure -- --nocapture`.
//!
//! A first run saves a long state there and the next ones bring it back, so that the files can be
//! thrown out of memory in between.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use engine::{
    BackendChoice, CancelToken, DiskKv, Inference, Job, KvRounding, LoadOptions, MemoryPlan,
    ModelFile, SampleParams, Scheduler, SchedulerOptions, Update,
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

/// Tokens of an answer in [`gaps`].
const N_ANSWERED: usize = 150;

/// Seconds between the tokens of an answer.
fn gaps(file: &ModelFile, disk: Option<DiskKv>) -> Vec<f64> {
    let options = SchedulerOptions { n_slots: 1, context: 4096, max_queued: 2 };
    let scheduler = Scheduler::start_with_disk(load(file), None, options, disk).expect("memory");
    let (sender, updates) = mpsc::channel();
    let sink = Box::new(move |update| drop(sender.send((Instant::now(), update))));
    // Nine blocks and frontiers are to be saved, while this one answers.
    scheduler.submit(job(1200, N_ANSWERED), sink).expect("room");
    let is_token = |update: &Update| matches!(update, Update::Token(_));
    let times: Vec<Instant> =
        updates.iter().filter(|(_, update)| is_token(update)).map(|(when, _)| when).collect();
    scheduler.shutdown();
    times.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect()
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// Runs that save and runs that do not, in turn. A busy machine delays single steps by far more than
/// saving does, so each step is the median of all runs. With these weights, which are next to nothing, a
/// step is as short as it is nowhere else: what saving adds is to be read in milliseconds.
#[test]
fn saving_does_not_delay_tokens() {
    const N_ROUNDS: usize = 11;
    if chosen_dir().is_none() {
        return;
    }
    let file = ModelFile::from(SmallModel::flash_shaped().write());
    let dir = tempfile::tempdir().expect("a directory");
    let mut runs = [Vec::new(), Vec::new()];
    for round in 0..N_ROUNDS {
        for saves in [round % 2 == 0, round % 2 == 1] {
            let disk = saves.then(|| open(&dir.path().join(round.to_string()), &file));
            runs[usize::from(saves)].push(gaps(&file, disk));
        }
    }
    let of_step =
        |runs: &[Vec<f64>], step: usize| median(runs.iter().map(|run| run[step]).collect());
    let steps =
        |runs: &[Vec<f64>]| (0..N_ANSWERED - 1).map(|i| of_step(runs, i)).collect::<Vec<_>>();
    let [without, with] = [steps(&runs[0]), steps(&runs[1])];
    let told = |steps: &[f64], runs: &[Vec<f64>]| {
        let worst = steps.iter().copied().fold(0.0, f64::max);
        let single = runs.iter().flatten().copied().fold(0.0, f64::max);
        format!(
            "median step {:.3} ms, mean {:.3}, worst {:.3}, worst of a single run {:.3}",
            1e3 * median(steps.to_vec()),
            1e3 * steps.iter().sum::<f64>() / steps.len() as f64,
            1e3 * worst,
            1e3 * single,
        )
    };
    say(&format!("{N_ROUNDS} runs of {N_ANSWERED} tokens; steps are medians of the runs"));
    say(&format!("nothing saved: {}", told(&without, &runs[0])));
    say(&format!("saving:        {}", told(&with, &runs[1])));
    let usual = median(without.clone());
    let later = |(i, (with, without)): (usize, (&f64, &f64))| (with - without, i);
    let (most, at) = with
        .iter()
        .zip(&without)
        .enumerate()
        .map(later)
        .fold((f64::MIN, 0), |worst, step| if step.0 > worst.0 { step } else { worst });
    say(&format!(
        "the step that saving delays most is number {at}: by {:.3} ms, {:.1} % of a step",
        1e3 * most,
        100.0 * most / usual,
    ));
}

/// What a copy of a timeline costs, where sharing would cost nothing at that moment.
#[test]
fn a_fork_takes_so_long() {
    if chosen_dir().is_none() {
        return;
    }
    let tiny = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/models/tiny.gguf");
    let tiny = ModelFile::open(Path::new(tiny)).expect("it is in the repository");
    let flash = ModelFile::from(SmallModel::flash_shaped().write());
    for (name, file) in [("tiny", &tiny), ("flash", &flash)] {
        let mut model = load(file);
        let slots = [(); 2].map(|()| model.open_slot(CONTEXT).expect("there is memory"));
        for n_tokens in [2048, 32_768, N_BLOCKS * BLOCK] {
            model.rewind(slots[0], 0);
            model.fill(slots[0], n_tokens);
            let n_bytes = MemoryPlan::stored_bytes(model.geometry(), n_tokens);
            let mut times: Vec<f64> = (0..9)
                .map(|_| {
                    let start = Instant::now();
                    model.fork(slots[0], slots[1], n_tokens).expect("the device works");
                    start.elapsed().as_secs_f64()
                })
                .collect();
            let first = times.remove(0);
            let usual = median(times);
            say(&format!(
                "{name}: {n_tokens} tokens, {:.1} MB of KV: {:.2} ms (the first time {:.2}), {:.1} GB/s",
                n_bytes as f64 / 1e6,
                1e3 * usual,
                1e3 * first,
                n_bytes as f64 / 1e9 / usual,
            ));
        }
    }
}
