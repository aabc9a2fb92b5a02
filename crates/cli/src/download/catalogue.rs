//! The published files, by short names.
//!
//! File names are those of ds4's own download script (antirez/ds4, `download_model.sh`, as of
//! September 2026 for the 0731 files and of May for the April ones). Sizes here are for advice
//! only: what a download must have is asked of the server.

use anyhow::{Result, anyhow};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It runs.
    Model,
    /// It goes with a model and does not run alone.
    Companion,
}

/// A published file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// What `-m` takes.
    pub(super) name: &'static str,
    /// Other names: those of ds4's script.
    aliases: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) repository: &'static str,
    pub(super) file: &'static str,
    pub(super) about_bytes: u64,
    pub(super) about: &'static str,
}

const ANTIREZ: &str = "antirez/deepseek-v4-gguf";

/// Models first, each group from small to large, which is from coarse to fine.
const CATALOGUE: [Entry; 9] = [
    Entry {
        name: "q2",
        aliases: &["0731", "q2-0731", "ds4f-q2"],
        kind: Kind::Model,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-IQ2XXS-w2Q2K-AProjQ8-SExpQ8-OutQ8-chat-v2-imatrix-0731.gguf",
        about_bytes: 86_720_111_488,
        about: "0731, experts in 2 bits",
    },
    Entry {
        name: "mixed",
        aliases: &["mixed-0731", "ds4f-q2-q4"],
        kind: Kind::Model,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-Layers37-42Q4KExperts-OtherExpertLayersIQ2XXSGateUp-Q2KDown-AProjQ8-\
               SExpQ8-OutQ8-chat-v2-imatrix-fixed-0731.gguf",
        about_bytes: 97_600_000_000,
        about: "0731, experts in 2 bits, those of the last six layers in 4",
    },
    Entry {
        name: "mxfp4",
        aliases: &["mxfp4-0731", "ds4f-mxfp4"],
        kind: Kind::Model,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-MXFP4Experts-F16HC-F16Compressor-F16Indexer-Q8Attn-Q8Shared-Q8Out-chat-\
               v2-mxfp4-0731.gguf",
        about_bytes: 156_000_000_000,
        about: "0731, experts as they were released",
    },
    Entry {
        name: "q4",
        aliases: &["q4-0731", "ds4f-q4"],
        kind: Kind::Model,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-Q4KExperts-F16HC-F16Compressor-F16Indexer-Q8Attn-Q8Shared-Q8Out-chat-\
               v2-imatrix-0731.gguf",
        about_bytes: 164_600_000_000,
        about: "0731, experts in 4 bits",
    },
    Entry {
        name: "q2-preview",
        aliases: &["q2-imatrix"],
        kind: Kind::Model,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-IQ2XXS-w2Q2K-AProjQ8-SExpQ8-OutQ8-chat-v2-imatrix.gguf",
        about_bytes: 86_700_000_000,
        about: "the April weights, experts in 2 bits",
    },
    Entry {
        name: "mixed-preview",
        aliases: &["q2-q4-imatrix"],
        kind: Kind::Model,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-Layers37-42Q4KExperts-OtherExpertLayersIQ2XXSGateUp-Q2KDown-AProjQ8-\
               SExpQ8-OutQ8-chat-v2-imatrix-fixed.gguf",
        about_bytes: 97_600_000_000,
        about: "the April weights, experts in 2 and 4 bits",
    },
    Entry {
        name: "q4-preview",
        aliases: &["q4-imatrix"],
        kind: Kind::Model,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-Q4KExperts-F16HC-F16Compressor-F16Indexer-Q8Attn-Q8Shared-Q8Out-chat-\
               v2-imatrix.gguf",
        about_bytes: 164_600_000_000,
        about: "the April weights, experts in 4 bits",
    },
    Entry {
        name: "mtp",
        aliases: &["mtp-preview"],
        kind: Kind::Companion,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-MTP-Q4K-Q8_0-F32.gguf",
        about_bytes: 3_800_000_000,
        about: "guesses ahead for the April weights",
    },
    Entry {
        name: "dspark",
        aliases: &["ds4f-dspark"],
        kind: Kind::Companion,
        repository: ANTIREZ,
        file: "DeepSeek-V4-Flash-DSpark-support-0731.gguf",
        about_bytes: 5_990_000_000,
        about: "guesses ahead for the 0731 weights",
    },
];

impl Entry {
    pub(super) fn all() -> impl Iterator<Item = &'static Self> {
        CATALOGUE.iter()
    }

    /// Files that run.
    pub(super) fn models() -> impl Iterator<Item = &'static Self> {
        Self::all().filter(|entry| entry.kind == Kind::Model)
    }

    /// The file of a name.
    pub(super) fn named(name: &str) -> Result<&'static Self> {
        let is_it = |entry: &&Self| entry.name == name || entry.aliases.contains(&name);
        Self::all().find(is_it).ok_or_else(|| {
            let names: Vec<_> = Self::all().map(|entry| entry.name).collect();
            anyhow!("there is no published file {name}; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unambiguous() {
        let mut names: Vec<_> = Entry::all()
            .flat_map(|entry| entry.aliases.iter().copied().chain([entry.name]))
            .collect();
        let n_names = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n_names);
        assert_eq!(Entry::named("0731").expect("an alias").name, "q2");
        let error = Entry::named("q3").expect_err("there is none").to_string();
        assert!(
            error.starts_with("there is no published file q3; there are q2, mixed,"),
            "{error}"
        );
    }

    #[test]
    fn file_names_are_in_one_piece() {
        for entry in Entry::all() {
            assert!(!entry.file.contains(char::is_whitespace), "{}", entry.file);
            assert!(entry.file.rsplit_once(".gguf").is_some_and(|(_, rest)| rest.is_empty()));
        }
    }
}
