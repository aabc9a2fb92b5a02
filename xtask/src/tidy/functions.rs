//! Functions do not creep over seventy lines, nor files over eight hundred.
//!
//! A ratchet, not a limit: the few honest long ones are listed in `xtask/ratchet.toml` with their
//! length and a reason. A listed one may shrink, may not grow, and leaves the list when it fits,
//! so that the list never holds more than the truth.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, ItemImpl, ItemTrait, TraitItemFn, Type};

use super::Finding;
use super::tree::Tree;

/// Lines of a body, from its opening to its closing brace: what fits on a screen.
const LONGEST_FUNCTION: usize = 70;
/// A file beyond this is a question,
const LONG_FILE: usize = 600;
/// and beyond this it needs an answer.
const LONGEST_FILE: usize = 800;
const LIST: &str = "xtask/ratchet.toml";

/// The exceptions, as listed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ratchet {
    #[serde(default)]
    function: Vec<LongFunction>,
    #[serde(default)]
    file: Vec<LongFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongFunction {
    path: String,
    /// `name`, or `Type::name` for methods.
    name: String,
    lines: usize,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongFile {
    path: String,
    lines: usize,
    reason: String,
}

impl Ratchet {
    /// Reads the list.
    ///
    /// # Errors
    /// When it is not TOML of the known shape.
    pub(super) fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).with_context(|| format!("could not read {LIST}"))
    }
}

/// One function as measured.
struct Function {
    name: String,
    first_line: usize,
    lines: usize,
}

/// Findings about functions and files that are too long, and about stale exceptions.
pub(super) fn check(tree: &Tree, ratchet: &Ratchet) -> Vec<Finding> {
    let mut findings = reasons(ratchet);
    let mut seen: Vec<(&str, Function)> = Vec::new();
    for (file, rust) in tree.rust_files() {
        let mut functions = Functions::default();
        functions.visit_file(&rust.syntax);
        for function in functions.found {
            findings.extend(judge_function(&file.path, &function, ratchet));
            seen.push((&file.path, function));
        }
        let lines = file.text.as_deref().unwrap_or_default().lines().count();
        findings.extend(judge_file(&file.path, lines, ratchet));
    }
    for listed in &ratchet.function {
        let is_long = seen.iter().any(|(path, function)| {
            *path == listed.path
                && function.name == listed.name
                && function.lines > LONGEST_FUNCTION
        });
        if !is_long {
            findings.push(stale(&format!("`{}` in {}", listed.name, listed.path)));
        }
    }
    for listed in &ratchet.file {
        let text = tree.text(&listed.path).unwrap_or_default();
        if text.lines().count() <= LONGEST_FILE {
            findings.push(stale(&listed.path));
        }
    }
    findings
}

fn reasons(ratchet: &Ratchet) -> Vec<Finding> {
    let functions = ratchet.function.iter().map(|listed| (&listed.name, &listed.reason));
    let files = ratchet.file.iter().map(|listed| (&listed.path, &listed.reason));
    functions
        .chain(files)
        .filter(|(_, reason)| reason.trim().is_empty())
        .map(|(what, _)| Finding::whole(LIST, format!("lists `{what}` without a reason")))
        .collect()
}

fn stale(what: &str) -> Finding {
    Finding::whole(LIST, format!("lists {what}, which is gone or short by now; remove the entry"))
}

fn judge_function(path: &str, function: &Function, ratchet: &Ratchet) -> Option<Finding> {
    let Function { name, first_line, lines } = function;
    let listed = ratchet.function.iter().find(|listed| listed.path == path && listed.name == *name);
    let message = match listed {
        _ if *lines <= LONGEST_FUNCTION => return None,
        Some(listed) if *lines <= listed.lines => return None,
        Some(listed) => format!(
            "`{name}` has grown to {lines} lines, its exception in {LIST} says {}; split it",
            listed.lines
        ),
        None => format!(
            "`{name}` has {lines} lines, over {LONGEST_FUNCTION}; split it (one function decides, \
             leaves compute), or list it in {LIST} with a reason"
        ),
    };
    Some(Finding::at(path, *first_line, message))
}

fn judge_file(path: &str, lines: usize, ratchet: &Ratchet) -> Option<Finding> {
    let listed = ratchet.file.iter().find(|listed| listed.path == path);
    let allowed = listed.map_or(LONGEST_FILE, |listed| listed.lines);
    if lines > allowed.max(LONGEST_FILE) {
        let message = format!(
            "has {lines} lines, over {allowed}; split it, or say in {LIST} why it is one story"
        );
        return Some(Finding::whole(path, message));
    }
    if listed.is_none() && lines > LONG_FILE {
        let message = format!("has {lines} lines; would a newcomer find the room in it?");
        return Some(Finding::warning(path, message));
    }
    None
}

