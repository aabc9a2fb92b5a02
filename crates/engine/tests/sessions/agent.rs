//! An agent's day, replayed: turns, side requests, edits, second tries, reasoning left out, restarts.
//!
//! What is run of a prompt is compared with what cannot be avoided: everything behind the last end of
//! a block of 128 tokens in front of which some earlier request agrees. Since rows of ratio 4 overlap,
//! four tokens in front of a restored prefix are run as well.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::mpsc::Receiver;

use engine::{
    BackendChoice, CancelToken, DiskKv, GenerateOptions, Inference, Job, KvRounding, LoadOptions,
    ModelFile, Penalties, SampleParams, Scheduler, SchedulerOptions, Session, Update, generate,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::small_model::SmallModel;

const CONTEXT: usize = 4000;
const BLOCK: usize = 128;
const BOS: u32 = 256;
const EOS: u32 = 257;
const USER: u32 = 258;
const ASSISTANT: u32 = 259;

fn file() -> ModelFile {
    ModelFile::from(SmallModel::new().write())
}

/// Cuts of more than 512 tokens leave the raw ring.
fn load() -> Box<dyn Inference> {
    let options = LoadOptions {
        backend: BackendChoice::Cpu,
        max_batch: Some(256),
        rewind_tokens: 512,
        ..LoadOptions::default()
    };
    file().load(&options, &mut |_| {}).expect("the file is sound")
}

fn start(dir: &Path, n_slots: usize) -> Scheduler {
    let disk = DiskKv::open(dir, 1 << 30, &file(), KvRounding::Applied).expect("a directory");
    let options = SchedulerOptions { n_slots, context: CONTEXT, max_queued: 8 };
    Scheduler::start_with_disk(load(), Some(EOS), options, Some(disk)).expect("there is memory")
}

fn submit(scheduler: &Scheduler, prompt: &[u32], max_tokens: usize) -> Receiver<Update> {
    let job = Job {
        prompt: prompt.to_vec(),
        sampling: SampleParams { seed: 1, ..SampleParams::default() },
        max_tokens,
        top_logprobs: None,
        prompt_logprobs: false,
        penalties: Penalties::default(),
        constraint: None,
        cancel: CancelToken::new(),
    };
    let (sender, updates) = std::sync::mpsc::channel();
    scheduler.submit(job, Box::new(move |update| drop(sender.send(update)))).expect("room");
    updates
}

/// What was requested, and what it cost.
struct Request {
    what: &'static str,
    n_prompt: usize,
    n_run: usize,
    unavoidable: usize,
}

/// The client's side: what it has sent and heard.
struct Client {
    random: Xoshiro256PlusPlus,
    /// Everything that has been in KV.
    timelines: Vec<Vec<u32>>,
    requests: Vec<Request>,
}

impl Client {
    fn text(&mut self, n: usize) -> Vec<u32> {
        (0..n).map(|_| self.random.next_u32() % 256).collect()
    }

    fn turn(&mut self, n: usize) -> Vec<u32> {
        [vec![USER], self.text(n), vec![ASSISTANT]].concat()
    }

    fn unavoidable(&self, prompt: &[u32]) -> usize {
        let common = |timeline: &Vec<u32>| {
            timeline.iter().zip(&prompt[..prompt.len() - 1]).take_while(|(a, b)| a == b).count()
        };
        let longest = self.timelines.iter().map(common).max().unwrap_or(0);
        prompt.len() - longest / BLOCK * BLOCK
    }

    /// Hears an answer to its end.
    fn hear(
        &mut self,
        what: &'static str,
        prompt: &[u32],
        unavoidable: usize,
        updates: &Receiver<Update>,
    ) -> Vec<u32> {
        let (mut tokens, mut n_run) = (Vec::new(), 0);
        for update in updates {
            match update {
                Update::Prefill { done, .. } => n_run = done,
                Update::Token(token) => tokens.push(token.id),
                Update::Failed(error) => panic!("{what}: {error}"),
                _ => {}
            }
        }
        self.requests.push(Request { what, n_prompt: prompt.len(), n_run, unavoidable });
        // The last token was said and not run.
        let run = &tokens[..tokens.len().saturating_sub(1)];
        self.timelines.push([prompt, run].concat());
        tokens
    }

    fn ask(&mut self, what: &'static str, scheduler: &Scheduler, prompt: &[u32]) -> Vec<u32> {
        let unavoidable = self.unavoidable(prompt);
        self.hear(what, prompt, unavoidable, &submit(scheduler, prompt, 40))
    }
}

/// What a session without a past answers.
fn fresh(model: &mut dyn Inference, prompt: &[u32]) -> Vec<u32> {
    let mut session = Session::open(model, CONTEXT).expect("there is memory");
    let options = GenerateOptions {
        sampling: SampleParams { seed: 1, ..SampleParams::default() },
        stop: Vec::new(),
        max_tokens: 40,
        start: chat::OutputStart::Content,
    };
    let (cancel, tokenizer) = (CancelToken::new(), file().tokenizer().expect("it is sound"));
    let turn = generate(model, &tokenizer, &mut session, prompt, &options, &cancel, &mut |_| {});
    session.close(model);
    turn.expect("the model runs").tokens
}

#[test]
fn an_agent_runs_only_what_is_new() {
    let dir = tempfile::tempdir().expect("a directory");
    let random = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut client = Client { random, timelines: Vec::new(), requests: Vec::new() };
    let mut scheduler = start(dir.path(), 2);
    let system = [vec![BOS], client.text(900)].concat();

    // A conversation, with a request for a title beside its second turn.
    let mut history = [system.clone(), client.turn(150)].concat();
    let mut ends = Vec::new();
    for i in 0..6 {
        let title = [vec![BOS], client.text(90), client.turn(30)].concat();
        let side = (i == 1).then(|| (client.unavoidable(&title), submit(&scheduler, &title, 12)));
        let answer = client.ask("a turn", &scheduler, &history);
        if let Some((unavoidable, updates)) = side {
            client.hear("a title beside it", &title, unavoidable, &updates);
        }
        ends.push(history.len());
        let tool_result = client.turn([200, 90, 260, 120, 310, 150][i]);
        history = [history, answer, vec![EOS], tool_result].concat();
    }
    let again = client.ask("the last turn", &scheduler, &history);
    assert_eq!(client.ask("the same again", &scheduler, &history), again);

    // The client leaves out the reasoning that came before the answer.
    let next = client.turn(180);
    let shorter = [&history[..], &again[again.len() / 2..], &[EOS], &next].concat();
    client.ask("reasoning left out", &scheduler, &shorter);

    // Somebody changes what they said two turns ago, and then what they said at first.
    let late = [history[..ends[4]].to_vec(), client.turn(140)].concat();
    client.ask("an edit", &scheduler, &late);
    let early = [history[..ends[1]].to_vec(), client.turn(100)].concat();
    let edited = client.ask("an early edit", &scheduler, &early);
    let mut model = load();
    assert_eq!(edited, fresh(model.as_mut(), &early));

    // Another conversation of the same client, and the first one again.
    let other = [system.clone(), client.turn(160)].concat();
    client.ask("another conversation", &scheduler, &other);
    let next = client.turn(170);
    let mut long = [&history[..], &again, &[EOS], &next].concat();
    client.ask("the first one again", &scheduler, &long);

    // The server is started again.
    scheduler.shutdown();
    scheduler = start(dir.path(), 2);
    let answer = client.ask("after a restart", &scheduler, &long);
    assert_eq!(answer, fresh(model.as_mut(), &long));
    long = [long, answer, vec![EOS], client.turn(130)].concat();
    client.ask("a turn after it", &scheduler, &long);
    let edit = [history[..ends[3]].to_vec(), client.turn(150)].concat();
    let edited = client.ask("an edit after a restart", &scheduler, &edit);
    assert_eq!(edited, fresh(model.as_mut(), &edit));
    scheduler.shutdown();

    check(&client.requests);
}

/// Each request runs at most 5 % more than cannot be avoided, or four tokens; all together 5 %.
fn check(requests: &[Request]) {
    let mut table = String::from("  prompt     run  unavoidable\n");
    let (mut n_run, mut unavoidable, mut is_well) = (0, 0, true);
    for request in requests {
        let least = request.unavoidable;
        is_well &= request.n_run <= (least + least / 20).max(least + 4);
        let (n_prompt, run, what) = (request.n_prompt, request.n_run, request.what);
        writeln!(table, "{n_prompt:8}{run:8}{least:8}  {what}").expect("strings take everything");
        n_run += request.n_run;
        unavoidable += request.unavoidable;
    }
    let ratio = n_run as f64 / unavoidable as f64;
    write!(table, "in all {n_run} of {unavoidable}: {ratio:.3}").expect("strings take everything");
    say(&table);
    assert!(is_well && ratio <= 1.05, "{table}");
}

#[expect(clippy::print_stderr, reason = "the numbers are of interest when nothing fails, too")]
fn say(table: &str) {
    eprintln!("{table}");
}

/// Twenty turns: every block and every frontier is written once.
#[test]
fn a_long_conversation_is_written_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let disk =
        DiskKv::open(dir.path(), 1 << 30, &file(), KvRounding::Applied).expect("a directory");
    let options = SchedulerOptions { n_slots: 1, context: CONTEXT, max_queued: 8 };
    let kept = disk.clone();
    let scheduler = Scheduler::start_with_disk(load(), Some(EOS), options, Some(kept))
        .expect("there is memory");
    let random = Xoshiro256PlusPlus::seed_from_u64(12);
    let mut client = Client { random, timelines: Vec::new(), requests: Vec::new() };
    let mut history = [vec![BOS], client.text(400), client.turn(100)].concat();
    for _ in 0..20 {
        let answer = client.ask("a turn", &scheduler, &history);
        history = [history, answer, vec![EOS], client.turn(110)].concat();
    }
    scheduler.shutdown();
    let stats = disk.store().stats();
    // A block takes 32 rows and their keys, and one row, of 100 and 17 bytes, beside its header.
    let n_blocks = client.timelines.last().expect("twenty turns").len() / BLOCK;
    assert!(stats.written_entries >= n_blocks as u64 && stats.evicted_entries == 0, "{stats:?}");
    assert!(stats.written_bytes as f64 <= 1.1 * stats.bytes as f64, "{stats:?}");
    assert_eq!((stats.failed_saves, stats.dropped_saves), (0, 0));
}

