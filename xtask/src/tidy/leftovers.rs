//! What is left lying about: notes to oneself, stubs, and traces of the machine it was made on.
//!
//! The words themselves are put together from halves here, or this file would be its own finding.

use super::Finding;
use super::tokens::{flatten, spells};
use super::tree::{Tree, has_extension};

/// Notes to oneself; matched as whole words.
const NOTES: [&str; 3] = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")];

/// Macros that stand for code which is not there, or for a look that was forgotten.
const STUBS: [(&str, &str); 3] = [
    ("todo", "write it, or leave the feature out"),
    ("unimplemented", "write it, or return a typed error"),
    ("dbg", "remove it, or log with `tracing`"),
];

/// Paths that exist on one machine only.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/"), concat!(".py", "env")];

/// Folders that every machine has; naming something in them makes it one machine's path.
const MACHINE_FOLDERS: [&str; 2] = [concat!("/ho", "me/"), concat!("/op", "t/")];

/// Where packages come from is the business of the clients' own settings.
const PACKAGE_HOSTS: [&str; 5] = [
    concat!("index", ".crates"),
    concat!("static", ".crates"),
    concat!("pypi", ".org"),
    concat!("registry", ".npmjs"),
    concat!("deb", ".debian"),
];

/// Findings about leftovers in all text files.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(text) = file.text.as_deref() else { continue };
        if file.path.ends_with("Cargo.lock") {
            continue;
        }
        let is_written_by_hand = is_written_by_hand(&file.path);
        for (index, line) in text.lines().enumerate() {
            let place = |message: String| Finding::at(&file.path, index + 1, message);
            if is_written_by_hand && let Some(note) = note(line) {
                findings.push(place(format!("has a {note}; do it now or file an issue")));
            }
            if let Some(path) = machine_path(line) {
                let message = format!(
                    "names a path of one machine (`{path}`); make it relative or an option"
                );
                findings.push(place(message));
            }
            if let Some(host) = PACKAGE_HOSTS.iter().find(|host| line.contains(**host)) {
                let message =
                    format!("names a package host (`{host}`); let the package client choose it");
                findings.push(place(message));
            }
        }
        if let Some(rust) = &file.rust {
            findings.extend(stubs(&file.path, &flatten(&rust.tokens)));
        }
    }
    findings
}

/// Sources and documents; data may hold any words.
fn is_written_by_hand(path: &str) -> bool {
    let sources = ["rs", "wgsl", "toml", "md", "py", "sh"];
    path.starts_with(".ci/") || sources.iter().any(|extension| has_extension(path, extension))
}

fn machine_path(line: &str) -> Option<&'static str> {
    let names_something_in = |folder: &str| {
        line.match_indices(folder).any(|(at, _)| {
            line[at + folder.len()..].starts_with(|next: char| next.is_alphanumeric())
        })
    };
    let mut folders = MACHINE_FOLDERS.into_iter();
    MACHINE_PATHS
        .into_iter()
        .find(|path| line.contains(path))
        .or_else(|| folders.find(|folder| names_something_in(folder)))
}

fn note(line: &str) -> Option<&str> {
    let mut words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
    words.find(|word| NOTES.contains(word))
}

fn stubs(path: &str, tokens: &[super::tokens::Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for at in 0..tokens.len() {
        for (name, instead) in STUBS {
            if spells(tokens, at, &[name, "!", "("]) {
                let message = format!("calls `{name}!`; {instead}");
                findings.push(Finding::at(path, tokens[at].line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{MACHINE_FOLDERS, MACHINE_PATHS, NOTES, PACKAGE_HOSTS, check};
    use crate::tidy::check_rule;

    #[test]
    fn notes_to_oneself_are_found_in_what_people_write() {
        for note in NOTES {
            let comment = format!("// {note}: later\n");
            check_rule(check, &[("a.rs", &comment)], &["a.rs:1: has a"]);
            check_rule(check, &[("README.md", &comment)], &["README.md:1: has a"]);
            check_rule(check, &[("testdata/prompt.json", &comment)], &[]);
            check_rule(check, &[("a.rs", &format!("// IQ2_{note}, {note}S\n"))], &[]);
        }
    }

    #[test]
    fn stubs_are_found_and_words_in_strings_are_not() {
        check_rule(
            check,
            &[(
                "a.rs",
                "fn a() { todo!() }\nfn b() { unimplemented!(\"b\") }\n\
                 fn c() { assert!(dbg!(true)) }\nconst D: &str = \"todo!()\";\n",
            )],
            &["a.rs:1: calls `todo!`", "a.rs:2: calls `unimplemented!`", "a.rs:3: calls `dbg!`"],
        );
    }

    #[test]
    fn traces_of_one_machine_are_found_in_any_text() {
        for path in MACHINE_PATHS.into_iter().chain(MACHINE_FOLDERS) {
            let line = format!("see {path}a\n");
            check_rule(check, &[("testdata/README", &line)], &["README:1: names a path"]);
        }
        for folder in MACHINE_FOLDERS {
            check_rule(check, &[("a.py", &format!("path = \"{folder}\" + name\n"))], &[]);
        }
        for host in PACKAGE_HOSTS {
            let line = format!("from https://{host}.example\n");
            check_rule(check, &[(".ci/run", &line)], &["run:1: names a package host"]);
            check_rule(check, &[("Cargo.lock", &line)], &[]);
        }
    }
}
