//! The house rules that no compiler knows, as a test.
//!
//! Each rule is a function from the tree of files to findings, in a file of its own with tests
//! that show the rule failing. A finding says where, what, and what to do instead. Warnings are
//! printed and pass; failures fail the build.
//!
//! The rules see every file that git would keep: what is ignored by `.gitignore` does not exist
//! here, what is new and not yet added does.

mod attributes;
mod doors;
mod environment;
mod functions;
mod leftovers;
mod links;
mod modules;
mod names;
mod tokens;
mod tree;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use self::tree::Tree;

/// Where a rule is broken, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    /// Counted from one; zero where the finding is about the file as a whole.
    line: usize,
    message: String,
    weight: Weight,
}

/// Whether a finding fails the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Warning,
    Failure,
}

impl Finding {
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), weight: Weight::Failure }
    }

    fn whole(path: &str, message: impl Into<String>) -> Self {
        Self::at(path, 0, message)
    }

    fn warning(path: &str, message: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, ..Self::whole(path, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Warning => "warning",
            Weight::Failure => "error",
        };
        match self.line {
            0 => write!(out, "{weight}: {}: {}", self.path, self.message),
            line => write!(out, "{weight}: {}:{line}: {}", self.path, self.message),
        }
    }
}

/// Applies every rule to the tree at `root` and prints what it found.
///
/// # Errors
/// When a rule is broken, or when the tree or a rule's own table cannot be read.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let ratchet = functions::Ratchet::parse(tree.text("xtask/ratchet.toml").unwrap_or_default())?;
    let mut findings = tree.unparsable.clone();
    findings.extend(doors::check(&doors::packages(root)?));
    findings.extend(attributes::check(&tree));
    findings.extend(environment::check(&tree));
    findings.extend(functions::check(&tree, &ratchet));
    findings.extend(leftovers::check(&tree));
    findings.extend(links::check(&tree));
    findings.extend(modules::check(&tree));
    findings.extend(names::check(&tree));
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    let failures = findings.iter().filter(|finding| finding.weight == Weight::Failure).count();
    if failures > 0 {
        bail!("tidy found {failures} broken house rules, listed above");
    }
    Ok(())
}

/// Asserts what a rule says of some files: the oracle is the house rule as written by hand in
/// each test.
#[cfg(test)]
fn check_rule(rule: impl Fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let tree = Tree::from_texts(files);
    assert_eq!(tree.unparsable, Vec::new(), "test sources must parse");
    let found: Vec<String> = rule(&tree).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "found {found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "found `{found}`, expected it to hold `{expected}`");
    }
}
