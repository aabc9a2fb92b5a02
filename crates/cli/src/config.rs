//! The configuration file: what is not typed each time.
//!
//! A key is a long flag without its dashes. In the section of a command it is for that command; at
//! the top it is for every command that has the flag. What is typed counts before what the
//! environment says (`IRONSTAR_` and the flag in capitals), that before the file, and the file
//! before what is built in: the file's values become the defaults of the flags.
//!
//! Refuses: keys that no flag has, and values that the flag would refuse.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Args, Command, Subcommand};
use toml::{Table, Value};

use crate::{env, files, places};

const MAX_BYTES: u64 = 1 << 20;

/// The commands that the file is for.
const COMMANDS: [&str; 4] = ["run", "chat", "serve", "download"];

/// Flags that are for one occasion, or that contradict one another.
const NOT_HERE: [&str; 8] =
    ["help", "version", "verbose", "prompt", "file", "think", "nothink", "resume"];

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the configuration file and show what it says.
    Check {
        /// Another file than the one that is used.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// List the keys that the file may have.
    Keys,
}

/// One line of the file: a flag of a command, and what it says.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    command: &'static str,
    flag: String,
    values: Vec<String>,
}

/// Runs `config`.
pub(crate) fn config(args: &ConfigArgs, cli: &Command) -> Result<()> {
    let text = match &args.command {
        ConfigCommand::Check { file } => check(file.as_deref(), cli)?,
        ConfigCommand::Keys => keys(cli),
    };
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

fn check(file: Option<&Path>, cli: &Command) -> Result<String> {
    let path = match file {
        Some(path) => path.to_owned(),
        None => places::config()?,
    };
    if !path.exists() {
        bail!("there is no {}; every flag has its built-in default", path.display());
    }
    let settings = read(&path, cli)?;
    let mut text = format!("{} is fine\n", path.display());
    for Setting { command, flag, values } in settings {
        writeln!(text, "{command} --{flag} {}", values.join(","))?;
    }
    Ok(text)
}

fn keys(cli: &Command) -> String {
    let section = |name: &&str| {
        let flags: Vec<_> = flags_of(cli, name).filter_map(Arg::get_long).collect();
        format!("[{name}] {}\n", flags.join(" "))
    };
    COMMANDS.iter().map(section).collect()
}

/// The command line with the file's values and the environment's names as its defaults.
pub(crate) fn apply(mut cli: Command) -> Result<Command> {
    for command in COMMANDS {
        let flags: Vec<_> = flags_of(&cli, command).map(|flag| flag.get_id().clone()).collect();
        for id in flags {
            let with_variable = |flag: Arg| match (flag.get_env(), flag.get_long()) {
                (None, Some(long)) => {
                    let name = env::flag_variable(long);
                    flag.env(name).hide_env(true)
                }
                _ => flag,
            };
            cli = cli.mut_subcommand(command, |sub| sub.mut_arg(id, with_variable));
        }
    }
    let path = places::config()?;
    if !path.exists() && env::config_file().is_none() {
        return Ok(cli);
    }
    for Setting { command, flag, values } in read(&path, &cli)? {
        let id = flags_of(&cli, command)
            .find(|known| known.get_long() == Some(&flag))
            .map(|known| known.get_id().clone())
            .expect("the file was checked");
        cli = cli
            .mut_subcommand(command, |sub| sub.mut_arg(id, |known| known.default_values(values)));
    }
    Ok(cli)
}

/// Flags of a command that the file may set.
fn flags_of<'a>(cli: &'a Command, command: &str) -> impl Iterator<Item = &'a Arg> {
    let command = cli.find_subcommand(command);
    let flags = command.into_iter().flat_map(Command::get_arguments);
    flags.filter(|flag| flag.get_long().is_some_and(|long| !NOT_HERE.contains(&long)))
}

fn read(path: &Path, cli: &Command) -> Result<Vec<Setting>> {
    let cannot_use = || format!("cannot use the configuration {}", path.display());
    let text = String::from_utf8(files::read_bounded(path, MAX_BYTES)?).with_context(cannot_use)?;
    parse(&text, cli).with_context(cannot_use)
}

