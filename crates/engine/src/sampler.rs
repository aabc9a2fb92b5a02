//! From logits to the next token: a pure function of logits, parameters and a seeded generator.
//!
//! What happens to a row of logits, in this order:
//!
//! | step | keeps | neutral value |
//! |---|---|---|
//! | top-k | the `top_k` largest logits | 0 |
//! | temperature | everything; `probability ∝ exp(logit / temperature)` over what top-k kept | 1 |
//! | top-p | the most probable tokens, up to and including the one that brings their sum to `top_p` | 1 |
//! | min-p | tokens at least `min_p` times as probable as the most probable one | 0 |
//! | draw | one token, with probabilities scaled to a sum of 1 | |
//!
//! Top-p measures its sum before min-p removes anything. Each step keeps the first few tokens of
//! one order — larger logit first, and of equal ones the lower id — so the most probable token
//! always stays. A temperature of 0 is greedy: that token is taken, and no random number is drawn.
//!
//! Defaults: temperature 1 and top-p 1 are the vendor's (model specification section g), min-p
//! 0.05 is what cuts the long tail of quantised weights.
//!
//! Penalties and biases come before all of this, see [`penalize`](crate::penalize).
//!
//! Refuses: logits that are NaN or +∞, with an error. −∞ is a token that never comes.

use std::cmp::Ordering;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::error::{Error, Result};

/// Sampling parameters; the module head says what each one does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleParams {
    /// Divides the logits, 0 or more; 0 is greedy.
    pub temperature: f32,
    /// Number of candidates; 0 for all.
    pub top_k: usize,
    /// Probability mass of the candidates, above 0 and at most 1.
    pub top_p: f32,
    /// Least probability relative to the best candidate, from 0 to 1.
    pub min_p: f32,
    /// Seed of the generator.
    pub seed: u64,
}

impl Default for SampleParams {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.05, seed: 0 }
    }
}

impl SampleParams {
    /// Takes the most probable token, always.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Checks every parameter's range.
    ///
    /// # Errors
    /// If one is outside, or not a number.
    pub fn check(&self) -> Result<()> {
        let checks = [
            (
                "temperature",
                self.temperature,
                self.temperature >= 0.0 && self.temperature.is_finite(),
                "a number that is not negative",
            ),
            (
                "top-p",
                self.top_p,
                self.top_p > 0.0 && self.top_p <= 1.0,
                "a number above 0 and at most 1",
            ),
            ("min-p", self.min_p, (0.0..=1.0).contains(&self.min_p), "a number from 0 to 1"),
        ];
        match checks.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((name, value, _, expected)) => {
                Err(Error::SampleParameter { name, value, expected })
            }
            None => Ok(()),
        }
    }
}

/// A token that may be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its id.
    pub token: u32,
    /// Its probability; those of all candidates sum to 1.
    pub probability: f64,
}

/// Sampling parameters with a generator in some state.
#[derive(Debug, Clone)]
pub struct Sampler {
    params: SampleParams,
    rng: Xoshiro256PlusPlus,
    /// Room for the candidates of a draw: megabytes where all of a vocabulary are.
    candidates: Vec<Weighted>,
}

impl Sampler {
    /// A sampler at the beginning of its random numbers.
    ///
    /// # Errors
    /// If a parameter is outside its range.
    pub fn new(params: SampleParams) -> Result<Self> {
        params.check()?;
        let rng = Xoshiro256PlusPlus::seed_from_u64(params.seed);
        Ok(Self { params, rng, candidates: Vec::new() })
    }

    /// Draws the next token from `[vocab_size]` logits.
    ///
    /// # Errors
    /// If a logit is NaN or +∞, or none is above −∞.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32> {
        let best = best_token(logits)?;
        if self.params.temperature == 0.0 {
            return Ok(best);
        }
        let sum =
            keep_candidates(&mut self.candidates, logits, logits[best as usize], &self.params);
        // The 53 upper bits are a uniform number of [0, 1) in f64.
        let mut left = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        for candidate in &self.candidates {
            left -= candidate.weight / sum;
            if left < 0.0 {
                return Ok(candidate.token);
            }
        }
        // Rounding can leave the sum a hair below 1.
        Ok(self.candidates.last().map_or(best, |candidate| candidate.token))
    }
}

/// A token with its weight: the probability times an unknown constant.
#[derive(Debug, Clone, Copy)]
struct Weighted {
    token: u32,
    logit: f32,
    weight: f64,
}

fn best_first(a: &Weighted, b: &Weighted) -> Ordering {
    b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token))
}

