//! The contexts at which decode is measured, as they are typed: numbers, and ranges of them.

use std::str::FromStr;

use crate::repl::tokens;

/// More contexts than this are a slip of the hand.
const MOST: usize = 10_000;

/// One item of `--ctx`: `8192`, `2k..64k*2` or `0..32k+4k`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frontiers(pub(super) Vec<usize>);

impl FromStr for Frontiers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((first, rest)) = text.split_once("..") else {
            return Ok(Self(vec![tokens(text)?]));
        };
        // A range may begin at nothing, which is no context: its first step is.
        let first = if first.trim() == "0" { 0 } else { tokens(first)? };
        let (last, step) = match rest.find(['+', '*']) {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "*2"),
        };
        let last = tokens(last)?;
        let number = tokens(&step[1..])?;
        let next: Box<dyn Fn(usize) -> Option<usize>> = if step.starts_with('+') {
            Box::new(move |context| context.checked_add(number))
        } else if number == 1 || first == 0 {
            return Err("a range that multiplies needs a start and a factor above 1".to_owned());
        } else {
            Box::new(move |context| context.checked_mul(number))
        };
        let contexts = std::iter::successors(Some(first), |context| next(*context));
        let contexts =
            contexts.take_while(|context| *context <= last).filter(|context| *context > 0);
        let contexts: Vec<usize> = contexts.take(MOST + 1).collect();
        match contexts.len() {
            0 => Err("the range holds no context".to_owned()),
            n if n > MOST => Err(format!("the range holds more than {MOST} contexts")),
            _ => Ok(Self(contexts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_add_or_multiply() {
        let check = |text: &str, expected: &[usize]| {
            assert_eq!(text.parse(), Ok(Frontiers(expected.to_vec())), "{text}");
        };
        check("512", &[512]);
        check("2k", &[2048]);
        check("1k..8k*2", &[1024, 2048, 4096, 8192]);
        check("1k..9k", &[1024, 2048, 4096, 8192]);
        check("0..32k+8k", &[8192, 16384, 24576, 32768]);
        check("100..350+100", &[100, 200, 300]);
        check("3..100*10", &[3, 30]);
    }

    #[test]
    fn ranges_without_an_end_are_refused() {
        for text in
            ["", "x", "0", "0..8k*2", "1..8*1", "8k..4k*2", "1..1m+1", "1..2+0", "..", "1..2-1"]
        {
            assert!(text.parse::<Frontiers>().is_err(), "{text}");
        }
    }
}