/// Collects every function with a body, nested ones and methods included.
#[derive(Default)]
struct Functions {
    found: Vec<Function>,
    /// The type or trait whose methods are being visited.
    owner: Option<String>,
}

impl Functions {
    fn note(&mut self, name: &syn::Ident, body: &Block) {
        let name = match &self.owner {
            Some(owner) => format!("{owner}::{name}"),
            None => name.to_string(),
        };
        let (first_line, last_line) = (body.span().start().line, body.span().end().line);
        self.found.push(Function { name, first_line, lines: last_line - first_line + 1 });
    }

    fn inside(&mut self, owner: Option<String>, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.owner, owner);
        visit(self);
        self.owner = outer;
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.note(&item.sig.ident, &item.block);
        self.inside(None, |this| visit::visit_item_fn(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.note(&item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.note(&item.sig.ident, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let owner = match &*item.self_ty {
            Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        self.inside(owner, |this| visit::visit_item_impl(this, item));
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        let owner = Some(item.ident.to_string());
        self.inside(owner, |this| visit::visit_item_trait(this, item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::check_rule;

    /// A function whose body spans `lines` lines, braces included.
    fn function(signature: &str, lines: usize) -> String {
        format!("{signature} {{{}}}\n", "\n".repeat(lines - 1))
    }

    fn check_with(ratchet: &str, files: &[(&str, &str)], expected: &[&str]) {
        let ratchet = Ratchet::parse(ratchet).expect("the list parses");
        check_rule(|tree| check(tree, &ratchet), files, expected);
    }

    fn listed(name: &str, lines: usize) -> String {
        format!(
            "[[function]]\npath = \"a.rs\"\nname = \"{name}\"\nlines = {lines}\nreason = \"r\"\n"
        )
    }

    #[test]
    fn seventy_lines_pass_and_seventy_one_fail() {
        check_with("", &[("a.rs", &function("fn f()", 70))], &[]);
        check_with("", &[("a.rs", &function("fn f()", 71))], &["a.rs:1: `f` has 71 lines"]);
    }

    #[test]
    fn methods_trait_bodies_and_nested_functions_are_measured() {
        let source = format!(
            "impl<T> Row<T> {{ {} }}\ntrait Walk {{ {} fn none(); }}\nmod tests {{ {} }}\n",
            function("fn f()", 71),
            function("fn f()", 72),
            function("fn outer() { fn f()", 73) + "}",
        );
        let expected = ["`Row::f` has 71", "`Walk::f` has 72", "`outer` has 74", "`f` has 73"];
        check_with("", &[("a.rs", &source)], &expected);
    }

    #[test]
    fn a_listed_function_may_shrink_and_not_grow() {
        let source = function("fn f()", 80);
        check_with(&listed("f", 90), &[("a.rs", &source)], &[]);
        check_with(&listed("f", 79), &[("a.rs", &source)], &["grown to 80 lines"]);
    }

    #[test]
    fn the_list_cannot_rot() {
        let short = function("fn f()", 70);
        check_with(&listed("f", 90), &[("a.rs", &short)], &["`f` in a.rs, which is gone or short"]);
        check_with(&listed("g", 90), &[("a.rs", &short)], &["`g` in a.rs, which is gone or short"]);
        let file = "[[file]]\npath = \"a.rs\"\nlines = 900\nreason = \"r\"\n";
        check_with(file, &[("a.rs", &short)], &["lists a.rs, which is gone or short"]);
    }

    #[test]
    fn an_exception_needs_a_reason() {
        let ratchet = listed("f", 90).replace("\"r\"", "\" \"");
        let source = function("fn f()", 80);
        check_with(&ratchet, &[("a.rs", &source)], &["lists `f` without a reason"]);
        assert!(Ratchet::parse("[[function]]\npath = \"a.rs\"\n").is_err());
    }

    #[test]
    fn files_over_600_lines_are_asked_and_over_800_refused() {
        check_with("", &[("a.rs", &"\n".repeat(600))], &[]);
        check_with("", &[("a.rs", &"\n".repeat(601))], &["warning: a.rs: has 601 lines"]);
        check_with("", &[("a.rs", &"\n".repeat(801))], &["error: a.rs: has 801 lines, over 800"]);
        let ratchet = "[[file]]\npath = \"a.rs\"\nlines = 850\nreason = \"a table\"\n";
        check_with(ratchet, &[("a.rs", &"\n".repeat(850))], &[]);
        check_with(ratchet, &[("a.rs", &"\n".repeat(851))], &["has 851 lines, over 850"]);
    }
}
