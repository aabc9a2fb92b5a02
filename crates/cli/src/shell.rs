//! `completions` and `man`: what shells and readers of manuals want, made from the command line's
//! own description.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

const NAME: &str = "ironstar";

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for every command into this folder [default: the main page, to standard output].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs, mut cli: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut cli, NAME, &mut script);
    io::stdout().write_all(&script).context("cannot write the completions")
}

pub(crate) fn man(args: &ManArgs, cli: Command) -> Result<()> {
    let page = |command: Command| {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map(|()| page)
    };
    let Some(folder) = &args.out else {
        let page = page(cli).context("cannot make the page")?;
        return io::stdout().write_all(&page).context("cannot write the page");
    };
    let cannot_write = || format!("cannot write pages to {}", folder.display());
    fs::create_dir_all(folder).with_context(cannot_write)?;
    let commands: Vec<Command> = cli.get_subcommands().cloned().collect();
    for command in std::iter::once(cli).chain(commands) {
        let name = match command.get_name() {
            NAME => NAME.to_owned(),
            sub => format!("{NAME}-{sub}"),
        };
        let title = name.clone();
        let page = page(command.name(title)).with_context(cannot_write)?;
        fs::write(folder.join(format!("{name}.1")), page).with_context(cannot_write)?;
    }
    Ok(())
}