/// The tokens that may follow and their probabilities, in an order that depends on nothing but the
/// arguments.
///
/// # Errors
/// If a parameter is outside its range, a logit is NaN or +∞, or none is above −∞.
pub fn distribution(logits: &[f32], params: &SampleParams) -> Result<Vec<Candidate>> {
    params.check()?;
    let best = best_token(logits)?;
    if params.temperature == 0.0 {
        return Ok(vec![Candidate { token: best, probability: 1.0 }]);
    }
    let mut candidates = Vec::new();
    let sum = keep_candidates(&mut candidates, logits, logits[best as usize], params);
    let probability = |c: &Weighted| Candidate { token: c.token, probability: c.weight / sum };
    Ok(candidates.iter().map(probability).collect())
}

/// Leaves the tokens that may follow in `candidates`, and returns the sum of their weights. `best` is the
/// largest logit, and the temperature is not 0.
fn keep_candidates(
    candidates: &mut Vec<Weighted>,
    logits: &[f32],
    best: f32,
    params: &SampleParams,
) -> f64 {
    weigh(candidates, logits, best, params);
    if params.top_k > 0 && params.top_k < candidates.len() {
        candidates.select_nth_unstable_by(params.top_k - 1, best_first);
        candidates.truncate(params.top_k);
        // The selection leaves them in an order of its own.
        candidates.sort_unstable_by(best_first);
    }
    if params.top_p < 1.0 {
        keep_top_p(candidates, f64::from(params.top_p));
    }
    // The best token's weight is 1.
    candidates.retain(|candidate| candidate.weight >= f64::from(params.min_p));
    candidates.iter().map(|candidate| candidate.weight).sum()
}

/// Weights of tokens relative to the best one, in id order: of all, except those that min-p is certain
/// to remove where no other step asks for them. A vocabulary of exponentials takes a millisecond.
fn weigh(candidates: &mut Vec<Weighted>, logits: &[f32], best: f32, params: &SampleParams) {
    let (best, temperature) = (f64::from(best), f64::from(params.temperature));
    let is_certain = params.top_k == 0 && params.top_p >= 1.0;
    // A little more than is needed, so that the weight itself decides at the border.
    let least = best + temperature * (f64::from(params.min_p).ln() - 1e-6);
    let least = if is_certain { (least as f32).next_down() } else { f32::NEG_INFINITY };
    let weight = |logit: f32| ((f64::from(logit) - best) / temperature).exp();
    let tokens = (0..).zip(logits).filter(|(_, logit)| **logit >= least);
    candidates.clear();
    candidates.extend(tokens.map(|(token, &logit)| Weighted {
        token,
        logit,
        weight: weight(logit),
    }));
}

/// Cuts to the shortest beginning, best first, that holds the share `top_p` of all weight.
fn keep_top_p(candidates: &mut Vec<Weighted>, top_p: f64) {
    let sum: f64 = candidates.iter().map(|candidate| candidate.weight).sum();
    // All tokens below this together weigh less than what top-p leaves out, so none of them is
    // kept; sorting the few others is what makes this affordable for a whole vocabulary.
    let negligible = (1.0 - top_p) * sum / candidates.len() as f64;
    candidates.retain(|candidate| candidate.weight >= negligible);
    candidates.sort_unstable_by(best_first);
    let mut held = 0.0;
    let last = candidates.iter().position(|candidate| {
        held += candidate.weight;
        held >= top_p * sum
    });
    if let Some(last) = last {
        candidates.truncate(last + 1);
    }
}

/// Logits that are looked at side by side.
const LANES: usize = 16;

