//! Running a case under a law and remembering what failed.
//!
//! A [`Case`] is an op with inputs for a number of logical rows (tokens). It can run them in any
//! *arrangement*, a list of batches that together hold every row once, and always returns its
//! outputs in the order of the rows. So one description answers three questions: is the result the
//! reference's, is it the same twice, and does it depend on what else was in the batch.

use std::error::Error;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::GroupOutcome;
use super::limits::Limit;
use super::metrics::{distance, ulps};
use crate::ops::Backend;
use crate::reference::Reference;

/// Batches that together hold the rows `0 .. n_rows` of a case once each.
pub(super) type Arrangement = Vec<Vec<usize>>;

/// Outputs of a case, or why there are none.
pub(super) type Outcome = Result<Vec<Output>, Box<dyn Error>>;

/// One result of an op.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) name: &'static str,
    pub(super) values: Values,
    pub(super) limit: Limit,
}

/// Values of an output by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Floats(Vec<Vec<f32>>),
    Bytes(Vec<Vec<u8>>),
    Ids(Vec<Vec<usize>>),
}

impl Output {
    pub(super) fn floats(name: &'static str, rows: Vec<Vec<f32>>, limit: Limit) -> Self {
        Self { name, values: Values::Floats(rows), limit }
    }

    pub(super) fn bytes(name: &'static str, rows: Vec<Vec<u8>>, limit: Limit) -> Self {
        Self { name, values: Values::Bytes(rows), limit }
    }

    pub(super) fn ids(name: &'static str, rows: Vec<Vec<usize>>) -> Self {
        Self { name, values: Values::Ids(rows), limit: Limit::Exact }
    }
}

/// An op with inputs.
pub(super) trait Case: Debug {
    fn op(&self) -> &'static str;

    fn n_rows(&self) -> usize;

    /// Arrangements to try; the first holds all rows in one batch.
    fn arrangements(&self) -> Vec<Arrangement> {
        independent_rows(self.n_rows())
    }

    /// Runs the op; outputs are in the order of the rows, whatever the arrangement.
    fn run<B: Backend>(&self, backend: &mut B, arrangement: &Arrangement) -> Outcome;
}

/// Arrangements for ops whose rows do not depend on each other: all at once, all in reverse, in
/// two parts, one by one.
fn independent_rows(n: usize) -> Vec<Arrangement> {
    let all: Vec<usize> = (0..n).collect();
    if n == 1 {
        return vec![vec![all]];
    }
    let reversed = all.iter().rev().copied().collect();
    let (head, tail) = all.split_at(n.div_ceil(3));
    let parts = vec![head.to_vec(), tail.to_vec()];
    let singles = all.iter().map(|i| vec![*i]).collect();
    vec![vec![all], vec![reversed], parts, singles]
}

/// Arrangements for ops that take tokens in order: all at once, in sevens, one by one, and with
/// one long chunk between two short ones.
pub(super) fn ordered_rows(n: usize) -> Vec<Arrangement> {
    let chunks = |sizes: &[usize]| {
        let (mut rest, mut arrangement) = (0..n, Vec::new());
        for size in sizes.iter().cycle() {
            let chunk: Vec<usize> = rest.by_ref().take(*size).collect();
            if chunk.is_empty() {
                break;
            }
            arrangement.push(chunk);
        }
        arrangement
    };
    vec![chunks(&[n]), chunks(&[7]), chunks(&[1]), chunks(&[3, 129, 1])]
}

/// Runs `op` batch by batch and puts the rows of its outputs in the order of the case.
pub(super) fn by_batch(
    arrangement: &Arrangement,
    mut op: impl FnMut(&[usize]) -> Outcome,
) -> Outcome {
    let n_rows = arrangement.iter().map(Vec::len).sum();
    let mut outputs: Option<Vec<Output>> = None;
    for batch in arrangement {
        let found = op(batch)?;
        let outputs = outputs.get_or_insert_with(|| {
            found.iter().map(|o| Output { values: o.values.blank(n_rows), ..o.clone() }).collect()
        });
        for (output, found) in outputs.iter_mut().zip(found) {
            output.values.place(found.values, batch);
        }
    }
    Ok(outputs.unwrap_or_default())
}

impl Values {
    fn blank(&self, n_rows: usize) -> Self {
        match self {
            Self::Floats(_) => Self::Floats(vec![Vec::new(); n_rows]),
            Self::Bytes(_) => Self::Bytes(vec![Vec::new(); n_rows]),
            Self::Ids(_) => Self::Ids(vec![Vec::new(); n_rows]),
        }
    }

