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
    ModelFile, Penalties, SampleParams, Scheduler, SchedulerOptions, Update,
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

/// What took how long, many times.
#[derive(Default)]
struct Times(Vec<f64>);

impl Times {
    fn take<T>(&mut self, what: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = what();
        self.0.push(start.elapsed().as_secs_f64());
        done
    }

    fn told(&self) -> String {
        let longest = self.0.iter().copied().fold(0.0, f64::max);
        format!("usually {:.3} ms, at worst {:.3}", 1e3 * median(self.0.clone()), 1e3 * longest)
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

/// Copies a state of 100,352 tokens out of a slot and saves it, as the engine thread does between steps.
fn save(dir: &Path, file: &ModelFile) {
    let (mut model, disk) = (load(file), open(dir, file));
    let slot = model.open_slot(CONTEXT).expect("there is memory");
    model.fill(slot, N_BLOCKS * BLOCK);
    let tokens = vec![0; N_BLOCKS * BLOCK];
    let (mut copying, mut handing) = (Times::default(), Times::default());
    for first in (0..N_BLOCKS).step_by(16) {
        let mut copy =
            |block| copying.take(|| model.export_block(slot, block).expect("the device works"));
        let blocks = (first..first + 16).map(&mut copy).collect();
        let save = Save { tokens: &tokens[..(first + 16) * BLOCK], blocks, frontier: None };
        let receipt = handing.take(|| disk.store().save(save).expect("the queue has room"));
        receipt.wait().expect("it is written");
    }
    say(&format!("a block is copied out: {}", copying.told()));
    say(&format!("16 blocks are handed to the store: {}", handing.told()));
    let mut copying = Times::default();
    let export = || model.export_frontier(slot, tokens.len()).expect("the device works");
    let payload = copying.take(export).expect("the end");
    say(&format!("a frontier of {} bytes is copied out: {}", payload.len(), copying.told()));
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

/// Tokens of a prompt in [`gaps`]: two blocks and a frontier are to be saved behind it.
const N_ASKED: usize = 262;
/// Tokens of an answer there.
const N_ANSWERED: usize = 16;

/// Seconds between the tokens of an answer.
fn gaps(file: &ModelFile, disk: Option<DiskKv>) -> Vec<f64> {
    let options = SchedulerOptions { n_slots: 1, context: 4096, max_queued: 2 };
    let scheduler = Scheduler::start_with_disk(load(file), None, options, disk).expect("memory");
    let (sender, updates) = mpsc::channel();
    let sink = Box::new(move |update| drop(sender.send((Instant::now(), update))));
    scheduler.submit(job(N_ASKED, N_ANSWERED), sink).expect("room");
    let is_token = |update: &Update| matches!(update, Update::Token(_));
    let times: Vec<Instant> =
        updates.iter().filter(|(_, update)| is_token(update)).map(|(when, _)| when).collect();
    scheduler.shutdown();
    times.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect()
}

/// Runs that save and runs that do not, in turn, on the model file that `IRONSTAR_MEASURE_MODEL` names:
/// with weights of the published shapes, since a step of a small model is as short as it is nowhere else.
/// A busy machine delays single steps by far more than saving does, so each step is the median of its
/// runs.
#[test]
fn saving_does_not_delay_tokens() {
    const N_ROUNDS: usize = 5;
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
    let model = std::env::var_os("IRONSTAR_MEASURE_MODEL").map(PathBuf::from);
    let (Some(_), Some(model)) = (chosen_dir(), model) else { return };
    let file = ModelFile::open(&model).expect("a model file");
    let dir = tempfile::tempdir().expect("a directory");
    let mut runs = [Vec::new(), Vec::new()];
    for round in 0..N_ROUNDS {
        for saves in [round % 2 == 0, round % 2 == 1] {
            // Opened in either case, since a vocabulary is read for it, and memory looks alike then.
            let disk = open(&dir.path().join(format!("{round}-{saves}")), &file);
            let (used, unused) = if saves { (Some(disk), None) } else { (None, Some(disk)) };
            let run = gaps(&file, used);
            drop(unused);
            let all: Vec<String> = run.iter().map(|gap| format!("{:.0}", 1e3 * gap)).collect();
            say(&format!("saves: {saves}; ms between tokens: {}", all.join(" ")));
            runs[usize::from(saves)].push(run);
        }
    }
    let steps = |runs: &[Vec<f64>]| -> Vec<f64> {
        (0..N_ANSWERED - 1).map(|i| median(runs.iter().map(|run| run[i]).collect())).collect()
    };
    let [without, with] = [steps(&runs[0]), steps(&runs[1])];
    for (name, steps) in [("nothing saved", &without), ("saving", &with)] {
        let worst = steps.iter().copied().fold(0.0, f64::max);
        let median = median(steps.clone());
        say(&format!("{name}: median step {:.1} ms, worst {:.1} ms", 1e3 * median, 1e3 * worst));
    }
    let later = with.iter().zip(&without).map(|(with, without)| with / without - 1.0);
    let later: Vec<String> = later.map(|share| format!("{:+.1}", 100.0 * share)).collect();
    say(&format!("saving makes steps longer by %: {}", later.join(" ")));
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
