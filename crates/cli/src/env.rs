//! Every environment variable that the program reads.

/// `NO_COLOR`: set and not empty, it keeps the program from colouring what it writes
/// (<https://no-color.org>).
pub(crate) fn no_color() -> bool {
    #[expect(clippy::disallowed_methods, reason = "this file is where variables are read")]
    let value = std::env::var_os("NO_COLOR");
    value.is_some_and(|value| !value.is_empty())
}
