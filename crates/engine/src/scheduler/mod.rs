//! Many conversations on one model: slots, a queue, and a thread that owns the model.
//!
//! The engine thread repeats one step. A step takes waiting jobs into free slots, then runs one
//! batch: a token of every answer that is being decoded, and with what room is left prompt tokens
//! of those in prefill, each in its turn. While somebody decodes, prefill takes chunks of about
//! half a second, so that a long prompt never holds others up for longer.
//!
//! A job gets the slot that costs least: what it has to run there, plus what its coming destroys
//! there, counted less the longer nobody used it (see [`choice`](self)). So a conversation finds
//! its own slot again, and a short request on the side does not push out a long conversation while
//! there is a lesser slot. What a cancelled job has run stays, and the same request again goes on
//! from there.
//!
//! A job takes over what any slot has of its prompt, or the disk if it has more (see
//! [`DiskKv`]): rows are copied, and only the rest is run. Conversations are saved between steps.
//!
//! Refuses: text, stop strings, wire formats; deciding what may be said (see [`Constraint`]).

mod answer;
mod choice;
mod job;
mod thread;

pub use job::{Busy, Constraint, Job, SampledToken, Sink, TokenMask, Update};

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use model::Inference;

use crate::disk::DiskKv;
use crate::error::Result;
use thread::{Command, EngineThread};

/// How many conversations, how long, and how many may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedulerOptions {
    /// Conversations that are held and answered at once.
    pub n_slots: usize,
    /// Tokens of each.
    pub context: usize,
    /// Jobs that may wait for a slot.
    pub max_queued: usize,
}

/// What a slot does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SlotState {
    /// Nothing; it remembers its conversation.
    #[default]
    Idle,
    /// It runs a prompt.
    Prefill,
    /// It answers.
    Decode,
}

/// A slot, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotSnapshot {
    /// What it does.
    pub state: SlotState,
    /// Tokens in its KV.
    pub n_tokens: usize,
    /// Tokens that fit.
    pub capacity: usize,
    /// Of the prompt in work or last answered: tokens.
    pub n_prompt: usize,
    /// Of the prompt in work or last answered: tokens that were in KV already.
    pub n_reused: usize,
    /// Of the answer in work or last given: tokens.
    pub n_generated: usize,
}

/// Sums over all jobs since the start.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Jobs that got a slot.
    pub started: u64,
    /// Jobs that were answered to their end.
    pub finished: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Tokens of prompts.
    pub prompt_tokens: u64,
    /// Tokens of prompts that were in KV already.
    pub reused_tokens: u64,
    /// Tokens of answers.
    pub generated_tokens: u64,
    /// Batches that were run.
    pub steps: u64,
    /// Time in which the model ran.
    pub busy_seconds: f64,
}

/// The scheduler, seen from outside at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// All slots.
    pub slots: Vec<SlotSnapshot>,
    /// Jobs that wait for one.
    pub waiting: usize,
    /// Sums.
    pub totals: Totals,
}

/// What handles and the thread share.
#[derive(Debug)]
struct Shared {
    /// Jobs that were taken and are not done.
    n_jobs: AtomicUsize,
    closing: AtomicBool,
    snapshot: Mutex<Snapshot>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    /// The snapshot; a thread that panicked with it leaves numbers that are merely old.
    fn snapshot(&self) -> MutexGuard<'_, Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A handle of the engine thread. The thread ends when the last handle is gone and all jobs are
/// done, or with [`Scheduler::shutdown`].
#[derive(Debug, Clone)]
pub struct Scheduler {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    n_slots: usize,
    max_queued: usize,
}

impl Scheduler {
    /// Opens the slots and starts the thread. `eos` is the token that ends an answer.
    ///
    /// # Errors
    /// If the model does not know that many positions, or memory is short.
    ///
    /// # Panics
    /// If there is to be no slot, or the system starts no thread.
    pub fn start(
        model: Box<dyn Inference>,
        eos: Option<u32>,
        options: SchedulerOptions,
    ) -> Result<Self> {
        Self::start_with_disk(model, eos, options, None)
    }

    /// [`Scheduler::start`], with conversations on disk: of the same file and roundings as the model.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn start_with_disk(
        mut model: Box<dyn Inference>,
        eos: Option<u32>,
        options: SchedulerOptions,
        disk: Option<DiskKv>,
    ) -> Result<Self> {
        assert!(options.n_slots > 0, "somebody has to answer");
        let slots = thread::open_slots(model.as_mut(), &options)?;
        let shared = Arc::new(Shared {
            n_jobs: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            snapshot: Mutex::default(),
            thread: Mutex::default(),
        });
        let (commands, received) = mpsc::channel();
        let engine = EngineThread::new(model, eos, slots, received, Arc::clone(&shared), disk);
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || engine.run())
            .expect("the system starts threads");
        *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        let SchedulerOptions { n_slots, max_queued, .. } = options;
        Ok(Self { commands, shared, n_slots, max_queued })
    }

    /// Hands in a job. What becomes of it is told to `sink`, errors of the job included.
    ///
    /// # Errors
    /// If it is not taken.
    pub fn submit(&self, job: Job, sink: Sink) -> std::result::Result<(), Busy> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(Busy::Closing);
        }
        let taken = self.shared.n_jobs.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
            (n < self.n_slots + self.max_queued).then_some(n + 1)
        });
        if let Err(n_jobs) = taken {
            return Err(Busy::Full { waiting: n_jobs - self.n_slots });
        }
        let submitted = self.commands.send(Command::Submit(Box::new(job), sink));
        submitted.map_err(|_| Busy::Closing)
    }

    /// Whether jobs are taken: the thread runs and was not told to end.
    pub fn is_running(&self) -> bool {
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner);
        !self.shared.closing.load(Ordering::Acquire)
            && thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// How things stand; at most one step old.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.snapshot().clone()
    }

    /// Takes no more jobs, cancels those there are, saves what is to be saved, and waits for the thread
    /// to end.
    pub fn shutdown(&self) {
        self.shared.closing.store(true, Ordering::Release);
        // Fails if the thread has ended already, which is what is wanted.
        let _ = self.commands.send(Command::Close);
        let thread = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // If it panicked, its message has been printed, and there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}
