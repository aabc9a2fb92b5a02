//! The scheduler on a small random model.
//!
//! No oracle: a random model's words are worth nothing. What holds is that company does not
//! matter: what a job is answered with is what it would be answered with alone.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use engine::{
    BackendChoice, Busy, CancelToken, Constraint, Error, GenerateOptions, Inference, Job,
    LoadOptions, LogitsWanted, ModelFile, Penalties, SampleParams, Scheduler, SchedulerOptions,
    Session, SlotState, StopReason, TokenMask, Turn, Update, evaluate, generate,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::small_model::SmallModel;

const CONTEXT: usize = 160;
/// `<｜end▁of▁sentence｜>`: the control tokens follow the 256 bytes.
const EOS: u32 = 257;
/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(2);

fn file() -> ModelFile {
    ModelFile::from(SmallModel::new().write())
}

fn load(max_batch: usize) -> Box<dyn Inference> {
    let backend = BackendChoice::Cpu;
    let options = LoadOptions { backend, max_batch: Some(max_batch), ..LoadOptions::default() };
    file().load(&options, &mut |_| {}).expect("the file is sound")
}

fn start(max_batch: usize, n_slots: usize, max_queued: usize) -> Scheduler {
    let options = SchedulerOptions { n_slots, context: CONTEXT, max_queued };
    Scheduler::start(load(max_batch), Some(EOS), options).expect("there is memory")
}

fn job(prompt: &[u8], max_tokens: usize, seed: u64) -> Job {
    Job {
        prompt: prompt.iter().copied().map(u32::from).collect(),
        sampling: SampleParams { seed, ..SampleParams::default() },
        max_tokens,
        top_logprobs: None,
        prompt_logprobs: false,
        penalties: Penalties::default(),
        constraint: None,
        cancel: CancelToken::new(),
    }
}

fn submit(scheduler: &Scheduler, job: Job) -> Result<Receiver<Update>, Busy> {
    let (sender, updates) = channel();
    // The receiver may be gone: nobody wants the answer any more.
    scheduler.submit(job, Box::new(move |update| drop(sender.send(update))))?;
    Ok(updates)
}

/// What an answer amounted to.
#[derive(Debug)]
struct Answer {
    tokens: Vec<u32>,
    n_reused: usize,
    n_run: usize,
    end: Result<StopReason, Arc<Error>>,
}

fn answer(updates: &Receiver<Update>) -> Answer {
    let mut answer =
        Answer { tokens: Vec::new(), n_reused: 0, n_run: 0, end: Ok(StopReason::Cancelled) };
    loop {
        match updates.recv_timeout(PATIENCE).expect("every job ends") {
            Update::Queued { .. } | Update::PromptLogprobs(_) => {}
            Update::Prefill { reused, done, .. } => {
                (answer.n_reused, answer.n_run) = (reused, done);
            }
            Update::Token(token) => answer.tokens.push(token.id),
            Update::Finished { reason, statistics } => {
                assert_eq!(statistics.prefill_tokens, answer.n_run);
                assert_eq!(statistics.generated_tokens, answer.tokens.len());
                answer.end = Ok(reason);
                break;
            }
            Update::Failed(error) => {
                answer.end = Err(error);
                break;
            }
        }
    }
    assert!(updates.recv_timeout(PATIENCE).is_err(), "nothing comes after the end");
    answer
}

/// What a session of its own answers.
fn alone(model: &mut dyn Inference, prompt: &[u8], max_tokens: usize, seed: u64) -> Turn {
    let file = file();
    let tokenizer = file.tokenizer().expect("the vocabulary is sound");
    let mut session = Session::open(model, CONTEXT).expect("there is memory");
    let options = GenerateOptions {
        sampling: SampleParams { seed, ..SampleParams::default() },
        stop: Vec::new(),
        max_tokens,
        start: chat::OutputStart::Content,
    };
    let prompt: Vec<u32> = prompt.iter().copied().map(u32::from).collect();
    let cancel = CancelToken::new();
    let turn = generate(model, &tokenizer, &mut session, &prompt, &options, &cancel, &mut |_| {});
    session.close(model);
    turn.expect("the model runs")
}

