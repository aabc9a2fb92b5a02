//! `download` and `models`: published model files, from the Hugging Face Hub to this machine.
//!
//! `catalogue` lists the files by the names that `-m` takes, `hub` speaks HTTP, `fetch` brings a
//! file over in pieces and checks it, `shelf` is where files lie: the Hub's own cache folder, so
//! that a file which another program downloaded is found and not fetched again.
//!
//! Refuses: files that are not in the catalogue, and anything that cannot be checked.

mod catalogue;
mod fetch;
mod hub;
mod listing;
mod shelf;

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use engine::Machine;
use indicatif::HumanBytes;

use self::catalogue::{Entry, Kind};
use self::fetch::Fetch;
use self::hub::Hub;
use self::shelf::Shelf;
use crate::args::positive;

#[derive(Debug, Args)]
pub(crate) struct DownloadArgs {
    /// Which file; without one, the files are listed and which of them fit this machine.
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Server to ask [default: the Hugging Face Hub].
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT")]
    endpoint: Option<String>,

    /// Parts of the file that are fetched at once.
    #[arg(long, value_name = "N", value_parser = positive, default_value = "4")]
    connections: usize,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List the published files, which of them are here, and which fit this machine.
    Ls,
    /// Delete a downloaded file, or what there is of it.
    Rm {
        /// Which file.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(crate) fn download(args: &DownloadArgs) -> Result<()> {
    let shelf = Shelf::open()?;
    let Some(name) = &args.name else { return listing::list(&shelf) };
    let entry = Entry::named(name)?;
    if let Some(path) = shelf.find(entry) {
        return note(&format!("{} is here already: {}", entry.name, path.display()));
    }
    if let Some(machine) = Machine::now() {
        listing::warn_if_large(entry, &machine)?;
    }
    let hub = Hub::new(args.endpoint.as_deref(), shelf.token());
    let remote = hub.look_up(entry)?;
    note(&format!("{}: {} of {}", entry.name, HumanBytes(remote.size), entry.file))?;
    let path =
        Fetch { hub: &hub, shelf: &shelf, entry, remote: &remote, n_connections: args.connections }
            .run()?;
    note(&match entry.kind {
        Kind::Model => {
            format!("checked and ready: `ironstar chat -m {}` ({})", entry.name, path.display())
        }
        Kind::Companion => format!("checked and ready: {}", path.display()),
    })
}

pub(crate) fn models(args: &ModelsArgs) -> Result<()> {
    let shelf = Shelf::open()?;
    match &args.command {
        ModelsCommand::Ls => listing::list(&shelf),
        ModelsCommand::Rm { name } => {
            let entry = Entry::named(name)?;
            let freed = shelf.remove(entry)?;
            note(&format!("{} is gone; {} are free again", entry.name, HumanBytes(freed)))
        }
    }
}

/// The file of a name that `-m` was given, if the catalogue has it.
///
/// # Errors
/// If it has, but the file is not here.
pub(crate) fn downloaded(name: &str) -> Result<Option<PathBuf>> {
    let Ok(entry) = Entry::named(name) else { return Ok(None) };
    let path = Shelf::open()?.find(entry);
    let path = path.ok_or(NotHere { name: entry.name })?;
    Ok(Some(path))
}

/// The best downloaded model that this machine has memory for, else the smallest; none if there is
/// none.
pub(crate) fn best_downloaded() -> Option<(&'static str, PathBuf)> {
    let shelf = Shelf::open().ok()?;
    let here = || Entry::models().filter_map(|entry| Some((entry, shelf.find(entry)?)));
    let machine = Machine::now();
    let fits = |entry: &Entry| machine.as_ref().is_none_or(|machine| listing::fits(entry, machine));
    let best = here().filter(|(entry, _)| fits(entry)).last().or_else(|| here().next());
    best.map(|(entry, path)| (entry.name, path))
}

/// A published file that was asked for by name and is not on this machine.
#[derive(Debug)]
pub(crate) struct NotHere {
    pub(crate) name: &'static str,
}

impl std::fmt::Display for NotHere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the model {} is not on this machine", self.name)
    }
}

impl std::error::Error for NotHere {}

fn note(text: &str) -> Result<()> {
    writeln!(io::stderr(), "{text}").context("cannot write to standard error")
}