/// What a directory cannot do is no reason not to answer.
#[test]
fn answers_do_not_depend_on_the_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let random = Xoshiro256PlusPlus::seed_from_u64(13);
    let mut client = Client { random, timelines: Vec::new(), requests: Vec::new() };
    let prompt = [vec![BOS], client.text(300), client.turn(30)].concat();
    let expected = fresh(load().as_mut(), &prompt);
    let hear = |scheduler: &Scheduler| {
        let updates: Vec<Update> = submit(scheduler, &prompt, 40).into_iter().collect();
        let mut tokens = Vec::new();
        let mut reused = 0;
        for update in updates {
            match update {
                Update::Token(token) => tokens.push(token.id),
                Update::Prefill { reused: n, .. } => reused = n,
                _ => {}
            }
        }
        assert_eq!(tokens, expected);
        reused
    };

    // Two servers on one directory; the second one finds what the first has saved.
    let first = start(dir.path(), 1);
    let second = start(dir.path(), 1);
    assert_eq!(hear(&first), 0);
    first.shutdown();
    assert_eq!(hear(&second), 2 * BLOCK - 4);
    second.shutdown();

    // A directory of another model: nothing of it is seen.
    let mut other = SmallModel::new();
    other.set("deepseek4.rope.freq_base", gguf::Value::F32(20_000.0));
    let other = ModelFile::from(other.write());
    let disk = DiskKv::open(dir.path(), 1 << 30, &other, KvRounding::Applied).expect("a directory");
    assert!(disk.store().lookup(&prompt).is_none());

    // No room for anything, and a damaged file in the place of every entry.
    let options = SchedulerOptions { n_slots: 1, context: CONTEXT, max_queued: 8 };
    let small = tempfile::tempdir().expect("a directory");
    let disk = DiskKv::open(small.path(), 100, &file(), KvRounding::Applied).expect("a directory");
    let scheduler = Scheduler::start_with_disk(load(), Some(EOS), options, Some(disk));
    let scheduler = scheduler.expect("there is memory");
    hear(&scheduler);
    scheduler.shutdown();
    for file in &files(dir.path()) {
        damage(file);
    }
    let scheduler = start(dir.path(), 1);
    assert_eq!(hear(&scheduler), 0);
    scheduler.shutdown();
}