    fn place(&mut self, from: Self, batch: &[usize]) {
        match (self, from) {
            (Self::Floats(to), Self::Floats(from)) => place(to, from, batch),
            (Self::Bytes(to), Self::Bytes(from)) => place(to, from, batch),
            (Self::Ids(to), Self::Ids(from)) => place(to, from, batch),
            _ => panic!("an output has one kind of values"),
        }
    }
}

fn place<T>(to: &mut [T], from: Vec<T>, batch: &[usize]) {
    assert_eq!(from.len(), batch.len(), "an output has a row for each row of the batch");
    for (row, index) in from.into_iter().zip(batch) {
        to[*index] = row;
    }
}

/// What a result is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Law {
    /// The reference's result, within limits, in every arrangement; twice the same bits.
    Reference,
    /// The backend's own result for one batch, bit by bit, in every arrangement.
    BatchInvariance,
}

/// Runs cases once each, against the reference.
pub(super) fn agree<B: Backend, C: Case>(backend: &mut B, cases: &[C]) -> Result<(), String> {
    for case in cases {
        let outcome = |error: Box<dyn Error>| chain(error.as_ref());
        let arrangement = &case.arrangements()[0];
        let found = case.run(backend, arrangement).map_err(outcome)?;
        let expected = case.run(&mut Reference, arrangement).map_err(outcome)?;
        compare(&expected, &found).map_err(|failure| format!("{}: {failure}", case.op()))?;
    }
    Ok(())
}

/// Runs cases on one backend and collects failures.
pub(super) struct Checker<F, B> {
    make: F,
    backend: Option<B>,
    law: Law,
    n_cases: usize,
    failures: Vec<String>,
}

impl<F: FnMut() -> Result<B, String>, B: Backend> Checker<F, B> {
    pub(super) fn new(make: F, law: Law) -> Self {
        Self { make, backend: None, law, n_cases: 0, failures: Vec::new() }
    }

    /// Runs every case under the checker's law.
    pub(super) fn check_all<C: Case>(&mut self, cases: &[C]) {
        for case in cases {
            self.n_cases += 1;
            if let Err(failure) = self.check(case) {
                self.failures.push(format!("{}: {failure}\n    in {case:?}", case.op()));
            }
        }
    }

    fn check<C: Case>(&mut self, case: &C) -> Result<(), String> {
        let arrangements = case.arrangements();
        let first = self.attempt(case, &arrangements[0])?;
        if self.law == Law::Reference {
            let expected = case
                .run(&mut Reference, &arrangements[0])
                .map_err(|error| format!("the reference failed: {error}"))?;
            compare(&expected, &first)?;
            let again = self.attempt(case, &arrangements[0])?;
            same_bits(&first, &again).map_err(|e| format!("the same input again: {e}"))?;
            for (i, arrangement) in arrangements.iter().enumerate().skip(1) {
                let found = self.attempt(case, arrangement)?;
                compare(&expected, &found).map_err(|e| format!("arrangement {i}: {e}"))?;
            }
        } else {
            for (i, arrangement) in arrangements.iter().enumerate().skip(1) {
                let found = self.attempt(case, arrangement)?;
                same_bits(&first, &found).map_err(|e| format!("arrangement {i}: {e}"))?;
            }
        }
        Ok(())
    }

    /// Runs the case; a panic is a failure, after which the backend is made anew.
    fn attempt<C: Case>(
        &mut self,
        case: &C,
        arrangement: &Arrangement,
    ) -> Result<Vec<Output>, String> {
        let mut backend = self.backend.take().map_or_else(&mut self.make, Ok)?;
        // The backend is dropped if it panicked, so no broken state is seen.
        let outcome = catch_unwind(AssertUnwindSafe(|| case.run(&mut backend, arrangement)));
        match outcome {
            Ok(outcome) => {
                self.backend = Some(backend);
                outcome.map_err(|error| chain(error.as_ref()))
            }
            Err(panic) => {
                let message = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied());
                Err(format!("panicked: {}", message.unwrap_or("no message")))
            }
        }
    }

    /// Ends the run.
    pub(super) fn outcome(self) -> GroupOutcome {
        GroupOutcome { n_cases: self.n_cases, failures: self.failures }
    }

    /// Ends the run.
    ///
    /// # Panics
    /// If a case failed, with the list of all that did.
    pub(super) fn finish(self) {
        let n_failures = self.failures.len();
        assert!(
            n_failures == 0,
            "{n_failures} of {} conformance cases failed:\n\n{}\n",
            self.n_cases,
            self.failures.join("\n\n")
        );
    }
}

fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| Error::source(*cause));
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn compare(expected: &[Output], found: &[Output]) -> Result<(), String> {
    for (e, f) in expected.iter().zip(found) {
        compare_output(e, f).map_err(|difference| format!("output `{}` {difference}", e.name))?;
    }
    Ok(())
}

fn compare_output(expected: &Output, found: &Output) -> Result<(), String> {
    match (&expected.values, &found.values, found.limit) {
        (Values::Floats(e), Values::Floats(f), limit) => {
            check_floats(&e.concat(), &f.concat(), limit)
        }
        (Values::Bytes(e), Values::Bytes(f), Limit::Codes { layout, share, nmse }) => {
            let (e, f) = (e.concat(), f.concat());
            let n_different = e.iter().zip(&f).filter(|(e, f)| e != f).count();
            if n_different as f64 > share * e.len() as f64 {
                return Err(format!("has {n_different} other bytes of {}", e.len()));
            }
            let unpack = |bytes: &[u8]| {
                let mut row = vec![0.0; layout.width];
                let rows = bytes.chunks_exact(layout.row_bytes());
                rows.flat_map(|bytes| {
                    layout.unpack(bytes, &mut row);
                    row.clone()
                })
                .collect::<Vec<f32>>()
            };
            // One flipped code may be far from its neighbours: only the mean is bounded.
            let limit = Limit::Near { nmse, max: f64::MAX, unit: 0.0 };
            check_floats(&unpack(&e), &unpack(&f), limit)
        }
        (e, f, _) if e == f => Ok(()),
        (e, f, _) => Err(first_difference(e, f)),
    }
}

fn check_floats(expected: &[f32], found: &[f32], limit: Limit) -> Result<(), String> {
    if expected.len() != found.len() {
        return Err(format!("has {} values, not {}", found.len(), expected.len()));
    }
    let pairs = || expected.iter().zip(found).enumerate();
    match limit {
        Limit::Near { nmse, max, unit } => {
            let apart = distance(expected, found, unit);
            if apart.nmse <= nmse && apart.max <= max {
                return Ok(());
            }
            Err(format!(
                "is off by nmse {:.2e} (limit {nmse:.1e}), max {:.2e} (limit {max:.1e})",
                apart.nmse, apart.max
            ))
        }
        Limit::Ulps(limit) => {
            match pairs().map(|(i, (e, f))| (ulps(*e, *f), i)).max().filter(|(far, _)| *far > limit)
            {
                None => Ok(()),
                Some((far, i)) => Err(format!(
                    "value {i} is {}, not {}: {far} floats off (limit {limit})",
                    found[i], expected[i]
                )),
            }
        }
        Limit::Exact | Limit::Codes { .. } => {
            match pairs().find(|(_, (e, f))| ulps(**e, **f) > 0) {
                None => Ok(()),
                Some((i, (e, f))) => Err(format!("value {i} is {f:e}, must be {e:e}")),
            }
        }
    }
}

fn same_bits(first: &[Output], found: &[Output]) -> Result<(), String> {
    for (a, b) in first.iter().zip(found) {
        let same = match (&a.values, &b.values) {
            (Values::Floats(a), Values::Floats(b)) => {
                a.concat().iter().map(|v| v.to_bits()).eq(b.concat().iter().map(|v| v.to_bits()))
            }
            (a, b) => a == b,
        };
        if !same {
            let difference = first_difference(&a.values, &b.values);
            return Err(format!("output `{}` has other bits, {difference}", a.name));
        }
    }
    Ok(())
}

/// Where two outputs part, in words.
fn first_difference(expected: &Values, found: &Values) -> String {
    fn words<T: Debug + PartialEq>(expected: &[Vec<T>], found: &[Vec<T>]) -> String {
        for (row, (e, f)) in expected.iter().zip(found).enumerate() {
            if let Some(i) = (0..e.len().max(f.len())).find(|i| e.get(*i) != f.get(*i)) {
                return format!(
                    "row {row}, value {i} is {:?}, must be {:?}",
                    f.get(i).as_slice(),
                    e.get(i).as_slice()
                );
            }
        }
        format!("{} rows instead of {}, or zeros of another sign", found.len(), expected.len())
    }
    match (expected, found) {
        (Values::Floats(e), Values::Floats(f)) => words(e, f),
        (Values::Bytes(e), Values::Bytes(f)) => words(e, f),
        (Values::Ids(e), Values::Ids(f)) => words(e, f),
        _ => "another kind of values".to_owned(),
    }
}
