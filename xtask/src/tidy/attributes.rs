//! What must stand at the top of files, and which attributes may stand anywhere.
//!
//! Every source file says what it is for; every crate root states its unsafe policy; a lint is
//! silenced only where it is expected and with a reason; no test is switched off.

use super::Finding;
use super::tokens::{Token, flatten, spells};
use super::tree::{Tree, source_of};

/// Crates that hold no unsafe code at all.
const FORBID_UNSAFE: [&str; 8] = [
    "crates/backend",
    "crates/model",
    "crates/chat",
    "crates/kv-store",
    "crates/engine",
    "crates/server",
    "crates/cli",
    "xtask",
];

/// Crates that may open a door for single items: mapped files, vector units, uploads to a device.
const DENY_UNSAFE: [&str; 3] = ["crates/gguf", "crates/backend-cpu", "crates/backend-gpu"];

/// Findings about module heads, unsafe policy and lint attributes.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        let text = file.text.as_deref().unwrap_or_default();
        if source_of(&file.path).is_some() && !text.starts_with("//!") {
            findings.push(Finding::at(
                &file.path,
                1,
                "has no head; open the file with `//!` and say what it is for, the shape of its \
                 data and what it refuses",
            ));
        }
        if let Some(policy) = unsafe_policy(&file.path)
            && !text.lines().any(|line| line == policy)
        {
            let message = format!("lacks its unsafe policy; add the line `{policy}`");
            findings.push(Finding::whole(&file.path, message));
        }
        let tokens = flatten(&rust.tokens);
        let attributes = attributes(&tokens);
        findings.extend(attributes.iter().flat_map(|body| lint_findings(&file.path, body)));
    }
    findings
}

/// The line that a crate root must hold.
fn unsafe_policy(path: &str) -> Option<&'static str> {
    let folder = path.strip_suffix("/src/lib.rs").or_else(|| path.strip_suffix("/src/main.rs"))?;
    if FORBID_UNSAFE.contains(&folder) {
        return Some("#![forbid(unsafe_code)]");
    }
    DENY_UNSAFE.contains(&folder).then_some("#![deny(unsafe_code)]")
}

/// What stands between the brackets of every attribute.
fn attributes(tokens: &[Token]) -> Vec<&[Token]> {
    let mut attributes = Vec::new();
    for at in 0..tokens.len() {
        let open = if spells(tokens, at, &["#", "["]) {
            at + 1
        } else if spells(tokens, at, &["#", "!", "["]) {
            at + 2
        } else {
            continue;
        };
        attributes.push(&tokens[open + 1..closing(tokens, open)]);
    }
    attributes
}

/// The index of the token that closes the group opened at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    unreachable!("the tokens of a parsed file are balanced")
}

fn lint_findings(path: &str, body: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if body.first().is_some_and(|token| token.text == "ignore") {
        findings.push(Finding::at(
            path,
            body[0].line,
            "switches a test off; make it pass, or let it report what it needs and skip",
        ));
    }
    for at in 0..body.len() {
        if spells(body, at, &["allow", "("]) {
            findings.push(Finding::at(
                path,
                body[at].line,
                "silences a lint for ever; use `#[expect(.., reason = \"..\")]`, which tells when \
                 it is no longer needed",
            ));
        }
        if spells(body, at, &["expect", "("]) {
            let inside = &body[at + 2..closing(body, at + 1)];
            if !(0..inside.len()).any(|at| spells(inside, at, &["reason", "="])) {
                let message = "expects a lint without saying why; add `reason = \"..\"`";
                findings.push(Finding::at(path, body[at].line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::check_rule;

    #[test]
    fn a_source_file_needs_a_head_and_a_test_file_does_not() {
        check_rule(
            check,
            &[
                ("crates/chat/src/message.rs", "use std::fmt;\n"),
                ("crates/chat/src/render.rs", "//! Renders.\n"),
                ("crates/chat/tests/goldens.rs", "fn f() {}\n"),
            ],
            &["crates/chat/src/message.rs:1: has no head"],
        );
    }

    #[test]
    fn crate_roots_state_their_unsafe_policy() {
        check_rule(
            check,
            &[
                ("crates/chat/src/lib.rs", "//! Chat.\n#![deny(unsafe_code)]\n"),
                ("crates/gguf/src/lib.rs", "//! Gguf.\n"),
                ("crates/model/src/lib.rs", "//! Model.\n#![forbid(unsafe_code)]\n"),
                ("crates/backend-cpu/src/lib.rs", "//! Cpu.\n#![deny(unsafe_code)]\n"),
            ],
            &[
                "crates/chat/src/lib.rs: lacks its unsafe policy; add the line `#![forbid",
                "crates/gguf/src/lib.rs: lacks its unsafe policy; add the line `#![deny",
            ],
        );
    }

    #[test]
    fn a_lint_is_expected_with_a_reason_or_not_silenced() {
        check_rule(
            check,
            &[(
                "crates/chat/tests/a.rs",
                "#[allow(dead_code)]\nfn a() {}\n#[expect(dead_code)]\nfn b() {}\n\
                 #[expect(dead_code, reason = \"shown\")]\nfn c() {}\n\
                 #[cfg_attr(unix, allow(dead_code))]\nfn d() {}\n\
                 fn e() { let _ = Some(1).expect(\"here\"); }\n",
            )],
            &["a.rs:1: silences", "a.rs:3: expects a lint without", "a.rs:7: silences"],
        );
    }

    #[test]
    fn a_whole_file_may_not_silence_a_lint() {
        check_rule(check, &[("fuzz/a.rs", "#![allow(dead_code)]\n")], &["a.rs:1: silences"]);
    }

    #[test]
    fn no_test_is_switched_off() {
        check_rule(
            check,
            &[(
                "crates/chat/tests/a.rs",
                "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n\
                 #[cfg_attr(miri, ignore = \"slow there\")]\nfn b() {}\n",
            )],
            &["a.rs:2: switches a test off"],
        );
    }
}
