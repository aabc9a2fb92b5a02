//! The front door: one binary, one subcommand for each thing it does.
//!
//! The way through the room: `args` is what was typed, `settings` what the program needs of it,
//! one module per subcommand does the work through `engine`, and `report` turns whatever went
//! wrong into a sentence and an exit code.
//!
//! Refuses: being needed by anyone.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod convert;
mod disk;
mod env;
mod files;
mod imatrix;
mod inspect;
mod logits;
mod models;
mod places;
mod quantize;
mod render;
mod repl;
mod report;
mod run;
mod serve;
mod settings;
mod terminal;
mod tokenize;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Chat(args) => repl::chat(args),
        Command::Serve(args) => serve::serve(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Tokenize(args) => tokenize::tokenize(args),
        Command::Detokenize(args) => tokenize::detokenize(args),
        Command::Render(args) => render::render(args),
        Command::Logits(args) => logits::logits(args),
        Command::Convert(args) => convert::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Quantize(args) => quantize::quantize(args),
        Command::Imatrix(args) => imatrix::imatrix(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::report(&error, cli.verbose),
    }
}
