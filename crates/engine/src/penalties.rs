//! What is done to logits before a token is drawn from them: penalties for what was there before,
//! and biases.
//!
//! Each token's logit goes through these steps, in this order; `n` is how often the token has been
//! drawn in this answer, its reasoning included:
//!
//! | step | what it does | to which tokens | neutral |
//! |---|---|---|---|
//! | repetition | divides a logit above 0, multiplies one below 0 by `repetition` | those of the prompt and of the answer | 1 |
//! | frequency | subtracts `n · frequency` | those of the answer | 0 |
//! | presence | subtracts `presence` | those of the answer | 0 |
//! | bias | adds the token's bias | those that are listed | none listed |
//!
//! Frequency and presence are `OpenAI`'s, whose formula counts what was sampled and not the prompt.
//! Repetition is the one of the CTRL paper, as transformers and vllm have it: however often a token
//! was there, it counts once. Biases come last, so that they mean what they say whatever was there.
//! What the sampler does with the result stands in its own table.
//!
//! Refuses: deciding which tokens may come at all; that is a constraint's, whose −∞ stays −∞.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// How logits are changed; the module head says what each field does.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalties {
    /// From 0.01 to 100; above 1 what was there becomes less probable, below 1 more.
    pub repetition: f32,
    /// From −2 to 2; above 0 what has been said becomes less probable.
    pub presence: f32,
    /// From −2 to 2, for each time that it has been said.
    pub frequency: f32,
    /// Token ids and what is added to their logits, from −100 to 100. Of an id that stands here
    /// twice, both are added.
    pub bias: Vec<(u32, f32)>,
}

impl Default for Penalties {
    /// Nothing is changed.
    fn default() -> Self {
        Self { repetition: 1.0, presence: 0.0, frequency: 0.0, bias: Vec::new() }
    }
}

impl Penalties {
    /// Whether logits stay as they are.
    pub fn is_neutral(&self) -> bool {
        *self == Self::default()
    }

    /// Checks every field's range, for a vocabulary of `vocab_size` tokens.
    ///
    /// # Errors
    /// If one is outside, or not a number, or a bias is for a token that does not exist.
    pub fn check(&self, vocab_size: usize) -> Result<()> {
        const FROM_MINUS_2_TO_2: &str = "a number from -2 to 2";
        let ranges = [
            ("repetition-penalty", self.repetition, 0.01..=100.0, "a number from 0.01 to 100"),
            ("presence-penalty", self.presence, -2.0..=2.0, FROM_MINUS_2_TO_2),
            ("frequency-penalty", self.frequency, -2.0..=2.0, FROM_MINUS_2_TO_2),
        ];
        let biases = self
            .bias
            .iter()
            .map(|&(_, value)| ("logit-bias", value, -100.0..=100.0, "numbers from -100 to 100"));
        let mut wrong = ranges.into_iter().chain(biases).filter(|it| !it.2.contains(&it.1));
        if let Some((name, value, _, expected)) = wrong.next() {
            return Err(Error::SampleParameter { name, value, expected });
        }
        match self.bias.iter().find(|(token, _)| *token as usize >= vocab_size) {
            Some(&(token, _)) => Err(Error::BiasedToken { token, vocab_size }),
            None => Ok(()),
        }
    }
}

/// Which tokens have been there, and how often each was drawn.
#[derive(Debug, Clone, Default)]
pub struct Occurrences {
    /// 0 for tokens that only the prompt has.
    drawn: HashMap<u32, u32>,
}

impl Occurrences {
    /// Those of a prompt, in front of an answer.
    pub fn of_prompt(prompt: &[u32]) -> Self {
        Self { drawn: prompt.iter().map(|&token| (token, 0)).collect() }
    }

    /// Counts a token that was drawn.
    pub fn push(&mut self, token: u32) {
        *self.drawn.entry(token).or_default() += 1;
    }
}

