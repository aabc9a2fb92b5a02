//! The thread that owns the model.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use model::{Extend, Inference, LogitsWanted};

use crate::error::{Error, Result};
use crate::session::Session;
use crate::turn::{Statistics, StopReason};

use super::answer::{Answer, Drawn};
use super::choice::{self, Candidate};
use super::job::{Job, Sink, Update};
use super::{SchedulerOptions, Shared, SlotSnapshot, SlotState, Totals};

/// How long a chunk of prefill may hold up those who decode, in seconds.
const CHUNK_SECONDS: f64 = 0.5;
/// Tokens of such a chunk while nobody knows how fast prefill is.
const FIRST_CHUNK: usize = 64;
/// Least tokens of such a chunk: with fewer, prefill gets nowhere.
const LEAST_CHUNK: usize = 16;

/// What handles ask of the thread.
pub(super) enum Command {
    /// Answer this.
    Submit(Box<Job>, Sink),
    /// End.
    Close,
}

/// A conversation and the job that works on it.
pub(super) struct Slot {
    /// `None` after the device failed, until the next job.
    session: Option<Session>,
    capacity: usize,
    last_used: u64,
    answer: Option<Answer>,
    /// Of the last answer, for the snapshot.
    n_prompt: usize,
    n_reused: usize,
    n_generated: usize,
}

/// Opens all slots, so that memory is known to suffice.
pub(super) fn open_slots(
    model: &mut dyn Inference,
    options: &SchedulerOptions,
) -> Result<Vec<Slot>> {
    let open = |_| {
        let session = Some(Session::open(model, options.context)?);
        Ok(Slot {
            session,
            capacity: options.context,
            last_used: 0,
            answer: None,
            n_prompt: 0,
            n_reused: 0,
            n_generated: 0,
        })
    };
    (0..options.n_slots).map(open).collect()
}

impl Slot {
    fn is_prefilling(&self) -> bool {
        self.answer.as_ref().is_some_and(Answer::is_prefilling)
    }

    fn is_decoding(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_prefilling())
    }

    fn snapshot(&self) -> SlotSnapshot {
        let (state, n_reused, n_generated) = match &self.answer {
            None => (SlotState::Idle, self.n_reused, self.n_generated),
            Some(answer) if answer.is_prefilling() => {
                (SlotState::Prefill, answer.n_reused, answer.n_generated)
            }
            Some(answer) => (SlotState::Decode, answer.n_reused, answer.n_generated),
        };
        SlotSnapshot {
            state,
            n_tokens: self.session.as_ref().map_or(0, Session::n_evaluated),
            capacity: self.capacity,
            n_prompt: self.n_prompt,
            n_reused,
            n_generated,
        }
    }
}

/// What a slot runs in a step.
struct Part {
    slot: usize,
    /// Of the step's tokens.
    tokens: Range<usize>,
    logits: LogitsWanted,
}

/// The thread's state.
pub(super) struct EngineThread {
    model: Box<dyn Inference>,
    eos: Option<u32>,
    slots: Vec<Slot>,
    waiting: VecDeque<(Box<Job>, Sink)>,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    totals: Totals,
    /// Counts the jobs that got a slot.
    clock: u64,
    /// The slot whose turn it is among those in prefill, and among those that decode if they do
    /// not all fit a batch.
    turn: usize,
    /// Tokens per second of prefill, as last measured.
    prefill_rate: Option<f64>,
}

