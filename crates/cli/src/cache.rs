//! `cache`: conversations that are kept on disk, listed, checked, thinned out, carried elsewhere.
//!
//! Works on a directory while a server uses it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytesize::ByteSize;
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, HumanDuration};
use kv_store::{Directory, DirectoryOptions, FrontierKind, Io as _, Prefix, SystemIo};
use serde_json::{Value, json};

use crate::files::{check_output, new_temporary_file};
use crate::report::sentence;
use crate::terminal::entries_bar;

/// Digits of an id that are shown, and enough to tell ids apart.
const SHOWN_DIGITS: usize = 12;
/// Fewer digits would be an accident.
const MIN_DIGITS: usize = 4;

#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, Subcommand)]
enum CacheCommand {
    /// List the prefixes that can be restored, the one that would be evicted last first.
    Ls {
        #[command(flatten)]
        dir: DirArgs,

        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one prefix.
    Show {
        #[command(flatten)]
        dir: DirArgs,

        /// The prefix, by the first digits of its id.
        #[arg(value_name = "ID")]
        id: String,

        /// Write its tokens, a JSON array, which `detokenize` turns into text.
        #[arg(long)]
        tokens: bool,
    },
    /// Read every file and check it. Damaged ones are moved aside.
    Verify {
        #[command(flatten)]
        dir: DirArgs,
    },
    /// Remove damaged files and what cannot be restored, then what is worth least.
    Prune {
        #[command(flatten)]
        dir: DirArgs,

        /// Keep at most so much, such as 500MB or 20GiB; 0 removes everything.
        #[arg(long, value_name = "SIZE")]
        size: Option<ByteSize>,
    },
    /// Write a prefix to a file, to be taken to another machine.
    Export {
        #[command(flatten)]
        dir: DirArgs,

        /// The prefix, by the first digits of its id.
        #[arg(value_name = "ID")]
        id: String,

        /// File to write.
        #[arg(value_name = "OUT")]
        out: PathBuf,

        /// Replace the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Store an exported prefix, after all of it has been checked.
    ///
    /// A model finds it there if it is the one that it was exported from.
    Import {
        #[command(flatten)]
        dir: DirArgs,

        /// File to read.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct DirArgs {
    /// Directory of conversations, as given to `serve`.
    #[arg(long, value_name = "DIR")]
    kv_dir: PathBuf,
}

pub(crate) fn cache(args: &CacheArgs) -> Result<()> {
    match &args.command {
        CacheCommand::Ls { dir, json } => list(&dir.open()?, *json),
        CacheCommand::Show { dir, id, tokens } => show(&dir.open()?, id, *tokens),
        CacheCommand::Verify { dir } => verify(&dir.open()?),
        CacheCommand::Prune { dir, size } => prune(&dir.open()?, *size),
        CacheCommand::Export { dir, id, out, force } => export(&dir.open()?, id, out, *force),
        CacheCommand::Import { dir, file } => import(dir, file),
    }
}

impl DirArgs {
    /// Opens the directory, which has to be there.
    fn open(&self) -> Result<Directory> {
        let path = &self.kv_dir;
        ensure!(path.join("entries").is_dir(), "{} is no KV store", path.display());
        self.open_or_make()
    }

    fn open_or_make(&self) -> Result<Directory> {
        // How large it may be is the server's business.
        let options = DirectoryOptions { budget_bytes: u64::MAX, compress: false };
        Ok(Directory::open(&self.kv_dir, options)?)
    }
}

fn list(directory: &Directory, as_json: bool) -> Result<()> {
    let prefixes = directory.prefixes();
    let mut out = io::stdout().lock();
    if as_json {
        let prefixes: Vec<Value> = prefixes.iter().map(to_json).collect();
        let all = json!({
            "bytes": directory.bytes(),
            "entries": directory.n_entries(),
            "damaged": directory.n_damaged(),
            "prefixes": prefixes,
        });
        return writeln!(out, "{all:#}").context("cannot write the list");
    }
    let mut text = String::new();
    if !prefixes.is_empty() {
        text.push_str("id            model     ends at        tokens        size         own  hits  last used\n");
    }
    for prefix in &prefixes {
        let id = prefix.id.to_string();
        let line = format!(
            "{}  {}  {:<13} {:>8} {:>11} {:>11} {:>5}  {}\n",
            &id[..SHOWN_DIGITS],
            prefix.fingerprint.short(),
            kind_text(prefix.kind),
            prefix.n_tokens,
            HumanBytes(prefix.bytes).to_string(),
            HumanBytes(prefix.own_bytes).to_string(),
            prefix.hits,
            age(prefix.last_used),
        );
        text.push_str(&line);
    }
    let (n_prefixes, n_files) = (prefixes.len(), directory.n_entries());
    let bytes = HumanBytes(directory.bytes());
    writeln!(out, "{text}{n_prefixes} prefixes, {n_files} files, {bytes}")
        .context("cannot write the list")
}

fn show(directory: &Directory, id: &str, tokens: bool) -> Result<()> {
    let prefix = find(directory, id)?;
    let mut out = io::stdout().lock();
    if tokens {
        let tokens = directory.tokens(&prefix)?;
        return writeln!(out, "{}", json!(tokens)).context("cannot write the tokens");
    }
    let text = format!(
        "id         {}\nmodel      {}\nends at    {}\ntokens     {}\nsize       {}\n\
         own        {} that nothing else needs\nhits       {}\nmade       {}\nlast used  {}\n",
        prefix.id,
        prefix.fingerprint,
        kind_text(prefix.kind),
        prefix.n_tokens,
        HumanBytes(prefix.bytes),
        HumanBytes(prefix.own_bytes),
        prefix.hits,
        age(prefix.created),
        age(prefix.last_used),
    );
    out.write_all(text.as_bytes()).context("cannot write the summary")
}

fn verify(directory: &Directory) -> Result<()> {
    let bar = entries_bar("checking", directory.n_entries() as u64);
    let n_before = directory.n_damaged();
    let errors = directory.verify(|| bar.inc(1));
    bar.finish_and_clear();
    let n_entries = directory.n_entries();
    if errors.is_empty() && n_before == 0 {
        return writeln!(io::stdout(), "{n_entries} files are sound").context("cannot write");
    }
    for error in &errors {
        let cause = sentence(&anyhow::anyhow!("{error}"));
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        writeln!(io::stderr(), "{cause}: {source}").context("cannot write to standard error")?;
    }
    bail!(
        "{} damaged files are set aside, {n_entries} files are sound; what is damaged is computed \
         again when it is wanted",
        directory.n_damaged()
    )
}

fn prune(directory: &Directory, size: Option<ByteSize>) -> Result<()> {
    let (n_before, before) = (directory.n_entries(), directory.bytes());
    let keep = size.map_or(u64::MAX, |size| size.as_u64());
    directory.prune(keep).context("cannot remove everything")?;
    let n_removed = n_before - directory.n_entries();
    let freed = HumanBytes(before - directory.bytes());
    let left = HumanBytes(directory.bytes());
    writeln!(io::stdout(), "{n_removed} files removed, {freed} freed, {left} left")
        .context("cannot write the summary")
}

fn export(directory: &Directory, id: &str, out: &Path, force: bool) -> Result<()> {
    check_output(out, force)?;
    let prefix = find(directory, id)?;
    let mut file = new_temporary_file(out)?;
    directory.export(prefix.id, BufWriter::new(file.as_file_mut()))?;
    file.as_file()
        .sync_all()
        .and_then(|()| Ok(file.persist(out)?))
        .with_context(|| format!("cannot write {}", out.display()))?;
    writeln!(io::stdout(), "{} tokens, {}", prefix.n_tokens, HumanBytes(prefix.bytes))
        .context("cannot write the summary")
}

fn import(dir: &DirArgs, path: &Path) -> Result<()> {
    let cannot = || format!("cannot import {}", path.display());
    let file = File::open(path).with_context(cannot)?;
    let mut file = BufReader::new(file);
    // Before the directory is made for a file that is none.
    kv_store::check_export(&mut file).with_context(cannot)?;
    let directory = dir.open_or_make()?;
    io::Seek::rewind(&mut file).with_context(cannot)?;
    let imported = directory.import(file).with_context(cannot)?;
    let id = imported.id.to_string();
    let model = imported.fingerprint.short();
    writeln!(io::stdout(), "{}  {} tokens of model {model}", &id[..SHOWN_DIGITS], imported.n_tokens)
        .context("cannot write the summary")
}

/// The only prefix whose id begins like that.
fn find(directory: &Directory, digits: &str) -> Result<Prefix> {
    ensure!(digits.len() >= MIN_DIGITS, "{digits:?} is too short for an id; `cache ls` shows ids");
    let prefixes = directory.prefixes();
    let mut found = prefixes.into_iter().filter(|p| p.id.to_string().starts_with(digits));
    let first = found.next();
    let first =
        first.with_context(|| format!("no prefix has an id that begins with {digits:?}"))?;
    ensure!(found.next().is_none(), "several ids begin with {digits:?}; give more digits");
    Ok(first)
}

fn to_json(prefix: &Prefix) -> Value {
    json!({
        "id": prefix.id.to_string(),
        "fingerprint": prefix.fingerprint.to_string(),
        "kind": match prefix.kind {
            FrontierKind::TurnEnd => "turn_end",
            FrontierKind::SystemPrompt => "system_prompt",
            FrontierKind::Interval => "interval",
        },
        "tokens": prefix.n_tokens,
        "bytes": prefix.bytes,
        "own_bytes": prefix.own_bytes,
        "hits": prefix.hits,
        "created": prefix.created,
        "last_used": prefix.last_used,
    })
}

fn kind_text(kind: FrontierKind) -> &'static str {
    match kind {
        FrontierKind::TurnEnd => "turn end",
        FrontierKind::SystemPrompt => "system prompt",
        FrontierKind::Interval => "interval",
    }
}

fn age(time: u64) -> String {
    let seconds = SystemIo.now().saturating_sub(time);
    format!("{} ago", HumanDuration(Duration::from_secs(seconds)))
}
