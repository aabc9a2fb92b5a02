//! Documents point at things that exist.
//!
//! Relative links of every Markdown file are followed. In the documents that describe the tree as
//! it is, a file named in backticks must exist too, by its path or the end of it; `DESIGN.md` and
//! `CHANGELOG.md` are left out because they also speak of the past.

use pulldown_cmark::{Event, Parser, Tag};

use super::Finding;
use super::tree::{Tree, has_extension};

const DESCRIBE_THE_TREE: [&str; 3] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];

/// Kinds of files that a document names only when they are ours.
const OURS: [&str; 5] = ["rs", "wgsl", "toml", "md", "py"];

/// Findings about links and file names that lead nowhere.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| has_extension(&file.path, "md")) {
        let text = file.text.as_deref().unwrap_or_default();
        let describes_the_tree = DESCRIBE_THE_TREE.contains(&file.path.as_str());
        for (event, range) in Parser::new(text).into_offset_iter() {
            let message = match &event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. })
                    if !leads_somewhere(tree, &file.path, dest_url) =>
                {
                    format!("links to `{dest_url}`, which is not there; mend the link")
                }
                Event::Code(name) if describes_the_tree && !is_known(tree, name) => {
                    format!("names `{name}`, which is not there; name what is")
                }
                _ => continue,
            };
            let line = text[..range.start].lines().count().max(1);
            findings.push(Finding::at(&file.path, line, message));
        }
    }
    findings
}

/// Whether the link leaves the tree, stays on its page, or names something in the tree.
fn leads_somewhere(tree: &Tree, document: &str, link: &str) -> bool {
    let target = link.split('#').next().unwrap_or_default();
    if target.is_empty() || link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return false;
                }
            }
            name => parts.push(name),
        }
    }
    parts.is_empty() || tree.holds(&parts.join("/"))
}

/// Whether the words in backticks are no file name of ours, or one that exists.
fn is_known(tree: &Tree, name: &str) -> bool {
    let is_name = OURS.iter().any(|extension| has_extension(name, extension))
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
    let end = format!("/{name}");
    !is_name || tree.files.iter().any(|file| file.path == name || file.path.ends_with(&end))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::check_rule;

    #[test]
    fn links_lead_somewhere() {
        let readme = "[a](FORMATS.md#head) [b](crates/gguf) [c](https://example.org/x) [d](#e)\n\
                      and [f](MISSING.md)\n";
        let inner = "[up](../../README.md) ![gone](plot.svg) [out](../../../x.md)\n";
        check_rule(
            check,
            &[
                ("FORMATS.md", ""),
                ("README.md", readme),
                ("crates/gguf/src/lib.rs", ""),
                ("testdata/oracle/README.md", inner),
            ],
            &[
                "README.md:2: links to `MISSING.md`",
                "oracle/README.md:1: links to `plot.svg`",
                "oracle/README.md:1: links to `../../../x.md`",
            ],
        );
    }

    #[test]
    fn files_named_where_the_tree_is_described_exist() {
        let text = "`forward.rs` `model/src/forward.rs` `kv.rs` `*.rs` `a.gguf` `Backend::bind`\n";
        check_rule(
            check,
            &[
                ("ARCHITECTURE.md", text),
                ("CHANGELOG.md", text),
                ("crates/model/src/forward.rs", ""),
            ],
            &["ARCHITECTURE.md:1: names `kv.rs`, which is not there"],
        );
    }
}
