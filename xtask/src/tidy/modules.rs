//! No dead files: every source file is a module that its parent declares.
//!
//! The module tree is read from file names alone: `a/b.rs` and `a/b/mod.rs` need a `mod b;` in
//! `a.rs` or `a/mod.rs`, and at the top in `lib.rs` or `main.rs`.

use super::Finding;
use super::tokens::{flatten, spells};
use super::tree::{Tree, source_of};

/// Findings about source files that no other file declares.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, _) in tree.rust_files() {
        let Some(folder) = source_of(&file.path) else { continue };
        let source = format!("{folder}/src/");
        let inside = file.path.strip_prefix(&source).expect("the path lies in its source folder");
        let Some((parents, name)) = parents(inside) else { continue };
        let declared =
            parents.iter().any(|parent| declares(tree, &format!("{source}{parent}"), name));
        if !declared {
            findings.push(Finding::whole(
                &file.path,
                format!(
                    "is compiled into nothing; declare it with `mod {name};` in {}, or delete it",
                    parents.join(" or ")
                ),
            ));
        }
    }
    findings
}

/// The files that may declare a module, and its name; `None` for the roots of a crate.
fn parents(inside: &str) -> Option<(Vec<String>, &str)> {
    let stem = inside.strip_suffix(".rs")?;
    let module = stem.strip_suffix("/mod").unwrap_or(stem);
    match module.rsplit_once('/') {
        None if matches!(module, "lib" | "main") => None,
        Some(("bin", _)) => None,
        None => Some((vec!["lib.rs".to_owned(), "main.rs".to_owned()], module)),
        Some((parent, name)) => {
            Some((vec![format!("{parent}.rs"), format!("{parent}/mod.rs")], name))
        }
    }
}

fn declares(tree: &Tree, parent: &str, name: &str) -> bool {
    let rust = tree.rust_files().find(|(file, _)| file.path == parent).map(|(_, rust)| rust);
    rust.is_some_and(|rust| {
        let tokens = flatten(&rust.tokens);
        (0..tokens.len()).any(|at| spells(&tokens, at, &["mod", name, ";"]))
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::check_rule;

    #[test]
    fn every_source_file_is_declared_by_its_parent() {
        check_rule(
            check,
            &[
                ("crates/a/src/lib.rs", "mod blocks;\n#[cfg(test)]\nmod tests;\n"),
                ("crates/a/src/blocks/mod.rs", "pub(crate) mod q8_0;\n// mod q2_k;\n"),
                ("crates/a/src/blocks/q2_k.rs", ""),
                ("crates/a/src/blocks/q8_0.rs", "mod avx;\n"),
                ("crates/a/src/blocks/q8_0/avx.rs", ""),
                ("crates/a/src/bin/tool.rs", ""),
                ("crates/a/src/orphan.rs", ""),
                ("crates/a/src/tests.rs", ""),
                ("crates/a/tests/whole.rs", ""),
            ],
            &[
                "blocks/q2_k.rs: is compiled into nothing; declare it with `mod q2_k;` in blocks.rs",
                "orphan.rs: is compiled into nothing; declare it with `mod orphan;` in lib.rs",
            ],
        );
    }
}
