//! The files that the rules look at, read and parsed once.

use std::path::Path;
use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use ignore::WalkBuilder;
use proc_macro2::TokenStream;

use super::Finding;

/// One file of the tree.
pub(super) struct File {
    /// Relative to the workspace root, with `/` on every system.
    pub(super) path: String,
    /// `None` where the file is not UTF-8, so not text.
    pub(super) text: Option<String>,
    /// `Some` for Rust files that parse.
    pub(super) rust: Option<Rust>,
}

/// A Rust file in the two forms that rules need: the syntax tree, and the bare tokens, which also
/// reach into the arguments of macros.
pub(super) struct Rust {
    pub(super) syntax: syn::File,
    pub(super) tokens: TokenStream,
}

/// All files that git would keep, in order of path.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    /// Rust files that do not parse: no other rule can speak of them.
    pub(super) unparsable: Vec<Finding>,
}

impl Tree {
    /// Reads the tree, leaving out what `.gitignore` names and git's own folder.
    ///
    /// # Errors
    /// When a folder or file cannot be read.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        let mut files = Vec::new();
        for entry in walk {
            let entry = entry.context("could not walk the tree")?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let relative = entry.path().strip_prefix(root).expect("the walk stays below its root");
            let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
            let bytes = std::fs::read(entry.path())
                .with_context(|| format!("could not read {}", entry.path().display()))?;
            files.push((parts.join("/"), String::from_utf8(bytes).ok()));
        }
        Ok(Self::parse(files))
    }

    /// A tree of texts that are on no disk.
    #[cfg(test)]
    pub(super) fn from_texts(files: &[(&str, &str)]) -> Self {
        let owned = files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned())));
        Self::parse(owned.collect())
    }

    fn parse(mut sources: Vec<(String, Option<String>)>) -> Self {
        sources.sort();
        let mut files = Vec::new();
        let mut unparsable = Vec::new();
        for (path, text) in sources {
            let mut rust = None;
            if let (true, Some(text)) = (has_extension(&path, "rs"), &text) {
                match (syn::parse_file(text), TokenStream::from_str(text)) {
                    (Ok(syntax), Ok(tokens)) => rust = Some(Rust { syntax, tokens }),
                    _ => unparsable.push(Finding::whole(&path, "is not Rust; cargo says where")),
                }
            }
            files.push(File { path, text, rust });
        }
        Self { files, unparsable }
    }

    /// The text of a file, if it is there and is text.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text.as_deref()
    }

    /// Whether the path names a file or a folder of the tree.
    pub(super) fn holds(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|file| file.path == path || file.path.starts_with(&folder))
    }

    /// The Rust files that parse.
    pub(super) fn rust_files(&self) -> impl Iterator<Item = (&File, &Rust)> {
        self.files.iter().filter_map(|file| Some((file, file.rust.as_ref()?)))
    }
}

/// Whether the path ends in a dot and the extension.
pub(super) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// `Some(crate folder)` for files under `crates/NAME/src` and `xtask/src`: the source of a crate,
/// without its tests and benches.
pub(super) fn source_of(path: &str) -> Option<&str> {
    let (folder, _) = path.split_once("/src/")?;
    let is_crate =
        folder == "xtask" || folder.strip_prefix("crates/").is_some_and(|name| !name.contains('/'));
    is_crate.then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_files_and_git_do_not_exist_and_hidden_ones_do() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str, text: &[u8]| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write(".gitignore", b"/target\n");
        write(".git/config", b"");
        write(".ci/run", b"true\n");
        write("target/debug/build.rs", b"not rust");
        write("data.bin", &[0xff, 0xfe]);
        let tree = Tree::read(root.path()).expect("readable");
        let paths: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, [".ci/run", ".gitignore", "data.bin"]);
        assert_eq!(tree.text("data.bin"), None);
        assert!(tree.holds(".ci") && !tree.holds("target"));
    }

    #[test]
    fn a_file_that_is_not_rust_is_a_finding() {
        let tree = Tree::from_texts(&[("crates/a/src/lib.rs", "fn (")]);
        assert_eq!(tree.unparsable.len(), 1);
    }

    #[test]
    fn sources_are_told_from_tests() {
        assert_eq!(source_of("crates/gguf/src/blocks/mod.rs"), Some("crates/gguf"));
        assert_eq!(source_of("xtask/src/main.rs"), Some("xtask"));
        assert_eq!(source_of("crates/gguf/tests/hostile.rs"), None);
        assert_eq!(source_of("fuzz/src/lib.rs"), None);
    }
}
