//! The chores: `cargo xtask check` is everything CI asks of a change, in one command.
//!
//! Three commands, no options:
//!
//! - `check`: format, lints, tidy, docs, tests, fuzz smoke, one line of time for each;
//! - `tidy`: only the house rules that no compiler knows (see [`tidy`]);
//! - `cross`: the platforms we do not own (see [`cross`]).
//!
//! Exit codes: 0 all is well, 1 something failed, 2 the command line was not understood.
//!
//! Refuses: being needed by the product. Nothing depends on this crate.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to the terminal"
)]

mod check;
mod cross;
mod steps;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask check | tidy | cross";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check::run(&workspace_root()),
        ["tidy"] => tidy::run(&workspace_root()),
        ["cross"] => cross::run(&workspace_root()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder that holds the workspace manifest.
fn workspace_root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies directly under the workspace root").to_path_buf()
}
