//! A list of steps, run one after the other, with one line of time for each.
//!
//! A failing step does not stop the next: whoever reads the log wants everything that is wrong,
//! not the first thing. Output of the programs that a step runs goes straight to the terminal, so
//! their own closing lines (a test runner's summary, say) stay in the log.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How one step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed(String),
}

/// What a finished step leaves behind for the summary.
struct Finished {
    name: String,
    ending: Ending,
    took: Duration,
}

/// The steps of one chore and how they ended.
#[derive(Default)]
pub(crate) struct Steps {
    finished: Vec<Finished>,
}

impl Steps {
    /// Runs one step and prints how it ended and how long it took.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) {
        println!("---- {name}");
        let start = Instant::now();
        let ending = match step() {
            Ok(()) => Ending::Passed,
            Err(error) => Ending::Failed(format!("{error:#}")),
        };
        let finished = Finished { name: name.to_owned(), ending, took: start.elapsed() };
        println!("{}", line(&finished));
        self.finished.push(finished);
    }

    /// Prints the summary.
    ///
    /// # Errors
    /// When any step failed, naming all that did.
    pub(crate) fn finish(self) -> Result<()> {
        println!("---- summary");
        for finished in &self.finished {
            println!("{}", line(finished));
        }
        let total: Duration = self.finished.iter().map(|finished| finished.took).sum();
        let failed: Vec<&str> = self
            .finished
            .iter()
            .filter(|finished| finished.ending != Ending::Passed)
            .map(|finished| finished.name.as_str())
            .collect();
        if failed.is_empty() {
            println!("all {} steps passed in {:.1} s", self.finished.len(), total.as_secs_f64());
            return Ok(());
        }
        bail!("{} of {} steps failed: {}", failed.len(), self.finished.len(), failed.join(", "))
    }
}

fn line(finished: &Finished) -> String {
    let seconds = finished.took.as_secs_f64();
    match &finished.ending {
        Ending::Passed => format!("ok     {seconds:7.1} s  {}", finished.name),
        Ending::Failed(why) => format!("FAILED {seconds:7.1} s  {}: {why}", finished.name),
    }
}

/// Runs a program to its end with this terminal as its own.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("could not start {program}"))?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_step_hides_no_other_and_fails_the_whole() {
        let mut steps = Steps::default();
        let mut later_ran = false;
        steps.run("first", || bail!("it broke"));
        steps.run("second", || {
            later_ran = true;
            Ok(())
        });
        assert!(later_ran);
        let error = steps.finish().expect_err("one step failed").to_string();
        assert_eq!(error, "1 of 2 steps failed: first");
    }

    #[test]
    fn all_passing_steps_pass() {
        let mut steps = Steps::default();
        steps.run("only", || Ok(()));
        assert!(steps.finish().is_ok());
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        let error = succeed(Command::new("cargo").arg("--no-such-flag")).expect_err("it fails");
        assert!(error.to_string().starts_with("cargo ended with"), "{error}");
    }
}
