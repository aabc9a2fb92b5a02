//! `setup`: how to point coding agents and other clients at the server.
//!
//! `clients` says for each client which files, variables and command it takes; `merge` puts ours
//! into files that hold other settings. Everything is printed; only `--write` touches files, after
//! a copy of each that was there.

mod clients;
mod merge;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use self::clients::{Client, Server, Setup};
use self::merge::{Merged, merge};
use crate::files::{new_temporary_file, read_bounded};
use crate::repl::tokens;

/// Longer settings are not settings.
const MAX_BYTES: u64 = 1 << 24;

#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// Which client; without one, they are listed.
    #[arg(value_name = "CLIENT")]
    client: Option<Client>,

    /// Where the server listens.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    url: String,

    /// What the client calls the model; the server takes any name.
    #[arg(long, value_name = "NAME", default_value = "deepseek-v4-flash")]
    name: String,

    /// A key of the server; one that asks for none takes any.
    #[arg(long, value_name = "K", default_value = "local")]
    api_key: String,

    /// Context that the server was started with, in tokens; clients shorten conversations by it.
    #[arg(long, value_name = "N", value_parser = tokens, default_value = "128k")]
    ctx: usize,

    /// Write the settings into the client's files, keeping what else is in them and a copy.
    #[arg(long)]
    write: bool,
}

pub(crate) fn setup(args: &SetupArgs) -> Result<()> {
    let Some(client) = args.client else { return list() };
    let url = args.url.trim_end_matches('/').trim_end_matches("/v1");
    if !url.starts_with("http://") && !url.starts_with("https://") {
        bail!("{url} is no address of a server; http://127.0.0.1:8000 is one");
    }
    let has_quotes = |text: &str| text.contains(['"', '\'', '\\', '\n', ' ']);
    if [url, &args.name, &args.api_key].into_iter().any(has_quotes) {
        bail!("address, name and key may not hold quotes, backslashes or spaces");
    }
    let server = Server { url, model: &args.name, key: &args.api_key, context: args.ctx };
    let home = dirs::home_dir().context("this system names no home folder")?;
    let setup = client.setup(&server, &home);
    let mut text = String::new();
    if args.write {
        if setup.files.is_empty() {
            bail!("{} keeps no settings in a file; the command line has it all", client.name());
        }
        // First all are merged, so that one that cannot be leaves the others as they were too.
        let merged: Vec<_> =
            setup.files.iter().map(|file| merged(&file.path, file)).collect::<Result<_>>()?;
        for (file, merged) in setup.files.iter().zip(merged) {
            writeln!(text, "{}", write(&file.path, merged)?).expect("strings take any text");
        }
        text += &then(&setup, &server);
    } else {
        text += &describe(client, &setup, &server);
    }
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

fn list() -> Result<()> {
    let mut text = String::new();
    for client in Client::value_variants() {
        writeln!(text, "{:<16} {}", client.name(), client.about()).expect("strings take any text");
    }
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

/// All that a client needs, for reading and copying.
fn describe(client: Client, setup: &Setup, server: &Server<'_>) -> String {
    let mut text = String::new();
    for file in &setup.files {
        writeln!(text, "{}:\n\n{}", file.path.display(), file.text.trim_end())
            .expect("strings take any text");
        text.push('\n');
    }
    if !setup.files.is_empty() {
        writeln!(text, "`ironstar setup {} --write` puts this there.\n", client.name())
            .expect("strings take any text");
    }
    text + &then(setup, server)
}

/// What is to be started.
fn then(setup: &Setup, server: &Server<'_>) -> String {
    let mut text = String::new();
    writeln!(text, "server:  ironstar serve --ctx {}", server.context)
        .expect("strings take any text");
    for line in &setup.before {
        writeln!(text, "once:    {line}").expect("strings take any text");
    }
    writeln!(text, "client:  {}", setup.command).expect("strings take any text");
    for note in &setup.notes {
        writeln!(text, "note:    {note}").expect("strings take any text");
    }
    text
}

fn merged(path: &Path, file: &clients::File) -> Result<Merged> {
    if !path.exists() {
        return Ok(Merged::New(file.text.clone()));
    }
    let bytes = read_bounded(path, MAX_BYTES)?;
    let cannot_merge = || format!("{} stays as it is", path.display());
    let old = String::from_utf8(bytes).with_context(cannot_merge)?;
    merge(file.layout, &old, &file.text).with_context(cannot_merge)
}

/// Writes a file, with a copy of the one that was there, and says what was done.
fn write(path: &Path, merged: Merged) -> Result<String> {
    let cannot_write = || format!("cannot write {}", path.display());
    let (text, backup) = match merged {
        Merged::Same => return Ok(format!("{} has it already", path.display())),
        Merged::New(text) => (text, None),
        Merged::Changed(text) => (text, Some(free_name(path))),
    };
    // A link stays a link: what it names is written.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    fs::create_dir_all(crate::files::folder(&target)).with_context(cannot_write)?;
    if let Some(backup) = &backup {
        fs::copy(&target, backup).with_context(cannot_write)?;
    }
    let mut file = new_temporary_file(&target)?;
    file.write_all(text.as_bytes()).with_context(cannot_write)?;
    if let Ok(data) = target.metadata() {
        fs::set_permissions(file.path(), data.permissions()).with_context(cannot_write)?;
    }
    file.persist(&target).with_context(cannot_write)?;
    Ok(match backup {
        Some(backup) => {
            format!("{} was changed; {} is as it was", path.display(), backup.display())
        }
        None => format!("{} was made", path.display()),
    })
}

/// A name beside a file that no copy has yet.
fn free_name(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = (1..).map(|n| path.with_file_name(format!("{name}.before-ironstar-{n}")));
    let mut names = numbered;
    names.find(|name| !name.exists()).expect("numbers do not end")
}
