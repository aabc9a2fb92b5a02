//! A job that has a slot: what it has drawn, what it has told, what it cost.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use crate::error::{Error, Result};
use crate::penalties::{Occurrences, penalize};
use crate::sampler::Sampler;
use crate::turn::{Statistics, StopReason};

use super::job::{Job, SampledToken, Sink, Update};

/// A job in work.
pub(super) struct Answer {
    pub(super) job: Job,
    sink: Sink,
    sampler: Sampler,
    /// What penalties look at; `None` where they are neutral.
    occurrences: Option<Occurrences>,
    /// Logits that penalties and a constraint have been applied to.
    changed: Vec<f32>,
    pub(super) n_reused: usize,
    pub(super) n_generated: usize,
    /// One for each token of the prompt, where they are wanted.
    prompt_logprobs: Vec<Option<f32>>,
    statistics: Statistics,
    began: Instant,
    /// When the prompt had been run.
    prefilled: Option<Instant>,
}

/// What follows from a row of logits.
pub(super) enum Drawn {
    /// A token to run next.
    Token(SampledToken),
    /// The answer is over.
    End(StopReason),
}

impl Answer {
    /// Begins an answer whose prompt has `n_reused` tokens in KV.
    ///
    /// # Panics
    /// If the job's sampling parameters were not checked.
    pub(super) fn new(job: Job, sink: Sink, n_reused: usize, bytes_per_token: u64) -> Self {
        let sampler = Sampler::new(job.sampling).expect("parameters are checked before");
        let is_penalized = !job.penalties.is_neutral();
        let mut answer = Self {
            occurrences: is_penalized.then(|| Occurrences::of_prompt(&job.prompt)),
            prompt_logprobs: if job.prompt_logprobs { vec![None] } else { Vec::new() },
            job,
            sink,
            sampler,
            changed: Vec::new(),
            n_reused,
            n_generated: 0,
            statistics: Statistics { bytes_per_token, ..Statistics::default() },
            began: Instant::now(),
            prefilled: None,
        };
        answer.tell_prefill();
        answer
    }

    pub(super) fn is_prefilling(&self) -> bool {
        self.prefilled.is_none()
    }

    fn tell_prefill(&mut self) {
        let (reused, done) = (self.n_reused, self.statistics.prefill_tokens);
        let total = self.job.prompt.len() - reused;
        (self.sink)(Update::Prefill { reused, done, total });
    }

    /// Hears that `n` tokens of it have been run.
    pub(super) fn ran(&mut self, n: usize) {
        if !self.is_prefilling() {
            self.statistics.decode_steps += n;
            return;
        }
        self.statistics.prefill_tokens += n;
        self.tell_prefill();
        if self.n_reused + self.statistics.prefill_tokens == self.job.prompt.len() {
            self.prefilled = Some(Instant::now());
            self.statistics.prefill_seconds = self.began.elapsed().as_secs_f64();
            if self.job.prompt_logprobs {
                let logprobs = std::mem::take(&mut self.prompt_logprobs);
                (self.sink)(Update::PromptLogprobs(logprobs));
            }
        }
    }

    /// Takes the logits after a prompt token whose successor in the prompt is `next`.
    pub(super) fn take_prompt_logits(&mut self, logits: &[f32], next: u32) {
        let logprob = logits[next as usize] - log_sum_exp(logits);
        self.prompt_logprobs.push(Some(logprob));
    }

    /// Draws the next token from the logits after the last one.
    pub(super) fn draw(&mut self, logits: &[f32], eos: Option<u32>) -> Result<Drawn> {
        if self.n_generated == self.job.max_tokens {
            return Ok(Drawn::End(StopReason::MaxTokens));
        }
        let allowed = match &mut self.job.constraint {
            Some(constraint) => constraint.allowed()?,
            None => None,
        };
        let id = if allowed.is_none() && self.occurrences.is_none() {
            self.sampler.sample(logits)?
        } else {
            self.changed.clear();
            self.changed.extend_from_slice(logits);
            if let Some(occurrences) = &self.occurrences {
                penalize(&mut self.changed, &self.job.penalties, occurrences);
            }
            if let Some(mask) = allowed {
                mask.apply(&mut self.changed);
            }
            self.sampler.sample(&self.changed)?
        };
        if Some(id) == eos {
            return Ok(Drawn::End(StopReason::EndOfTurn));
        }
        if let Some(constraint) = &mut self.job.constraint {
            constraint.accept(id)?;
        }
        if let Some(occurrences) = &mut self.occurrences {
            occurrences.push(id);
        }
        self.n_generated += 1;
        Ok(Drawn::Token(match self.job.top_logprobs {
            None => SampledToken { id, logprob: None, top: Vec::new() },
            Some(n) => {
                let sum = log_sum_exp(logits);
                let logprob = Some(logits[id as usize] - sum);
                SampledToken { id, logprob, top: most_probable(logits, sum, n) }
            }
        }))
    }

