//! File names say what is inside; the names refused here would fit anything.

use super::Finding;
use super::tree::Tree;

/// Refused as a whole name and as any part between underscores and hyphens.
const EMPTY_WORDS: [&str; 8] =
    ["util", "utils", "helper", "helpers", "manager", "managers", "misc", "stuff"];

/// Refused only as the whole name: `common_prefix` says something.
const EMPTY_NAMES: [&str; 2] = ["common", "shared"];

/// Findings about folders and files whose name says nothing.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let mut parts = file.path.split('/');
        if let Some(part) = parts.find(|part| says_nothing(part)) {
            findings.push(Finding::whole(
                &file.path,
                format!("`{part}` could hold anything; name it for what it holds"),
            ));
        }
    }
    findings
}

fn says_nothing(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default();
    EMPTY_NAMES.contains(&stem) || stem.split(['_', '-']).any(|word| EMPTY_WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::check_rule;

    #[test]
    fn names_that_fit_anything_are_refused() {
        check_rule(
            check,
            &[
                ("crates/a/src/common_prefix.rs", ""),
                ("crates/a/src/kv_manager.rs", ""),
                ("crates/a/src/utils/text.rs", ""),
                ("crates/a/src/utilisation.rs", ""),
                ("crates/a/tests/common/mod.rs", ""),
            ],
            &["`kv_manager.rs` could hold", "`utils` could hold", "`common` could hold"],
        );
    }
}