impl EngineThread {
    pub(super) fn new(
        model: Box<dyn Inference>,
        eos: Option<u32>,
        slots: Vec<Slot>,
        commands: mpsc::Receiver<Command>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            model,
            eos,
            slots,
            waiting: VecDeque::new(),
            commands,
            shared,
            totals: Totals::default(),
            clock: 0,
            turn: 0,
            prefill_rate: None,
        }
    }

    /// Runs until it is told to close, or nobody can ask for anything any more.
    pub(super) fn run(mut self) {
        self.publish();
        while self.hear() {
            self.end_cancelled();
            self.admit();
            self.step();
            self.publish();
        }
        for (_, mut sink) in std::mem::take(&mut self.waiting) {
            self.done();
            sink(Update::Failed(Arc::new(Error::ShuttingDown)));
        }
        for i in 0..self.slots.len() {
            self.finish(i, StopReason::Cancelled);
        }
        self.publish();
    }

    /// Takes in what was asked, and waits for it if there is nothing to do. Says whether to go on.
    fn hear(&mut self) -> bool {
        let mut idle = self.waiting.is_empty() && self.slots.iter().all(|s| s.answer.is_none());
        loop {
            let command = if idle {
                match self.commands.recv() {
                    Ok(command) => command,
                    Err(mpsc::RecvError) => return false,
                }
            } else {
                match self.commands.try_recv() {
                    Ok(command) => command,
                    // Nobody can ask for more, but what was asked is answered.
                    Err(mpsc::TryRecvError::Empty | mpsc::TryRecvError::Disconnected) => {
                        return true;
                    }
                }
            };
            idle = false;
            match command {
                Command::Submit(job, mut sink) => {
                    sink(Update::Queued { ahead: self.waiting.len() });
                    self.waiting.push_back((job, sink));
                }
                Command::Close => return false,
            }
        }
    }

    /// One job less.
    fn done(&self) {
        self.shared.n_jobs.fetch_sub(1, Ordering::AcqRel);
    }

    fn end_cancelled(&mut self) {
        for i in 0..self.slots.len() {
            if self.slots[i].answer.as_ref().is_some_and(|answer| answer.job.cancel.is_cancelled())
            {
                self.finish(i, StopReason::Cancelled);
            }
        }
        for (job, mut sink) in std::mem::take(&mut self.waiting) {
            if job.cancel.is_cancelled() {
                self.totals.cancelled += 1;
                self.done();
                let (reason, statistics) = (StopReason::Cancelled, Statistics::default());
                sink(Update::Finished { reason, statistics });
            } else {
                self.waiting.push_back((job, sink));
            }
        }
    }

    /// Gives free slots to those who wait, first come, first served.
    fn admit(&mut self) {
        while let Some((job, _)) = self.waiting.front() {
            let Some(slot) = self.choose(&job.prompt) else { return };
            let Some((job, mut sink)) = self.waiting.pop_front() else { return };
            match self.sync(slot, &job) {
                Ok(n_reused) => self.begin(slot, *job, sink, n_reused),
                Err(error) => {
                    self.totals.failed += 1;
                    self.done();
                    sink(Update::Failed(Arc::new(error)));
                }
            }
        }
    }

    fn choose(&self, prompt: &[u32]) -> Option<usize> {
        let free: Vec<usize> =
            (0..self.slots.len()).filter(|&i| self.slots[i].answer.is_none()).collect();
        let candidate = |&i: &usize| {
            let slot = &self.slots[i];
            let session = slot.session.as_ref();
            Candidate {
                n_tokens: session.map_or(0, Session::n_evaluated),
                n_common: session.map_or(0, |session| session.n_common(prompt)),
                last_used: slot.last_used,
            }
        };
        let candidates: Vec<Candidate> = free.iter().map(candidate).collect();
        choice::cheapest(prompt.len(), &candidates).map(|i| free[i])
    }

    /// Makes a job's prompt the timeline of a slot and returns how much of it is in KV.
    fn sync(&mut self, slot: usize, job: &Job) -> Result<usize> {
        let vocab_size = self.model.geometry().vocab_size;
        if let Some(&token) = job.prompt.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(model::Error::Token { token, vocab_size }.into());
        }
        job.sampling.check()?;
        let slot = &mut self.slots[slot];
        let session = match &mut slot.session {
            Some(session) => session,
            None => slot.session.insert(Session::open(self.model.as_mut(), slot.capacity)?),
        };
        let room = slot.capacity - 1;
        if job.prompt.len() > room {
            let (n_tokens, capacity) = (job.prompt.len(), slot.capacity);
            return Err(Error::PromptTooLong { n_tokens, room, capacity });
        }
        if job.prompt_logprobs {
            session.clear(self.model.as_mut());
        }
        session.sync(self.model.as_mut(), &job.prompt)
    }

    fn begin(&mut self, slot: usize, job: Job, sink: Sink, n_reused: usize) {
        self.clock += 1;
        self.totals.started += 1;
        self.totals.prompt_tokens += job.prompt.len() as u64;
        self.totals.reused_tokens += n_reused as u64;
        let bytes_per_token = self.model.active_bytes().total;
        let slot = &mut self.slots[slot];
        slot.last_used = self.clock;
        slot.n_prompt = job.prompt.len();
        slot.answer = Some(Answer::new(job, sink, n_reused, bytes_per_token));
    }

    /// Runs one batch, if there is anything to run.
    fn step(&mut self) {
        let (tokens, parts) = self.plan();
        if parts.is_empty() {
            return;
        }
        let start = Instant::now();
        let drawn = self.extend(&tokens, &parts);
        let seconds = start.elapsed().as_secs_f64();
        self.totals.steps += 1;
        self.totals.busy_seconds += seconds;
        let n_prefill: usize = parts
            .iter()
            .filter(|part| self.slots[part.slot].is_prefilling())
            .map(|part| part.tokens.len())
            .sum();
        if n_prefill >= LEAST_CHUNK {
            self.prefill_rate = Some(n_prefill as f64 / seconds);
        }
        match drawn {
            Ok(drawn) => {
                for (part, drawn) in parts.iter().zip(drawn) {
                    self.ran(part, drawn);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for part in &parts {
                    self.lose(part.slot, &error);
                }
            }
        }
    }

    /// The tokens of the next batch and whose they are.
    fn plan(&mut self) -> (Vec<u32>, Vec<Part>) {
        let n_slots = self.slots.len();
        let turn = self.turn;
        self.turn = (turn + 1) % n_slots;
        let order = (0..n_slots).map(|i| (turn + i) % n_slots);
        let (mut tokens, mut parts) = (Vec::new(), Vec::new());
        let mut room = self.model.max_batch();
        let mut add = |slot: &Slot, i: usize, room: &mut usize| {
            let (Some(session), Some(answer)) = (&slot.session, &slot.answer) else { return };
            let waiting = session.waiting();
            let n = waiting.len().min(*room);
            if n == 0 {
                return;
            }
            let logits = match n == waiting.len() {
                _ if answer.is_prefilling() && answer.job.prompt_logprobs => LogitsWanted::All,
                true => LogitsWanted::Last,
                false => LogitsWanted::Nothing,
            };
            let first = tokens.len();
            tokens.extend_from_slice(&waiting[..n]);
            parts.push(Part { slot: i, tokens: first..first + n, logits });
            *room -= n;
        };
        for i in order.clone().filter(|&i| self.slots[i].is_decoding()) {
            add(&self.slots[i], i, &mut room);
        }
        if room < self.model.max_batch() {
            room = room.min(self.chunk());
        }
        for i in order.filter(|&i| self.slots[i].is_prefilling()) {
            add(&self.slots[i], i, &mut room);
        }
        (tokens, parts)
    }

    /// Tokens of prefill in a step that others wait for.
    fn chunk(&self) -> usize {
        let chunk = self.prefill_rate.map_or(FIRST_CHUNK, |rate| (rate * CHUNK_SECONDS) as usize);
        chunk.max(LEAST_CHUNK)
    }

    /// Runs a batch and draws what comes next, for each part whose logits are wanted.
    fn extend(&mut self, tokens: &[u32], parts: &[Part]) -> Result<Vec<Option<Result<Drawn>>>> {
        let Self { model, slots, eos, .. } = self;
        let extend = |part: &Part| {
            let session = slots[part.slot].session.as_ref().expect("planned slots are open");
            Extend {
                slot: session.slot(),
                tokens: &tokens[part.tokens.clone()],
                logits: part.logits,
            }
        };
        let batch: Vec<Extend<'_>> = parts.iter().map(extend).collect();
        let mut drawn: Vec<_> = parts.iter().map(|_| None).collect();
        model.extend(&batch, &mut |part, position, logits| {
            let slot = &mut slots[parts[part].slot];
            let (Some(session), Some(answer)) = (&slot.session, &mut slot.answer) else { return };
            match session.tokens().get(position + 1) {
                Some(&next) => answer.take_prompt_logits(logits, next),
                None => drawn[part] = Some(answer.draw(logits, *eos)),
            }
        })?;
        Ok(drawn)
    }

    /// Hears that a part of a batch has been run and what follows it.
    fn ran(&mut self, part: &Part, drawn: Option<Result<Drawn>>) {
        let i = part.slot;
        let slot = &mut self.slots[i];
        let (Some(session), Some(answer)) = (&mut slot.session, &mut slot.answer) else { return };
        session.ran(part.tokens.len());
        answer.ran(part.tokens.len());
        match drawn {
            None => {}
            Some(Ok(Drawn::Token(token))) => {
                session.append(&[token.id]);
                self.totals.generated_tokens += 1;
                answer.tell(Update::Token(token));
                if answer.n_generated == answer.job.max_tokens {
                    self.finish(i, StopReason::MaxTokens);
                } else if session.room() == 0 {
                    self.finish(i, StopReason::ContextFull);
                }
            }
            Some(Ok(Drawn::End(reason))) => self.finish(i, reason),
            Some(Err(error)) => self.fail(i, &Arc::new(error)),
        }
    }

    /// The job's answer, taken off its slot, and the slot's numbers brought up to date.
    fn take_answer(&mut self, slot: usize) -> Option<Answer> {
        let slot = &mut self.slots[slot];
        let answer = slot.answer.take()?;
        (slot.n_reused, slot.n_generated) = (answer.n_reused, answer.n_generated);
        self.done();
        Some(answer)
    }

    fn finish(&mut self, slot: usize, reason: StopReason) {
        let Some(answer) = self.take_answer(slot) else { return };
        match reason {
            StopReason::Cancelled => self.totals.cancelled += 1,
            _ => self.totals.finished += 1,
        }
        answer.finish(reason);
    }

    fn fail(&mut self, slot: usize, error: &Arc<Error>) {
        let Some(answer) = self.take_answer(slot) else { return };
        self.totals.failed += 1;
        answer.fail(Arc::clone(error));
    }

    /// Ends the job of a slot whose KV is not to be trusted after an error, and empties the slot.
    fn lose(&mut self, slot: usize, error: &Arc<Error>) {
        if let Some(session) = self.slots[slot].session.take() {
            session.close(self.model.as_mut());
        }
        self.fail(slot, error);
    }

    fn publish(&self) {
        let mut snapshot = self.shared.snapshot();
        snapshot.slots.clear();
        snapshot.slots.extend(self.slots.iter().map(Slot::snapshot));
        snapshot.waiting = self.waiting.len();
        snapshot.totals = self.totals;
    }
}