/// The token of the largest logit, the lowest id of equal ones.
fn best_token(logits: &[f32]) -> Result<u32> {
    let (mut largest, mut is_wrong) = ([f32::NEG_INFINITY; LANES], [false; LANES]);
    for chunk in logits.chunks(LANES) {
        for ((largest, is_wrong), &value) in largest.iter_mut().zip(&mut is_wrong).zip(chunk) {
            *largest = if value > *largest { value } else { *largest };
            *is_wrong |= value.is_nan() || value == f32::INFINITY;
        }
    }
    let wrong = |(_, value): &(u32, &f32)| value.is_nan() || **value == f32::INFINITY;
    if is_wrong.contains(&true)
        && let Some((token, &value)) = (0..).zip(logits).find(wrong)
    {
        return Err(Error::Logits { token, value });
    }
    let value = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let best = (0..).zip(logits).find(|(_, logit)| **logit >= value);
    let best = best.filter(|_| value > f32::NEG_INFINITY);
    best.map(|(token, _)| token).ok_or(Error::Logits { token: 0, value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params(temperature: f32, top_k: usize, top_p: f32, min_p: f32) -> SampleParams {
        SampleParams { temperature, top_k, top_p, min_p, seed: 0 }
    }

    /// Oracle: probabilities worked out by hand; logits are logarithms of the weights.
    #[test]
    fn filters_keep_what_the_table_says() {
        let logits: Vec<f32> = [4.0_f32, 1.0, 8.0, 2.0, 1.0].iter().map(|w| w.ln()).collect();
        let check = |params: SampleParams, expected: &[(u32, f64)]| {
            let mut found = distribution(&logits, &params).expect("finite logits");
            found.sort_by_key(|candidate| candidate.token);
            assert_eq!(found.len(), expected.len(), "{params:?} gave {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert_eq!(found.token, expected.0, "{params:?}");
                assert!((found.probability - expected.1).abs() < 1e-6, "{params:?}: {found:?}");
            }
        };
        let all = [(0, 0.25), (1, 0.0625), (2, 0.5), (3, 0.125), (4, 0.0625)];
        check(params(1.0, 0, 1.0, 0.0), &all);
        check(params(1.0, 9, 1.0, 0.0), &all);
        check(params(0.0, 0, 1.0, 0.0), &[(2, 1.0)]);
        check(params(1.0, 2, 1.0, 0.0), &[(0, 1.0 / 3.0), (2, 2.0 / 3.0)]);
        // Of the equal tokens 1 and 4, the lower id is kept.
        check(
            params(1.0, 4, 1.0, 0.0),
            &[(0, 4.0 / 15.0), (1, 1.0 / 15.0), (2, 8.0 / 15.0), (3, 2.0 / 15.0)],
        );
        // Halving the temperature squares the weights: 16, 1, 64, 4, 1.
        check(params(0.5, 3, 1.0, 0.0), &[(0, 16.0 / 84.0), (2, 64.0 / 84.0), (3, 4.0 / 84.0)]);
        check(params(1.0, 0, 0.49, 0.0), &[(2, 1.0)]);
        check(params(1.0, 0, 0.51, 0.0), &[(0, 1.0 / 3.0), (2, 2.0 / 3.0)]);
        check(params(1.0, 0, 1.0, 0.2), &[(0, 2.0 / 7.0), (2, 4.0 / 7.0), (3, 1.0 / 7.0)]);
        check(params(1.0, 0, 1.0, 1.0), &[(2, 1.0)]);
        // Top-p measures what top-k kept: 8 of 12 reach 0.6, though they are half of everything.
        check(params(1.0, 2, 0.6, 0.0), &[(2, 1.0)]);
        // Top-p measures before min-p removes: 0.75 of everything is reached with token 0.
        check(params(1.0, 0, 0.75, 0.4), &[(0, 1.0 / 3.0), (2, 2.0 / 3.0)]);
    }

    #[test]
    fn unusable_logits_are_an_error() {
        let check = |logits: &[f32], token: u32| {
            for params in [SampleParams::greedy(), SampleParams::default()] {
                let error = Sampler::new(params)
                    .expect("valid parameters")
                    .sample(logits)
                    .expect_err("unusable logits");
                assert!(matches!(error, Error::Logits { token: found, .. } if found == token));
            }
        };
        check(&[0.0, f32::NAN], 1);
        check(&[f32::NAN, f32::NAN], 0);
        check(&[1.0, 2.0, f32::INFINITY], 2);
        check(&[f32::NEG_INFINITY, f32::NEG_INFINITY], 0);
        check(&[], 0);
    }

    #[test]
    fn parameters_outside_their_range_are_an_error() {
        let check = |params: SampleParams, name: &str| {
            let error = Sampler::new(params).expect_err("outside its range");
            assert!(error.to_string().starts_with(name), "{error}");
        };
        check(params(-0.1, 0, 1.0, 0.0), "temperature is -0.1");
        check(params(f32::NAN, 0, 1.0, 0.0), "temperature is NaN");
        check(params(f32::INFINITY, 0, 1.0, 0.0), "temperature is inf");
        check(params(1.0, 0, 0.0, 0.0), "top-p is 0");
        check(params(1.0, 0, 1.1, 0.0), "top-p is 1.1");
        check(params(1.0, 0, 1.0, -1.0), "min-p is -1");
        check(params(1.0, 0, f32::NAN, 0.0), "top-p is NaN");
    }

    /// Oracle: the χ² distribution. With 7 degrees of freedom, 24.3 is exceeded once in a thousand.
    #[test]
    fn draws_follow_the_distribution() {
        const DRAWS: usize = 100_000;
        let logits = [0.3, -1.2, 2.0, 0.0, 1.1, -0.4, 0.9, 1.7];
        let params = SampleParams { min_p: 0.0, seed: 11, ..SampleParams::default() };
        let mut sampler = Sampler::new(params).expect("valid parameters");
        let mut counts = [0_usize; 8];
        for _ in 0..DRAWS {
            counts[sampler.sample(&logits).expect("finite logits") as usize] += 1;
        }
        let expected = distribution(&logits, &params).expect("finite logits");
        let chi_squared: f64 = expected
            .iter()
            .map(|candidate| {
                let expected = candidate.probability * DRAWS as f64;
                (counts[candidate.token as usize] as f64 - expected).powi(2) / expected
            })
            .sum();
        assert!(chi_squared < 24.3, "χ² is {chi_squared} for {counts:?}");
    }

    fn logits() -> impl Strategy<Value = Vec<f32>> {
        let logit = prop_oneof![
            8 => -30.0_f32..30.0,
            2 => (-3_i8..3).prop_map(f32::from),
            1 => Just(f32::NEG_INFINITY),
        ];
        prop::collection::vec(logit, 1..200)
            .prop_filter("some token is possible", |l| l.iter().any(|l| l.is_finite()))
    }

    fn any_params() -> impl Strategy<Value = SampleParams> {
        let top_k = prop_oneof![0_usize..30, Just(0)];
        let top_p = prop_oneof![0.001_f32..=1.0, Just(1.0)];
        (0.01_f32..4.0, top_k, top_p, 0.0_f32..=1.0, any::<u64>()).prop_map(
            |(temperature, top_k, top_p, min_p, seed)| SampleParams {
                temperature,
                top_k,
                top_p,
                min_p,
                seed,
            },
        )
    }

    /// The table of the module head, literally: everything sorted, nothing skipped.
    fn plain_distribution(logits: &[f32], params: &SampleParams) -> Vec<Candidate> {
        let mut order: Vec<u32> = (0..logits.len() as u32).collect();
        order.sort_by(|a, b| {
            let (x, y) = (logits[*a as usize], logits[*b as usize]);
            y.partial_cmp(&x).expect("no NaN").then(a.cmp(b))
        });
        if params.top_k > 0 {
            order.truncate(params.top_k);
        }
        let best = f64::from(logits[order[0] as usize]);
        let temperature = f64::from(params.temperature);
        let weight = |t: &u32| ((f64::from(logits[*t as usize]) - best) / temperature).exp();
        let sum: f64 = order.iter().map(weight).sum();
        let mut held = 0.0;
        let mut kept = Vec::new();
        for token in order {
            if held < f64::from(params.top_p) * sum && weight(&token) >= f64::from(params.min_p) {
                kept.push(token);
            }
            held += weight(&token);
        }
        let sum: f64 = kept.iter().map(weight).sum();
        kept.iter()
            .map(|token| Candidate { token: *token, probability: weight(token) / sum })
            .collect()
    }

    proptest! {
        #[test]
        fn distribution_is_the_table_of_the_module_head(
            logits in logits(),
            params in any_params(),
        ) {
            let mut found = distribution(&logits, &params).expect("usable logits");
            let sum: f64 = found.iter().map(|candidate| candidate.probability).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9);
            found.retain(|candidate| candidate.probability > 0.0);
            let mut expected = plain_distribution(&logits, &params);
            expected.retain(|candidate| candidate.probability > 0.0);
            found.sort_by_key(|candidate| candidate.token);
            expected.sort_by_key(|candidate| candidate.token);
            let tokens = |list: &[Candidate]| -> Vec<u32> {
                list.iter().map(|candidate| candidate.token).collect()
            };
            // Sums in another order may differ in their last bit, and with them where top-p ends.
            prop_assert!(tokens(&found).len().abs_diff(tokens(&expected).len()) <= 1);
            if found.len() == expected.len() {
                prop_assert_eq!(tokens(&found), tokens(&expected));
                for (found, expected) in found.iter().zip(&expected) {
                    prop_assert!((found.probability - expected.probability).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn a_seed_fixes_every_draw(logits in logits(), params in any_params()) {
            let draws = || {
                let mut sampler = Sampler::new(params).expect("valid parameters");
                (0..20).map(|_| sampler.sample(&logits).expect("usable")).collect::<Vec<_>>()
            };
            let tokens = draws();
            prop_assert_eq!(&tokens, &draws());
            let candidates = distribution(&logits, &params).expect("usable logits");
            for token in tokens {
                prop_assert!(candidates.iter().any(|candidate| candidate.token == token));
                prop_assert!(logits[token as usize] > f32::NEG_INFINITY);
            }
        }

        #[test]
        fn greedy_takes_the_lowest_id_of_the_largest(logits in logits()) {
            let token = Sampler::new(SampleParams::greedy())
                .expect("valid parameters")
                .sample(&logits)
                .expect("usable") as usize;
            prop_assert!(logits.iter().all(|logit| *logit <= logits[token]));
            prop_assert!(logits[..token].iter().all(|logit| *logit < logits[token]));
        }
    }
}
