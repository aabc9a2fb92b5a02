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

/// A variable that is set and not empty.
fn set(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "this file is where variables are read")]
    let value = std::env::var_os(name);
    value.filter(|value| !value.is_empty())
}
