//! The thread that owns the model.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use model::{Extend, Inference, LogitsWanted};

use crate::disk::DiskKv;
use crate::error::{Error, Result};
use crate::keep::{Keeper, PAUSE, RESTORE_TRIES, Restore, Restored, Saving};
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
/// How long a job waits for the conversation to be saved that it takes the slot from.
const SAVE_TIME: Duration = Duration::from_millis(100);
/// Another slot's rows are copied if that saves running so many tokens.
const WORTH_COPYING: usize = 16;
/// How long a prefix that comes from the disk may hold up those who have something to run, between
/// two steps; without them, how long commands wait.
const RESTORE_TIME: Duration = Duration::from_millis(20);

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
    /// A job whose prompt is on its way from the disk.
    restoring: Option<Restoring>,
    saving: Saving,
    /// Of the last answer, for the snapshot.
    n_prompt: usize,
    n_reused: usize,
    n_generated: usize,
}

/// A job that waits for a prefix.
struct Restoring {
    job: Box<Job>,
    sink: Sink,
    restore: Restore,
    /// What else is tried if this fails.
    n_tries_left: usize,
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
            restoring: None,
            saving: Saving::default(),
            n_prompt: 0,
            n_reused: 0,
            n_generated: 0,
        })
    };
    (0..options.n_slots).map(open).collect()
}

impl Slot {
    fn is_free(&self) -> bool {
        self.answer.is_none() && self.restoring.is_none()
    }

    fn is_prefilling(&self) -> bool {
        self.answer.as_ref().is_some_and(Answer::is_prefilling)
    }