    pub(super) fn tell(&mut self, update: Update) {
        (self.sink)(update);
    }

    /// Ends it.
    pub(super) fn finish(mut self, reason: StopReason) {
        if let Some(prefilled) = self.prefilled {
            self.statistics.decode_seconds = prefilled.elapsed().as_secs_f64();
        } else {
            self.statistics.prefill_seconds = self.began.elapsed().as_secs_f64();
        }
        self.statistics.generated_tokens = self.n_generated;
        (self.sink)(Update::Finished { reason, statistics: self.statistics });
    }

    /// Ends it with an error.
    pub(super) fn fail(mut self, error: Arc<Error>) {
        (self.sink)(Update::Failed(error));
    }
}

/// `ln Σ exp(logit)`, in f64 relative to the largest logit.
fn log_sum_exp(logits: &[f32]) -> f32 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&x| f64::from(x - largest).exp()).sum();
    (f64::from(largest) + sum.ln()) as f32
}

/// The `n` tokens of the largest logits, the lower id first among equals.
fn most_probable(logits: &[f32], log_sum_exp: f32, n: usize) -> Vec<(u32, f32)> {
    if n == 0 {
        return Vec::new();
    }
    let order = |a: &(u32, f32), b: &(u32, f32)| match b.1.total_cmp(&a.1) {
        Ordering::Equal => a.0.cmp(&b.0),
        unequal => unequal,
    };
    let mut tokens: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
    if n < tokens.len() {
        tokens.select_nth_unstable_by(n - 1, order);
        tokens.truncate(n);
    }
    tokens.sort_unstable_by(order);
    for (_, logit) in &mut tokens {
        *logit -= log_sum_exp;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use crate::cancel::CancelToken;
    use crate::penalties::Penalties;
    use crate::sampler::SampleParams;

    use super::*;

    /// Oracle: worked out by hand. Each draw takes 0.4 off the token it took.
    #[test]
    fn penalties_count_what_the_answer_has_drawn() {
        let draws = |penalties: Penalties, prompt: &[u32]| {
            let job = Job {
                prompt: prompt.to_vec(),
                sampling: SampleParams::greedy(),
                penalties,
                max_tokens: 9,
                top_logprobs: Some(0),
                prompt_logprobs: false,
                constraint: None,
                cancel: CancelToken::new(),
            };
            let mut answer = Answer::new(job, Box::new(|_| {}), 0, 0);
            let mut draw = || match answer.draw(&[1.0, 0.5, 0.0], None).expect("finite logits") {
                Drawn::Token(token) => token,
                Drawn::End(reason) => panic!("{reason:?}"),
            };
            let tokens: Vec<SampledToken> = (0..6).map(|_| draw()).collect();
            // Log probabilities are those of the model.
            let own: Vec<f32> = tokens.iter().filter_map(|token| token.logprob).collect();
            let sum = log_sum_exp(&[1.0, 0.5, 0.0]);
            let logit = |token: &SampledToken| [1.0, 0.5, 0.0][token.id as usize];
            assert!(tokens.iter().zip(own).all(|(it, own)| (logit(it) - sum - own).abs() < 1e-6));
            tokens.iter().map(|token| token.id).collect::<Vec<_>>()
        };
        let frequency = || Penalties { frequency: 0.4, ..Penalties::default() };
        assert_eq!(draws(Penalties::default(), &[0]), [0; 6]);
        assert_eq!(draws(frequency(), &[0, 0, 0]), [0, 0, 1, 0, 1, 2]);
        let presence = Penalties { presence: 0.6, ..Penalties::default() };
        assert_eq!(draws(presence, &[0]), [0, 1, 0, 0, 0, 0]);
        let repetition = Penalties { repetition: 4.0, ..Penalties::default() };
        assert_eq!(draws(repetition, &[0]), [1, 0, 0, 0, 0, 0]);
        let bias = Penalties { bias: vec![(2, 100.0)], ..frequency() };
        assert_eq!(draws(bias, &[]), [2; 6]);
    }

    /// Oracle: probabilities 4/16, 1/16, 8/16, 2/16, 1/16, as logarithms worked out by hand.
    #[test]
    fn log_probabilities_are_of_the_whole_vocabulary() {
        let logits: Vec<f32> = [4.0_f32, 1.0, 8.0, 2.0, 1.0].iter().map(|w| w.ln() + 9.0).collect();
        let sum = log_sum_exp(&logits);
        let found = most_probable(&logits, sum, 4);
        let expected = [(2, 0.5_f32), (0, 0.25), (3, 0.125), (1, 0.0625)];
        for ((token, logprob), (expected, probability)) in found.into_iter().zip(expected) {
            assert_eq!(token, expected);
            assert!((logprob - probability.ln()).abs() < 1e-5, "{token}: {logprob}");
        }
        assert!(most_probable(&logits, sum, 0).is_empty());
        assert_eq!(most_probable(&logits, sum, 99).len(), 5);
    }
}