/// Changes the last byte of a file.
fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).expect("it can be read");
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    std::fs::write(path, bytes).expect("it can be written");
}

/// All files of a store.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let paths = std::fs::read_dir(dir).expect("it can be read");
    let paths = paths.map(|entry| entry.expect("it can be read").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Where a long prefix is damaged, a shorter one is brought back, and the rest is run.
#[test]
fn a_shorter_prefix_stands_in_for_a_damaged_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let random = Xoshiro256PlusPlus::seed_from_u64(14);
    let mut client = Client { random, timelines: Vec::new(), requests: Vec::new() };
    let mut prompt = [vec![BOS], client.text(300), client.turn(90)].concat();
    let scheduler = start(dir.path(), 1);
    let answer = client.ask("a turn", &scheduler, &prompt);
    scheduler.shutdown();
    let whole = files(dir.path());
    prompt = [prompt, answer, vec![EOS], client.turn(500)].concat();
    let scheduler = start(dir.path(), 1);
    let expected = client.ask("another turn", &scheduler, &prompt);
    scheduler.shutdown();
    for file in files(dir.path()).iter().filter(|file| !whole.contains(file)) {
        damage(file);
    }
    let scheduler = start(dir.path(), 1);
    assert_eq!(client.ask("the same", &scheduler, &prompt), expected);
    scheduler.shutdown();
    let again = client.requests.last().expect("three requests");
    assert_eq!(again.n_run, prompt.len() - (3 * BLOCK - 4));
}
