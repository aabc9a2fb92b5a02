//! Environment variables are read in one file, `crates/cli/src/env.rs`.
//!
//! A switch read deep inside the program is one that no document lists and no test sets. The
//! clippy configuration says so too; this rule also sees through `use std::env::var`, holds for
//! code that is not compiled here, and allows an `#[expect]` in tests only.

use std::ops::RangeInclusive;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, ItemFn, ItemMod, Local, Meta};

use super::Finding;
use super::tokens::{Token, flatten, spells};
use super::tree::{File, Rust, Tree};

const LOOK_UPS: [&str; 6] = ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"];

/// Findings about look-ups outside the one file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files() {
        if file.path == "crates/cli/src/env.rs" || file.path.starts_with("xtask/") {
            continue;
        }
        let expected = Expected::of(file, rust);
        let tokens = flatten(&rust.tokens);
        for at in 0..tokens.len() {
            let Some(name) = look_up(&tokens, at) else { continue };
            let line = tokens[at].line;
            if expected.covers(line) {
                continue;
            }
            findings.push(Finding::at(
                &file.path,
                line,
                format!(
                    "looks at the environment (`env::{name}`); read it in crates/cli/src/env.rs \
                     and pass the value down (in a test: `#[expect(clippy::disallowed_methods, \
                     reason = \"..\")]` on the statement)"
                ),
            ));
        }
    }
    findings
}

/// The function that is named, where the tokens at `at` begin `env::NAME` or `env::{.., NAME, ..}`.
fn look_up(tokens: &[Token], at: usize) -> Option<&str> {
    if !spells(tokens, at, &["env", ":", ":"]) {
        return None;
    }
    let is_look_up = |token: &&Token| LOOK_UPS.contains(&token.text.as_str());
    let after = &tokens[at + 3..];
    let named = match after.first() {
        Some(open) if open.text == "{" => {
            after.iter().take_while(|token| token.text != "}").find(is_look_up)
        }
        first => first.filter(is_look_up),
    };
    named.map(|token| token.text.as_str())
}

/// Lines of test code whose statement, function or module expects the look-up, with a reason.
struct Expected {
    is_test_file: bool,
    test_depth: usize,
    lines: Vec<RangeInclusive<usize>>,
}

impl Expected {
    fn of(file: &File, rust: &Rust) -> Self {
        let in_tests = ["/tests/", "/benches/"].iter().any(|part| file.path.contains(part));
        let is_test_file = in_tests || file.path.ends_with("/tests.rs");
        let mut expected = Self { is_test_file, test_depth: 0, lines: Vec::new() };
        expected.visit_file(&rust.syntax);
        expected
    }

    fn covers(&self, line: usize) -> bool {
        self.lines.iter().any(|lines| lines.contains(&line))
    }

    fn note(&mut self, attributes: &[Attribute], span: proc_macro2::Span) {
        let is_test = self.is_test_file || self.test_depth > 0;
        if is_test && attributes.iter().any(expects_look_up) {
            self.lines.push(span.start().line..=span.end().line);
        }
    }
}

impl<'ast> Visit<'ast> for Expected {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.note(&item.attrs, item.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.note(&item.attrs, item.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        self.note(&local.attrs, local.span());
        visit::visit_local(self, local);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let is_test = item.attrs.iter().any(|attribute| has_words(attribute, "cfg", &["test"]));
        self.test_depth += usize::from(is_test);
        self.note(&item.attrs, item.span());
        visit::visit_item_mod(self, item);
        self.test_depth -= usize::from(is_test);
    }
}

fn expects_look_up(attribute: &Attribute) -> bool {
    has_words(attribute, "expect", &["disallowed_methods", "reason"])
}

fn has_words(attribute: &Attribute, name: &str, words: &[&str]) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let tokens = flatten(&list.tokens);
    list.path.is_ident(name)
        && words.iter().all(|word| tokens.iter().any(|token| token.text == *word))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::check_rule;

    const LOOK_UP: &str = "fn f() { let _ = std::env::var(\"A\"); }\n";

    #[test]
    fn only_one_file_reads_the_environment() {
        check_rule(
            check,
            &[
                ("crates/cli/src/env.rs", LOOK_UP),
                ("crates/model/src/lib.rs", LOOK_UP),
                ("xtask/src/cross.rs", LOOK_UP),
            ],
            &["crates/model/src/lib.rs:1: looks at the environment (`env::var`)"],
        );
    }

    #[test]
    fn an_import_or_a_macro_does_not_hide_it() {
        check_rule(
            check,
            &[
                ("crates/chat/src/a.rs", "use std::env::{self, var_os};\n"),
                (
                    "crates/chat/src/b.rs",
                    "fn f() {\n    assert!(std::env::vars().count() > 0);\n}\n",
                ),
                ("crates/chat/src/c.rs", "fn f() { let _ = std::env::temp_dir(); }\n"),
                ("crates/chat/src/d.rs", "const A: &str = env!(\"A\"); // std::env::var\n"),
            ],
            &["a.rs:1: looks", "b.rs:2: looks"],
        );
    }

    #[test]
    fn a_test_may_expect_it_with_a_reason_and_the_product_may_not() {
        let expected = format!("#[expect(clippy::disallowed_methods, reason = \"r\")]\n{LOOK_UP}");
        let statement = "fn f() {\n    #[expect(clippy::disallowed_methods, reason = \"r\")]\n    \
                         let _ = std::env::var(\"A\");\n    let _ = std::env::var(\"B\");\n}\n";
        let inside = format!("#[cfg(test)]\nmod tests {{\n{expected}\n}}\n");
        check_rule(
            check,
            &[
                ("crates/cli/tests/gpu.rs", &expected),
                ("crates/cli/src/args.rs", &inside),
                ("crates/cli/src/settings.rs", &expected),
                ("crates/cli/tests/plain.rs", LOOK_UP),
                ("crates/cli/tests/statement.rs", statement),
            ],
            &["src/settings.rs:2: looks", "tests/plain.rs:1: looks", "tests/statement.rs:4: looks"],
        );
    }
}
