//! The tokenizer of the GGUF file: that of the checkpoint, or a byte vocabulary in its place.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, ensure};
use chat::Vocabulary;
use chat::deepseek_recipe_core::special_tokens::SpecialToken;
use gguf::WriterBuilder;

use crate::files::read_bounded;

/// Longest `tokenizer.json` read; the released one has 7 MB.
const MAX_TOKENIZER_BYTES: u64 = 256 << 20;

/// `tokenizer.ggml.pre` of DeepSeek V4.
const PRE_TOKENIZER: &str = "joyai-llm";

/// Values of `tokenizer.ggml.token_type`.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The first three tokens of every vocabulary of the family.
const FIRST_TOKENS: [&str; 3] =
    [SpecialToken::Bos.default_str(), SpecialToken::Eos.default_str(), "<｜▁pad▁｜>"];

/// Control tokens of prompts, the indispensable ones first (prompt specification, section 1).
const PROMPT_TOKENS: [&str; 20] = [
    SpecialToken::User.default_str(),
    SpecialToken::Assistant.default_str(),
    SpecialToken::ThinkingStart.default_str(),
    SpecialToken::ThinkingEnd.default_str(),
    SpecialToken::Dsml.default_str(),
    SpecialToken::LatestReminder.default_str(),
    "<｜action｜>",
    "<｜query｜>",
    "<｜authority｜>",
    "<｜domain｜>",
    "<｜title｜>",
    "<｜read_url｜>",
    SpecialToken::Ref.default_str(),
    SpecialToken::RefEnd.default_str(),
    SpecialToken::Box.default_str(),
    SpecialToken::BoxEnd.default_str(),
    SpecialToken::Point.default_str(),
    SpecialToken::PointEnd.default_str(),
    SpecialToken::Polygon.default_str(),
    SpecialToken::PolygonEnd.default_str(),
];

/// The vocabulary for a model of `vocab_size` rows, if there is one, and a note for the user.
pub(super) fn for_checkpoint(
    dir: &Path,
    vocab_size: u32,
) -> anyhow::Result<(Option<Vocabulary>, String)> {
    let path = dir.join("tokenizer.json");
    let vocab_size = vocab_size as usize;
    if path.is_file() {
        let vocabulary = read_vocabulary(&path, vocab_size)?;
        return Ok((Some(vocabulary), "tokenizer of the checkpoint".to_owned()));
    }
    let vocabulary = byte_vocabulary(vocab_size);
    let note = if vocabulary.is_some() {
        "no tokenizer.json: every byte is a token, for tests"
    } else {
        "no tokenizer, as there is no tokenizer.json and no room for a token per byte"
    };
    Ok((vocabulary, note.to_owned()))
}

/// Adds the keys of the tokenizer.
pub(super) fn add_metadata(
    vocabulary: Vocabulary,
    builder: &mut WriterBuilder,
) -> gguf::Result<()> {
    builder.metadata("tokenizer.ggml.model", "gpt2")?;
    builder.metadata("tokenizer.ggml.pre", PRE_TOKENIZER)?;
    builder.metadata("tokenizer.ggml.tokens", vocabulary.tokens)?;
    builder.metadata("tokenizer.ggml.token_type", vocabulary.token_types)?;
    builder.metadata("tokenizer.ggml.merges", vocabulary.merges)?;
    if let Some(bos) = vocabulary.bos {
        builder.metadata("tokenizer.ggml.bos_token_id", bos)?;
    }
    if let Some(eos) = vocabulary.eos {
        builder.metadata("tokenizer.ggml.eos_token_id", eos)?;
        // Published files pad with EOS too.
        builder.metadata("tokenizer.ggml.padding_token_id", eos)?;
    }
    builder.metadata("tokenizer.ggml.add_bos_token", false)?;
    Ok(())
}

/// What is needed of a `tokenizer.json`.
#[derive(serde::Deserialize)]
struct TokenizerFile {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(serde::Deserialize)]
struct Model {
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
}

/// Both spellings of a merge that `tokenizers` writes.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Merge {
    Joined(String),
    Pair(String, String),
}

#[derive(serde::Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
    special: bool,
}