/// Changes `[vocab_size]` logits as the module head says. Ids outside the vocabulary are passed over.
pub fn penalize(logits: &mut [f32], penalties: &Penalties, occurrences: &Occurrences) {
    let &Penalties { repetition, presence, frequency, ref bias } = penalties;
    for (&token, &n) in &occurrences.drawn {
        let Some(logit) = logits.get_mut(token as usize) else { continue };
        *logit = if *logit > 0.0 { *logit / repetition } else { *logit * repetition };
        if n > 0 {
            *logit -= n as f32 * frequency + presence;
        }
    }
    for &(token, bias) in bias {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit += bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn occurrences(prompt: &[u32], answer: &[u32]) -> Occurrences {
        let mut occurrences = Occurrences::of_prompt(prompt);
        for &token in answer {
            occurrences.push(token);
        }
        occurrences
    }

    /// Oracle: worked out by hand. Token 0 is in the prompt, 1 in the answer twice, 2 in both.
    #[test]
    fn each_step_does_what_the_table_says() {
        let check = |penalties: Penalties, expected: [f32; 4]| {
            let mut logits = [4.0, -2.0, 3.0, 1.0];
            penalize(&mut logits, &penalties, &occurrences(&[0, 2, 0], &[1, 2, 1]));
            assert_eq!(
                logits.map(f32::to_bits),
                expected.map(f32::to_bits),
                "{logits:?} {penalties:?}"
            );
        };
        let neutral = Penalties::default;
        check(neutral(), [4.0, -2.0, 3.0, 1.0]);
        check(Penalties { repetition: 2.0, ..neutral() }, [2.0, -4.0, 1.5, 1.0]);
        check(Penalties { repetition: 0.5, ..neutral() }, [8.0, -1.0, 6.0, 1.0]);
        check(Penalties { presence: 0.5, ..neutral() }, [4.0, -2.5, 2.5, 1.0]);
        check(Penalties { frequency: 0.5, ..neutral() }, [4.0, -3.0, 2.5, 1.0]);
        check(Penalties { frequency: -1.0, ..neutral() }, [4.0, 0.0, 4.0, 1.0]);
        let bias = vec![(3, 100.0), (1, -1.0), (9, 5.0)];
        check(Penalties { bias: bias.clone(), ..neutral() }, [4.0, -3.0, 3.0, 101.0]);
        let all = Penalties { repetition: 2.0, presence: 0.25, frequency: 0.5, bias };
        check(all, [2.0, -6.25, 0.75, 101.0]);
    }

    #[test]
    fn what_cannot_come_stays_away() {
        let penalties =
            Penalties { repetition: 0.01, presence: -2.0, frequency: -2.0, bias: vec![(0, 100.0)] };
        let mut logits = [f32::NEG_INFINITY, 0.0];
        penalize(&mut logits, &penalties, &occurrences(&[0], &[0]));
        assert!(logits[0] == f32::NEG_INFINITY && logits[1].is_finite(), "{logits:?}");
    }

    #[test]
    fn fields_outside_their_range_are_an_error() {
        let check = |penalties: Penalties, told: &str| {
            let error = penalties.check(4).expect_err("outside its range");
            assert!(error.to_string().starts_with(told), "{error}");
        };
        let neutral = Penalties::default;
        assert!(neutral().check(4).is_ok());
        check(Penalties { repetition: 0.0, ..neutral() }, "repetition-penalty is 0");
        check(Penalties { repetition: f32::NAN, ..neutral() }, "repetition-penalty is NaN");
        check(Penalties { presence: 2.1, ..neutral() }, "presence-penalty is 2.1");
        check(Penalties { frequency: -3.0, ..neutral() }, "frequency-penalty is -3");
        check(Penalties { bias: vec![(1, 0.0), (2, 101.0)], ..neutral() }, "logit-bias is 101");
        check(Penalties { bias: vec![(4, 1.0)], ..neutral() }, "a bias is for token 4");
    }

    proptest! {
        /// Oracle: the formulas, for one token at a time and from the lists themselves.
        #[test]
        fn penalties_are_the_formulas(
            logits in prop::collection::vec(-30.0_f32..30.0, 1..20),
            prompt in prop::collection::vec(0_u32..25, 0..30),
            answer in prop::collection::vec(0_u32..25, 0..30),
            (repetition, presence, frequency) in (0.01_f32..=100.0, -2.0_f32..=2.0, -2.0_f32..=2.0),
            bias in prop::collection::vec((0_u32..25, -100.0_f32..=100.0), 0..9),
        ) {
            let penalties = Penalties { repetition, presence, frequency, bias: bias.clone() };
            let mut found = logits.clone();
            penalize(&mut found, &penalties, &occurrences(&prompt, &answer));
            for (token, (found, logit)) in (0_u32..).zip(found.iter().zip(logits)) {
                let n = answer.iter().filter(|&&drawn| drawn == token).count();
                let mut expected = f64::from(logit);
                if n > 0 || prompt.contains(&token) {
                    let factor = f64::from(repetition);
                    expected = if logit > 0.0 { expected / factor } else { expected * factor };
                }
                expected -= n as f64 * f64::from(frequency);
                expected -= if n > 0 { f64::from(presence) } else { 0.0 };
                let biases = bias.iter().filter(|(biased, _)| *biased == token);
                expected += biases.map(|(_, bias)| f64::from(*bias)).sum::<f64>();
                prop_assert!((f64::from(*found) - expected).abs() <= 1e-3, "{found} {expected}");
            }
        }
    }
}