/// Prompts of all lengths, some continuing others, some cancelled at some point, more of them
/// than slots.
#[test]
fn company_does_not_change_an_answer() {
    let mut model = load(16);
    for seed in 0..4 {
        let scheduler = start(16, 3, 100);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut below = move |n: usize| rng.next_u64() as usize % n;
        let text: Vec<u8> = (0..100).map(|_| below(256) as u8).collect();
        let mut jobs = Vec::new();
        for i in 0..24_u64 {
            let prompt = text[..=below(100)].to_vec();
            let max_tokens = below(20);
            let one = job(&prompt, max_tokens, i);
            let cancel = (below(4) == 0).then(|| (one.cancel.clone(), below(8)));
            let updates = submit(&scheduler, one).expect("there is room");
            jobs.push((prompt, max_tokens, i, cancel, updates));
        }
        for (prompt, max_tokens, seed, cancel, updates) in jobs {
            let expected = alone(model.as_mut(), &prompt, max_tokens, seed);
            if let Some((cancel, after)) = cancel {
                std::thread::sleep(Duration::from_millis(after as u64));
                cancel.cancel();
                let found = answer(&updates);
                assert!(found.end.is_ok());
                assert!(expected.tokens.starts_with(&found.tokens));
            } else {
                let found = answer(&updates);
                let end = found.end.expect("no error");
                assert_eq!((end, &found.tokens), (expected.reason, &expected.tokens));
                assert_eq!(found.n_reused + found.n_run, prompt.len());
            }
        }
        let snapshot = scheduler.snapshot();
        assert_eq!(snapshot.waiting, 0);
        assert!(snapshot.slots.iter().all(|slot| slot.state == SlotState::Idle));
        assert_eq!(snapshot.totals.finished + snapshot.totals.cancelled, 24);
        scheduler.shutdown();
    }
}

#[test]
fn a_conversation_goes_on_where_it_was() {
    let scheduler = start(16, 2, 4);
    let first = answer(&submit(&scheduler, job(b"a first question", 8, 1)).expect("room"));
    assert_eq!((first.n_reused, first.n_run), (0, 16));
    // A request on the side takes the other slot.
    let title = answer(&submit(&scheduler, job(b"a title", 3, 1)).expect("room"));
    assert_eq!((title.n_reused, title.n_run), (0, 7));
    let mut second = job(b"a first question", 8, 1);
    second.prompt.extend(&first.tokens);
    second.prompt.extend(b" and a second".map(u32::from));
    let n_prompt = second.prompt.len();
    let second = answer(&submit(&scheduler, second).expect("room"));
    // Of the first answer, the last token was said but never run.
    assert_eq!((second.n_reused, second.n_run), (16 + 7, n_prompt - 23));
    scheduler.shutdown();
}

#[test]
fn a_cancelled_prefill_is_resumed() {
    let scheduler = start(4, 1, 4);
    let prompt = [b'x'; 100];
    let one = job(&prompt, 4, 0);
    let cancel = one.cancel.clone();
    let (sender, updates) = channel();
    let sink = Box::new(move |update| {
        if matches!(update, Update::Prefill { done: 20.., .. }) {
            cancel.cancel();
        }
        drop(sender.send(update));
    });
    scheduler.submit(one, sink).expect("there is room");
    let cancelled = answer(&updates);
    assert_eq!((cancelled.end.expect("no error"), cancelled.n_run), (StopReason::Cancelled, 20));
    let again = answer(&submit(&scheduler, job(&prompt, 4, 0)).expect("room"));
    assert_eq!((again.n_reused, again.n_run), (20, 80));
    assert_eq!(again.tokens, alone(load(4).as_mut(), &prompt, 4, 0).tokens);
    scheduler.shutdown();
}

#[test]
fn the_queue_has_an_end() {
    let scheduler = start(4, 1, 2);
    let jobs: Vec<_> = (0..3)
        .map(|_| {
            let one = job(&[b'x'; 100], 1000, 0);
            let cancel = one.cancel.clone();
            (submit(&scheduler, one).expect("one runs, two wait"), cancel)
        })
        .collect();
    assert_eq!(submit(&scheduler, job(b"x", 1, 0)).err(), Some(Busy::Full { waiting: 2 }));
    for (updates, cancel) in jobs {
        cancel.cancel();
        assert!(answer(&updates).end.is_ok());
    }
    let last = answer(&submit(&scheduler, job(b"x", 1, 0)).expect("all others are done"));
    assert_eq!(last.tokens.len(), 1);
    scheduler.shutdown();
}

#[test]
fn an_answer_ends_where_the_context_does() {
    let scheduler = start(16, 1, 0);
    let full = answer(&submit(&scheduler, job(&[b'x'; CONTEXT - 5], 1000, 0)).expect("room"));
    assert_eq!((full.end.expect("no error"), full.tokens.len()), (StopReason::ContextFull, 5));
    let too_long = answer(&submit(&scheduler, job(&[b'x'; CONTEXT], 1, 0)).expect("room"));
    assert!(matches!(*too_long.end.expect_err("too long"), Error::PromptTooLong { .. }));
    scheduler.shutdown();
}