    fn is_decoding(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| !answer.is_prefilling())
    }

    fn snapshot(&self) -> SlotSnapshot {
        let (state, n_reused, n_generated) = match &self.answer {
            None if self.restoring.is_some() => (SlotState::Prefill, 0, 0),
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
    keeper: Option<Keeper>,
}

impl EngineThread {
    pub(super) fn new(
        model: Box<dyn Inference>,
        eos: Option<u32>,
        slots: Vec<Slot>,
        commands: mpsc::Receiver<Command>,
        shared: Arc<Shared>,
        disk: Option<DiskKv>,
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
            keeper: disk.map(Keeper::new),
        }
    }

    /// Runs until it is told to close, or nobody can ask for anything any more.
    pub(super) fn run(mut self) {
        self.publish();
        while self.hear() {
            self.end_cancelled();
            self.admit();
            self.restore();
            self.step();
            self.save();
            self.publish();
        }
        // Some may have asked before they could know.
        while let Ok(command) = self.commands.try_recv() {
            self.take(command);
        }
        for (_, mut sink) in std::mem::take(&mut self.waiting) {
            self.done();
            sink(Update::Failed(Arc::new(Error::ShuttingDown)));
        }
        for i in 0..self.slots.len() {
            self.finish(i, StopReason::Cancelled);
            self.cancel_restoring(i);
        }
        self.publish();
        self.save_everything();
    }

    /// Takes in what was asked, and waits for it if there is nothing to do. Says whether to go on.
    fn hear(&mut self) -> bool {
        let mut idle = self.waiting.is_empty() && self.slots.iter().all(Slot::is_free);
        loop {
            if idle && self.save_next() {
                if let Ok(command) = self.commands.try_recv() {
                    idle = false;
                    if !self.take(command) {
                        return false;
                    }
                }
                continue;
            }
            let is_paused = self.keeper.as_ref().is_some_and(Keeper::is_paused);
            if idle && is_paused {
                match self.commands.recv_timeout(PAUSE) {
                    Ok(command) => return self.take(command),
                    Err(mpsc::RecvTimeoutError::Timeout) => continue,
                    Err(mpsc::RecvTimeoutError::Disconnected) => return false,
                }
            }
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
            if !self.take(command) {
                return false;
            }
        }
    }

    /// Takes a command and says whether to go on.
    fn take(&mut self, command: Command) -> bool {
        match command {
            Command::Submit(job, mut sink) => {
                sink(Update::Queued { ahead: self.waiting.len() });
                self.waiting.push_back((job, sink));
                true
            }
            Command::Close => false,
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
            if self.slots[i].restoring.as_ref().is_some_and(|it| it.job.cancel.is_cancelled()) {
                self.cancel_restoring(i);
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
                Ok(n_reused) => self.begin_or_restore(slot, job, sink, n_reused),
                Err(error) => {
                    self.totals.failed += 1;
                    self.done();
                    sink(Update::Failed(Arc::new(error)));
                }
            }
        }
    }

    fn choose(&self, prompt: &[u32]) -> Option<usize> {
        let free: Vec<usize> = (0..self.slots.len()).filter(|&i| self.slots[i].is_free()).collect();
        let n_elsewhere = self.donor(prompt).map_or(0, |donor| donor.1);
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
        choice::cheapest(prompt.len(), n_elsewhere, &candidates).map(|i| free[i])
    }

    /// The slot that shares most with a prompt, and how much.
    fn donor(&self, prompt: &[u32]) -> Option<(usize, usize)> {
        let common = |(i, slot): (usize, &Slot)| Some((i, slot.session.as_ref()?.n_common(prompt)));
        self.slots.iter().enumerate().filter_map(common).max_by_key(|donor| donor.1)
    }

    /// Makes a job's prompt the timeline of a slot and returns how much of it is in KV.
    fn sync(&mut self, slot: usize, job: &Job) -> Result<usize> {
        let vocab_size = self.model.geometry().vocab_size;
        if let Some(&token) = job.prompt.iter().find(|&&token| token as usize >= vocab_size) {
            return Err(model::Error::Token { token, vocab_size }.into());
        }
        job.sampling.check()?;
        job.penalties.check(vocab_size)?;
        self.save_before_loss(slot, &job.prompt);
        let donor = self.donor(&job.prompt).filter(|_| !job.prompt_logprobs);
        let index = slot;
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
        let own = session.n_common(&job.prompt);
        if let Some((donor, _)) = donor.filter(|donor| donor.1 >= own + WORTH_COPYING) {
            let mut session = self.slots[index].session.take().expect("opened above");
            let donor = self.slots[donor].session.as_ref().expect("it has something to give");
            let forked = session.fork_from(self.model.as_mut(), donor, &job.prompt);
            self.slots[index].session = Some(session);
            return forked;
        }
        session.sync(self.model.as_mut(), &job.prompt)
    }

    /// Begins a job, or first brings back what the disk has of its prompt.
    fn begin_or_restore(&mut self, slot: usize, job: Box<Job>, sink: Sink, n_reused: usize) {
        let at = &mut self.slots[slot];
        if let (Some(keeper), Some(session)) = (&self.keeper, &mut at.session) {
            at.saving.begin(&keeper.disk, &job.prompt, session.n_stored());
            let hit = keeper.find(&job.prompt, n_reused).filter(|_| !job.prompt_logprobs);
            if let Some(hit) = hit {
                let restore = Restore::start(hit, self.model.as_mut(), session);
                at.restoring = Some(Restoring { job, sink, restore, n_tries_left: RESTORE_TRIES });
                return;
            }
        }
        self.begin(slot, *job, sink, n_reused);
    }

    /// Puts what has come from the disk into its slots, and begins the jobs whose prefix is there.
    fn restore(&mut self) {
        for i in 0..self.slots.len() {
            let Slot { session: Some(session), restoring: Some(restoring), .. } =
                &mut self.slots[i]
            else {
                continue;
            };
            let restored = restoring.restore.go_on(self.model.as_mut(), session, RESTORE_TIME);
            if restored == Restored::Waiting {
                continue;
            }
            // The store has put aside what was damaged and may have a shorter prefix.
            if let (Restored::Failed, Some(keeper), 1..) =
                (restored, &self.keeper, restoring.n_tries_left)
                && let Some(hit) = keeper.find(&restoring.job.prompt, session.n_evaluated())
            {
                restoring.n_tries_left -= 1;
                restoring.restore = Restore::start(hit, self.model.as_mut(), session);
                continue;
            }
            // What has not come is run.
            let n_reused = session.n_evaluated();
            let Some(Restoring { job, sink, .. }) = self.slots[i].restoring.take() else {
                continue;
            };
            self.begin(i, *job, sink, n_reused);
        }
    }

    fn cancel_restoring(&mut self, slot: usize) {
        let Some(Restoring { mut sink, .. }) = self.slots[slot].restoring.take() else { return };
        self.totals.cancelled += 1;
        self.done();
        let (reason, statistics) = (StopReason::Cancelled, Statistics::default());
        sink(Update::Finished { reason, statistics });
    }

    /// Saves what is left, and waits for the disk where it is behind.
    fn save_everything(&mut self) {
        loop {
            while self.save_next() {}
            let Some(keeper) = &mut self.keeper else { return };
            let was_behind = keeper.is_paused();
            keeper.wait_for_disk();
            if !was_behind {
                return;
            }
        }
    }

    /// Saves a slot's conversation before it gives way, as far as that takes no time that a job
    /// would feel.
    fn save_before_loss(&mut self, slot: usize, prompt: &[u32]) {
        let until = Instant::now() + SAVE_TIME;
        let Some(keeper) = &mut self.keeper else { return };
        let Slot { session: Some(session), saving, .. } = &mut self.slots[slot] else { return };
        if !saving.would_lose(session.n_common(prompt)) {
            return;
        }
        while !keeper.is_paused() && keeper.has_work(saving, session) && Instant::now() < until {
            keeper.save_one(self.model.as_mut(), session, saving);
        }
    }

    /// Saves a little of what is to be saved, while others wait.
    fn save(&mut self) {
        while self.keeper.as_ref().is_some_and(Keeper::has_credit) && self.save_next() {}
    }

    /// Saves one piece of a slot, if there is any to save now.
    fn save_next(&mut self) -> bool {
        let Some(keeper) = &mut self.keeper else { return false };
        if keeper.is_paused() {
            return false;
        }
        for Slot { session, saving, .. } in &mut self.slots {
            if let Some(session) = session.as_ref().filter(|it| keeper.has_work(saving, it)) {
                keeper.save_one(self.model.as_mut(), session, saving);
                return true;
            }
        }
        false
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
        if let Some(keeper) = &mut self.keeper {
            keeper.earn(seconds);
        }
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
        slot.saving.end(slot.session.as_ref().map_or(0, Session::n_evaluated));
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
        self.slots[slot].saving.clear();
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
