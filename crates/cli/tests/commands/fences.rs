//! Commands in documents: what stands in fences marked `sh`, and what a comment before one says.
//!
//! ```text
//! <!-- docs: not run, REASON -->    it is only parsed
//! <!-- docs: server -->             it runs beside the blocks that follow, until another one
//! ```

use std::fs;
use std::path::{Path, PathBuf};

/// How a block is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trial {
    Run,
    Server,
    Parse,
}

/// A fenced block of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Of the first line inside.
    pub(crate) line: usize,
    /// What stands behind the opening fence.
    pub(crate) language: String,
    pub(crate) trial: Trial,
    pub(crate) text: String,
}

/// The pages that users read.
pub(crate) fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = fs::read_dir(root.join("docs")).expect("the folder of documents");
    let mut pages: Vec<_> = docs.map(|page| page.expect("it is listed").path()).collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

/// The blocks of a page, in order.
///
/// # Panics
/// If a comment for us is not understood, or stands before nothing.
pub(crate) fn blocks(page: &Path) -> Vec<Block> {
    const MARK: &str = "<!-- docs: ";
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
    let mut blocks: Vec<Block> = Vec::new();
    let mut trial = Trial::Run;
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{}:{}", page.display(), index + 1);
        if let Some(language) = line.strip_prefix("```") {
            inside = !inside;
            if inside {
                let (line, language) = (index + 2, language.to_owned());
                blocks.push(Block { line, language, trial, text: String::new() });
                trial = Trial::Run;
            }
        } else if inside {
            let block = blocks.last_mut().expect("one was begun");
            block.text += line;
            block.text.push('\n');
        } else if let Some(mark) = line.strip_prefix(MARK) {
            trial = match mark.strip_suffix(" -->") {
                Some("server") => Trial::Server,
                Some(reason) if reason.starts_with("not run, ") => Trial::Parse,
                _ => panic!("{}: {line} is not understood", place()),
            };
        } else if !line.is_empty() {
            assert_eq!(trial, Trial::Run, "{}: the comment before has no block", place());
        }
    }
    blocks
}

/// The words of every call of the program in a block, without its name.
pub(crate) fn calls(block: &Block) -> Vec<Vec<String>> {
    let commands = block.text.lines().flat_map(|line| line.split(" | "));
    let words = |command: &str| -> Option<Vec<String>> {
        let words = split(command);
        let at = words.iter().position(|word| word == "ironstar")?;
        // Variables may stand in front, nothing else.
        if words[..at].iter().any(|word| !word.contains('=')) {
            return None;
        }
        let words = words[at + 1..].iter();
        Some(words.take_while(|word| *word != ">").cloned().collect())
    };
    commands.filter_map(words).collect()
}

/// Words as a shell splits them, for the quotes that documents use.
fn split(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in command.chars() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