/// What one job asks for wrongly is told to that one only.
#[test]
fn mistakes_stay_with_their_job() {
    let scheduler = start(16, 2, 8);
    let good = submit(&scheduler, job(b"a question", 30, 3)).expect("room");
    let foreign = Job { prompt: vec![1, 99_999], ..job(b"", 1, 0) };
    let negative = Job {
        sampling: SampleParams { temperature: -1.0, ..SampleParams::default() },
        ..job(b"x", 1, 0)
    };
    for bad in [job(b"", 1, 0), foreign, negative] {
        let bad = answer(&submit(&scheduler, bad).expect("room"));
        assert!(bad.end.is_err());
    }
    assert_eq!(answer(&good).tokens, alone(load(16).as_mut(), b"a question", 30, 3).tokens);
    scheduler.shutdown();
}

#[test]
fn shutdown_ends_what_runs_and_what_waits() {
    let scheduler = start(4, 1, 2);
    let running = submit(&scheduler, job(&[b'x'; 100], 1000, 0)).expect("room");
    let waiting = submit(&scheduler, job(&[b'y'; 100], 1000, 0)).expect("room");
    scheduler.shutdown();
    assert!(matches!(answer(&running).end, Ok(StopReason::Cancelled) | Err(_)));
    assert!(matches!(*answer(&waiting).end.expect_err("never begun"), Error::ShuttingDown));
    assert_eq!(submit(&scheduler, job(b"x", 1, 0)).err(), Some(Busy::Closing));
}

/// Lets the tokens of a text through, one after the other, and then the end.
struct Dictation(Vec<u32>);

impl Constraint for Dictation {
    fn allowed(&mut self) -> engine::Result<Option<TokenMask>> {
        Ok(self.0.first().map(|&token| [token].into_iter().collect()))
    }

    fn accept(&mut self, token: u32) -> engine::Result<()> {
        assert_eq!(self.0.remove(0), token);
        Ok(())
    }
}

#[test]
fn a_constraint_decides_what_is_said() {
    let scheduler = start(16, 1, 0);
    let dictated = b"exactly this".map(u32::from).to_vec();
    let constraint = Some(Box::new(Dictation(dictated.clone())) as Box<dyn Constraint>);
    let n = dictated.len();
    let said = answer(&submit(&scheduler, Job { constraint, ..job(b"say", n, 0) }).expect("room"));
    assert_eq!(said.tokens, dictated);
    scheduler.shutdown();
}

/// Oracle: the logits themselves.
#[test]
fn log_probabilities_are_those_of_the_logits() {
    let scheduler = start(16, 1, 0);
    let prompt = b"the quick brown fox jumps over it";
    let asked = Job { prompt_logprobs: true, top_logprobs: Some(3), ..job(prompt, 2, 0) };
    let mut timeline = asked.prompt.clone();
    let updates = submit(&scheduler, asked).expect("room");
    let (mut of_prompt, mut of_tokens) = (Vec::new(), Vec::new());
    for update in &updates {
        match update {
            Update::PromptLogprobs(logprobs) => of_prompt = logprobs,
            Update::Token(token) => of_tokens.push(token),
            _ => {}
        }
    }
    scheduler.shutdown();

    timeline.extend(of_tokens.iter().map(|token| token.id));
    let mut rows = Vec::new();
    let (mut model, n) = (load(16), timeline.len());
    evaluate(
        model.as_mut(),
        &timeline,
        16,
        LogitsWanted::All,
        &CancelToken::new(),
        &mut |_, row| {
            rows.push(log_softmax(row));
        },
    )
    .expect("the model runs");
    assert_eq!((rows.len(), of_prompt.len(), of_prompt[0]), (n, prompt.len(), None));
    for (i, &token) in timeline.iter().enumerate().skip(1) {
        let expected = rows[i - 1][token as usize];
        let found = if let Some(found) = of_prompt.get(i) {
            found.expect("only the first has none")
        } else {
            let token = &of_tokens[i - prompt.len()];
            let best = rows[i - 1].iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(token.top.len(), 3);
            assert!((token.top[0].1 - best).abs() < 1e-4);
            token.logprob.expect("it was asked for")
        };
        assert!((found - expected).abs() < 1e-4, "token {i}: {found} instead of {expected}");
    }
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let sum: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
    logits.iter().map(|&x| (f64::from(x) - sum.ln()) as f32).collect()
}