fn parse(text: &str, cli: &Command) -> Result<Vec<Setting>> {
    let table: Table = text.parse()?;
    let (mut general, mut special) = (Vec::new(), Vec::new());
    for (key, value) in &table {
        match (value, COMMANDS.iter().find(|command| *command == key)) {
            (Value::Table(section), Some(command)) => {
                for (key, value) in section {
                    special.push(setting(cli, command, key, value)?.ok_or_else(|| {
                        let known = flags_of(cli, command).filter_map(Arg::get_long);
                        anyhow!("[{command}] has no key `{key}`{}", nearest(key, known))
                    })?);
                }
            }
            (Value::Table(_), None) => {
                bail!("there is no section [{key}]{}", nearest(key, COMMANDS.into_iter()))
            }
            _ => {
                let n_before = general.len();
                for command in COMMANDS {
                    general.extend(setting(cli, command, key, value)?);
                }
                if general.len() == n_before {
                    let known = COMMANDS.iter().flat_map(|command| flags_of(cli, command));
                    let known = known.filter_map(Arg::get_long).chain(COMMANDS);
                    bail!("there is no key `{key}`{}", nearest(key, known));
                }
            }
        }
    }
    // What is said for one command counts before what is said for all.
    let is_overruled = |general: &Setting| {
        special.iter().any(|s| (s.command, &s.flag) == (general.command, &general.flag))
    };
    general.retain(|setting| !is_overruled(setting));
    general.extend(special);
    Ok(general)
}

/// A checked value; `None` if the command has no such flag.
fn setting(
    cli: &Command,
    command: &'static str,
    key: &str,
    value: &Value,
) -> Result<Option<Setting>> {
    let Some(flag) = flags_of(cli, command).find(|flag| flag.get_long() == Some(key)) else {
        return Ok(None);
    };
    let values = match value {
        Value::Array(items) => items.iter().map(plain).collect::<Option<Vec<_>>>(),
        value => plain(value).map(|text| vec![text]),
    };
    let values =
        values.with_context(|| format!("`{key}` is neither text, number, yes-or-no nor a list"))?;
    let is_switch = matches!(flag.get_action(), ArgAction::SetTrue);
    let typed: Vec<String> = if is_switch {
        if !matches!(value, Value::Boolean(_)) {
            bail!("`{key}` is {value}, expected true or false");
        }
        Vec::new()
    } else {
        values.iter().map(|value| format!("--{key}={value}")).collect()
    };
    let sub = cli.find_subcommand(command).expect("it has the flag").clone();
    let line = std::iter::once(command.to_owned()).chain(typed);
    match sub.try_get_matches_from(line) {
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {}
        Err(error) => {
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default();
            bail!("[{command}] {}", first.trim_start_matches("error: "));
        }
        Ok(_) => {}
    }
    Ok(Some(Setting { command, flag: key.to_owned(), values }))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// A suggestion for a mistyped key.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> String {
    let best = known.min_by_key(|name| strsim::damerau_levenshtein(key, name));
    best.map_or(String::new(), |name| format!("; the nearest is `{name}`"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    fn parsed(text: &str) -> Result<Vec<(String, String)>> {
        let settings = parse(text, &Cli::command())?;
        let line = |s: Setting| (format!("{} {}", s.command, s.flag), s.values.join(","));
        Ok(settings.into_iter().map(line).collect())
    }

    #[test]
    fn keys_are_flags_at_the_top_or_in_a_section() {
        let found = parsed("ctx = 4096\n[serve]\nport = 9000\nctx = 8192\n[chat]\nfold = true\n");
        let expected = [
            ("run ctx", "4096"),
            ("chat ctx", "4096"),
            ("serve port", "9000"),
            ("serve ctx", "8192"),
            ("chat fold", "true"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut found = found.expect("it is fine");
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn mistakes_are_named_with_what_is_near() {
        let check = |text: &str, expected: &str| {
            let error = format!("{:#}", parsed(text).expect_err("it is wrong"));
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("[serve]\nprot = 1\n", "[serve] has no key `prot`; the nearest is `port`");
        check("modle = \"q2\"\n", "there is no key `modle`; the nearest is `model`");
        check("[sevre]\n", "there is no section [sevre]; the nearest is `serve`");
        check("[serve]\nport = 99999\n", "[serve] invalid value '99999' for '--port <P>'");
        check("[serve]\nport = [[1]]\n", "`port` is neither text, number, yes-or-no nor a list");
        check("[chat]\nfold = \"yes\"\n", "`fold` is \"yes\", expected true or false");
        check("[run]\nprompt = \"hi\"\n", "[run] has no key `prompt`");
        check("port = \n", "TOML parse error at line 1");
    }

    #[test]
    fn the_file_counts_less_than_what_is_typed() {
        let cli = Cli::command();
        let settings = parse("[serve]\nport = 9000\nslots = 2\n", &cli).expect("it is fine");
        let mut cli = cli;
        for Setting { command, flag, values } in settings {
            cli = cli.mut_subcommand(command, |sub| {
                sub.mut_arg(&flag, |known| known.default_values(values))
            });
        }
        let matches = cli.get_matches_from(["ironstar", "serve", "--port", "7000"]);
        let serve = matches.subcommand_matches("serve").expect("it was typed");
        assert_eq!(serve.get_one::<u16>("port"), Some(&7000));
        assert_eq!(serve.get_one::<usize>("slots"), Some(&2));
    }
}
