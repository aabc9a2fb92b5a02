//! Speed by length of context: prefill to a frontier, decode there, on to the next one.
//!
//! One pass is one timeline, as a long conversation would be: at each frontier the tokens since
//! the last one are prefilled and timed, then some are decoded greedily and timed. What decode
//! adds is part of the timeline, so the next interval is shorter by it.
//!
//! Refuses: repeats, files, plots.

use std::time::Instant;

use backend::KernelTime;
use model::{Extend, Inference, LogitsWanted, MemoryPlan, SlotId};

use crate::cancel::CancelToken;
use crate::error::{Error, Result};
use crate::session::check_context;

/// What a pass measures.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Contexts at which decode is measured, in tokens, ascending.
    pub frontiers: Vec<usize>,
    /// Tokens to decode at each, at least 1.
    pub decode_tokens: usize,
    /// The prompt; it is repeated where it is too short. Not empty.
    pub tokens: Vec<u32>,
    /// If KV below each frontier is made up: the last tokens before it, at least 1, that are
    /// prefilled all the same.
    pub made_up: Option<usize>,
    /// Whether kernels are timed one by one, where the backend can. Rates are lower then.
    pub time_kernels: bool,
}

/// What a pass measured at one frontier.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    /// Tokens in KV when decode began.
    pub context: usize,
    /// Tokens prefilled since the frontier before.
    pub prefill_tokens: usize,
    /// Time they took.
    pub prefill_seconds: f64,
    /// Tokens decoded.
    pub decode_tokens: usize,
    /// Time they took.
    pub decode_seconds: f64,
    /// Bytes of compressed rows and index rows in KV when decode began.
    pub kv_bytes: u64,
    /// What kernels took in prefill and in decode; empty unless they were timed.
    pub kernels: [Vec<KernelTime>; 2],
}

impl BenchOptions {
    /// Tokens that a pass puts into KV.
    pub fn context(&self) -> usize {
        self.frontiers.last().map_or(0, |last| last + self.decode_tokens)
    }

    /// Most tokens that a pass prefills one after the other, at least 1: no batch needs room for more.
    pub fn largest_prefill(&self) -> usize {
        let mut filled = 0;
        let gaps = self.frontiers.iter().map(|&frontier| {
            let gap = self.made_up.unwrap_or(frontier - filled.min(frontier)).min(frontier);
            filled = frontier + self.decode_tokens;
            gap
        });
        gaps.max().unwrap_or(0).max(1)
    }

    /// Checks that each interval has room for the decoded tokens of the frontier before.
    ///
    /// # Errors
    /// If it has not, or there is no frontier, no prompt or nothing to decode.
    pub fn check(&self) -> Result<()> {
        let mut filled = 0;
        for &frontier in &self.frontiers {
            if frontier <= filled {
                return Err(Error::Frontier { frontier, filled });
            }
            filled = frontier + self.decode_tokens;
        }
        if self.tokens.is_empty() || self.frontiers.is_empty() || self.decode_tokens == 0 {
            return Err(Error::EmptyPrompt);
        }
        Ok(())
    }
}

/// Runs one pass in a slot of its own.
///
/// `on_tokens` hears how many of [`BenchOptions::context`] are done. A cancelled pass ends between
/// chunks, with the frontiers that it reached.
///
/// # Errors
/// If the options contradict themselves, the context is longer than the model knows, memory is
/// short or the model fails.
pub fn bench(
    model: &mut dyn Inference,
    options: &BenchOptions,
    cancel: &CancelToken,
    on_tokens: &mut dyn FnMut(usize),
) -> Result<Vec<Frontier>> {
    options.check()?;
    check_context(model.geometry(), options.context())?;
    let slot = model.open_slot(options.context())?;
    model.time_kernels(options.time_kernels);
    let mut pass = Pass { model, slot, options, n_tokens: 0, logits: Vec::new(), on_tokens };
    let result = pass.frontiers(cancel);
    model.time_kernels(false);
    model.close_slot(slot);
    result
}

/// A pass under way.
struct Pass<'a> {
    model: &'a mut dyn Inference,
    slot: SlotId,
    options: &'a BenchOptions,
    n_tokens: usize,
    logits: Vec<f32>,
    on_tokens: &'a mut dyn FnMut(usize),
}

impl Pass<'_> {
    fn frontiers(&mut self, cancel: &CancelToken) -> Result<Vec<Frontier>> {
        let mut frontiers = Vec::new();
        for &context in &self.options.frontiers {
            if let Some(n_prefilled) = self.options.made_up {
                self.make_up(context - n_prefilled.min(context))?;
            }
            let first = self.n_tokens;
            let start = Instant::now();
            while self.n_tokens < context {
                if cancel.is_cancelled() {
                    return Ok(frontiers);
                }
                self.prefill(context)?;
            }
            let prefill_seconds = start.elapsed().as_secs_f64();
            let prefill_kernels = self.model.kernel_times()?;
            let start = Instant::now();
            for _ in 0..self.options.decode_tokens {
                self.decode()?;
            }
            frontiers.push(Frontier {
                context,
                prefill_tokens: context - first,
                prefill_seconds,
                decode_tokens: self.options.decode_tokens,
                decode_seconds: start.elapsed().as_secs_f64(),
                kernels: [prefill_kernels, self.model.kernel_times()?],
                kv_bytes: MemoryPlan::stored_bytes(self.model.geometry(), context),
            });
        }
        Ok(frontiers)
    }

    /// Replaces the slot by one that looks as if it held `n_tokens`.
    fn make_up(&mut self, n_tokens: usize) -> Result<()> {
        self.model.close_slot(self.slot);
        self.slot = self.model.open_slot(self.options.context())?;
        self.model.fill(self.slot, n_tokens);
        self.n_tokens = n_tokens;
        Ok(())
    }

    /// Runs the next chunk of the prompt.
    fn prefill(&mut self, end: usize) -> Result<()> {
        let n = self.model.max_batch().min(end - self.n_tokens);
        let prompt =
            self.options.tokens.iter().cycle().skip(self.n_tokens % self.options.tokens.len());
        let tokens: Vec<u32> = prompt.take(n).copied().collect();
        let wanted =
            if self.n_tokens + n == end { LogitsWanted::Last } else { LogitsWanted::Nothing };
        self.extend(&tokens, wanted)
    }

    /// Runs the most probable token.
    fn decode(&mut self) -> Result<()> {
        let best = self.logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let (token, _) = best.expect("prefill left the logits of its last token");
        self.extend(&[token as u32], LogitsWanted::Last)
    }

    fn extend(&mut self, tokens: &[u32], wanted: LogitsWanted) -> Result<()> {
        let extend = Extend { slot: self.slot, tokens, logits: wanted };
        let logits = &mut self.logits;
        self.model.extend(&[extend], &mut |_, _, row| {
            logits.clear();
            logits.extend_from_slice(row);
        })?;
        self.n_tokens += tokens.len();
        (self.on_tokens)(self.n_tokens);
        Ok(())
    }
}