fn read_vocabulary(path: &Path, vocab_size: usize) -> anyhow::Result<Vocabulary> {
    let json = read_bounded(path, MAX_TOKENIZER_BYTES)?;
    // The tokenizer checks what a vocabulary cannot show: splits, normaliser, gaps in the ids.
    let tokenizer = chat::Tokenizer::from_bytes(&json)
        .with_context(|| format!("{} cannot be used", path.display()))?;
    let file: TokenizerFile = serde_json::from_slice(&json)
        .with_context(|| format!("{} cannot be used", path.display()))?;
    let n_tokens = tokenizer.vocab_size();
    ensure!(
        n_tokens <= vocab_size,
        "{} has {n_tokens} tokens, but the model has only {vocab_size}",
        path.display()
    );
    let mut tokens: Vec<String> = (0..vocab_size).map(unused_token).collect();
    let mut token_types = vec![UNUSED; vocab_size];
    let normal = file.model.vocab.into_iter().map(|(text, id)| (id, text, NORMAL));
    let added = file
        .added_tokens
        .into_iter()
        .map(|token| (token.id, token.content, if token.special { CONTROL } else { USER_DEFINED }));
    for (id, text, kind) in normal.chain(added) {
        tokens[id as usize] = text;
        token_types[id as usize] = kind;
    }
    let merges = file.model.merges.into_iter().map(|merge| match merge {
        Merge::Joined(merge) => merge,
        Merge::Pair(left, right) => format!("{left} {right}"),
    });
    Ok(Vocabulary {
        tokens,
        token_types,
        merges: merges.collect(),
        pre: Some(PRE_TOKENIZER.to_owned()),
        bos: tokenizer.bos(),
        eos: tokenizer.eos(),
    })
}

/// A vocabulary in which every byte is a token, followed by as many prompt tokens as fit; `None`
/// if not even the bytes fit. Lets a checkpoint without a tokenizer be run as a chat model.
fn byte_vocabulary(vocab_size: usize) -> Option<Vocabulary> {
    let mut shifted = (0x100..).filter_map(char::from_u32);
    let bytes = (0..=u8::MAX).map(|byte| match byte {
        33..=126 | 161..=172 | 174..=255 => Some(char::from(byte)),
        _ => shifted.next(),
    });
    let first = FIRST_TOKENS.map(|text| (text.to_owned(), CONTROL));
    let bytes = bytes.flatten().map(|c| (c.to_string(), NORMAL));
    let prompt = PROMPT_TOKENS.map(|text| (text.to_owned(), CONTROL));
    let unused = (0..vocab_size).map(|id| (unused_token(id), UNUSED));
    let n_needed = FIRST_TOKENS.len() + 256;
    let n_used = n_needed + PROMPT_TOKENS.len();
    if vocab_size < n_needed {
        return None;
    }
    let used = first.into_iter().chain(bytes).chain(prompt);
    let (tokens, token_types) = used.chain(unused.skip(n_used)).take(vocab_size).unzip();
    Some(Vocabulary {
        tokens,
        token_types,
        merges: Vec::new(),
        pre: Some(PRE_TOKENIZER.to_owned()),
        bos: Some(0),
        eos: Some(1),
    })
}

fn unused_token(id: usize) -> String {
    format!("<|unused{id}|>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vocab_size: usize, n_prompt_tokens: usize, n_unused: usize) {
        let vocabulary = byte_vocabulary(vocab_size).expect("room for the bytes");
        let count = |kind| vocabulary.token_types.iter().filter(|found| **found == kind).count();
        assert_eq!(vocabulary.tokens.len(), vocab_size);
        assert_eq!(count(CONTROL), 3 + n_prompt_tokens, "{vocab_size}");
        assert_eq!(count(UNUSED), n_unused, "{vocab_size}");
        let tokenizer = chat::Tokenizer::from_gguf_parts(vocabulary).expect("a sound vocabulary");
        let all_bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(tokenizer.decode(&(3..259).collect::<Vec<_>>()).expect("ids"), all_bytes);
        assert_eq!(tokenizer.prompt_tokens().is_ok(), n_prompt_tokens >= 5, "{vocab_size}");
    }

    /// The oracle is the tokenizer, which builds the byte alphabet by itself.
    #[test]
    fn byte_vocabulary_is_a_tokenizer_of_every_size() {
        check(259, 0, 0);
        check(263, 4, 0);
        check(264, 5, 0);
        check(279, 20, 0);
        check(320, 20, 41);
        assert_eq!(byte_vocabulary(258), None);
    }
}
