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
mod cache;
mod config;
mod convert;
mod disk;
mod doctor;
mod download;
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
mod setup;
mod shell;
mod terminal;
mod tokenize;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser as _};

use crate::args::{Cli, Command};

fn main() -> ExitCode {
    // Help and wrong usage do not wait for a configuration; what is fine is read again with one.
    let mut cli = Cli::parse();
    if !matches!(cli.command, Command::Config(_)) {
        let verbose = cli.verbose;
        cli = match config::apply(Cli::command()) {
            Ok(command) => {
                Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
            }
            Err(error) => return report::report(&error, verbose),
        };
    }
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
        Command::Doctor(args) => doctor::doctor(args),
        Command::Download(args) => download::download(args),
        Command::Models(args) => download::models(args),
        Command::Setup(args) => setup::setup(args),
        Command::Config(args) => config::config(args, &Cli::command()),
        Command::Completions(args) => shell::completions(args, Cli::command()),
        Command::Man(args) => shell::man(args, Cli::command()),
        Command::Quantize(args) => quantize::quantize(args),
        Command::Imatrix(args) => imatrix::imatrix(args),
        Command::Cache(args) => cache::cache(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::report(&error, cli.verbose),
    }
}
