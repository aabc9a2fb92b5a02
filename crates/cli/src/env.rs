//! Every environment variable that the program reads.

use std::ffi::OsString;
use std::path::PathBuf;

/// `NO_COLOR`: set and not empty, it keeps the program from colouring what it writes
/// (<https://no-color.org>).
pub(crate) fn no_color() -> bool {
    set("NO_COLOR").is_some()
}

/// `TERM`: a terminal that calls itself `dumb` gets no escape codes.
pub(crate) fn dumb_terminal() -> bool {
    set("TERM").is_some_and(|term| term == "dumb")
}

/// `IRONSTAR_DATA_DIR`: where conversations are kept, in place of the system's folder for data.
pub(crate) fn data_dir() -> Option<PathBuf> {
    set("IRONSTAR_DATA_DIR").map(PathBuf::from)
}

/// `IRONSTAR_CONFIG`: the configuration file, in place of `ironstar/config.toml` in the system's
/// folder for configurations.
pub(crate) fn config_file() -> Option<PathBuf> {
    set("IRONSTAR_CONFIG").map(PathBuf::from)
}

/// `IRONSTAR_` and a flag in capitals: the flag's value where it is not typed, for the flags that
/// the configuration file may set (`ironstar config keys` lists them).
pub(crate) fn flag_variable(flag: &str) -> String {
    format!("IRONSTAR_{}", flag.to_ascii_uppercase().replace('-', "_"))
}

/// `XDG_CONFIG_HOME`, `CODEX_HOME`, `CLAUDE_CONFIG_DIR`: where other programs keep their settings,
/// for `setup`.
pub(crate) fn client_folder(variable: ClientFolder) -> Option<PathBuf> {
    let name = match variable {
        ClientFolder::XdgConfig => "XDG_CONFIG_HOME",
        ClientFolder::Codex => "CODEX_HOME",
        ClientFolder::Claude => "CLAUDE_CONFIG_DIR",
    };
    set(name).map(PathBuf::from)
}

/// A folder of another program that a variable may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientFolder {
    XdgConfig,
    Codex,
    Claude,
}

/// `HF_HOME`: the Hugging Face Hub's folder, in place of `.cache/huggingface` at home.
pub(crate) fn hub_home() -> Option<PathBuf> {
    set("HF_HOME").map(PathBuf::from)
}

/// `HF_HUB_CACHE`: where its files lie, in place of `hub` in that folder.
pub(crate) fn hub_cache() -> Option<PathBuf> {
    set("HF_HUB_CACHE").map(PathBuf::from)
}

/// `HF_TOKEN`: the user's token, in place of the one that was saved.
pub(crate) fn hub_token() -> Option<String> {
    set("HF_TOKEN")?.into_string().ok()
}

/// A variable that is set and not empty.
fn set(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "this file is where variables are read")]
    let value = std::env::var_os(name);
    value.filter(|value| !value.is_empty())
}
