//! Reading a Hugging Face `tokenizer.json` as the plain data of a vocabulary.
//!
//! The file says more than a vocabulary: how text is normalised, split and decoded. None of that
//! is obeyed; it is compared with what V4 does, and a file that wants anything else is refused.

use std::collections::HashMap;

use deepseek_recipe_core::special_tokens::SpecialToken;
use serde::Deserialize;
use serde_json::Value;

use super::vocabulary::{self, CONTROL, USER_DEFINED, Vocabulary};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    normalizer: Value,
    pre_tokenizer: Value,
    model: Model,
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Joined(String),
    Pair(String, String),
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are those of the file format")]
struct AddedToken {
    id: u32,
    content: String,
    special: bool,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
}

/// The vocabulary in a `tokenizer.json`.
pub(super) fn parse(json: &[u8]) -> Result<Vocabulary> {
    let file: TokenizerFile =
        serde_json::from_slice(json).map_err(|source| Error::ParseTokenizer { source })?;
    check_is_v4(&file)?;
    let TokenizerFile { model, added_tokens, .. } = file;
    let n_tokens = model.vocab.len()
        + added_tokens.iter().filter(|token| !model.vocab.contains_key(&token.content)).count();
    let mut entries: Vec<Option<(String, i32)>> = vec![None; n_tokens];
    // BPE tokens of type 1 (normal); an added token may repeat one of them under the same id.
    let normal = model.vocab.into_iter().map(|(text, id)| (id, text, 1));
    let added = added_tokens
        .into_iter()
        .map(|token| (token.id, token.content, if token.special { CONTROL } else { USER_DEFINED }));
    for (id, text, kind) in normal.chain(added) {
        match entries.get_mut(id as usize) {
            Some(entry) if entry.as_ref().is_none_or(|(known, _)| *known == text) => {
                *entry = Some((text, kind));
            }
            _ => return Err(Error::TokenIds { id, n_tokens }),
        }
    }
    let mut tokens = Vec::with_capacity(n_tokens);
    let mut token_types = Vec::with_capacity(n_tokens);
    for (id, entry) in (0..).zip(entries) {
        let (text, kind) = entry.ok_or(Error::TokenIds { id, n_tokens })?;
        tokens.push(text);
        token_types.push(kind);
    }
    let id_of = |token: SpecialToken| {
        (0..).zip(&tokens).find(|(_, text)| *text == token.default_str()).map(|(id, _)| id)
    };
    let (bos, eos) = (id_of(SpecialToken::Bos), id_of(SpecialToken::Eos));
    let merges = model.merges.into_iter().map(Merge::joined).collect();
    Ok(Vocabulary { tokens, token_types, merges, pre: None, bos, eos })
}

impl Merge {
    fn joined(self) -> String {
        match self {
            Self::Joined(merge) => merge,
            Self::Pair(left, right) => format!("{left} {right}"),
        }
    }
}

fn check_is_v4(file: &TokenizerFile) -> Result<()> {
    let pre_tokenizer = vocabulary::pre_tokenizer()
        .map_err(|source| Error::BuildTokenizer { source })
        .map(|ours| serde_json::to_value(ours).expect("a pre-tokenizer is plain JSON"))?;
    let model = &file.model;
    let has_affix = [&model.continuing_subword_prefix, &model.end_of_word_suffix]
        .into_iter()
        .any(|affix| affix.as_ref().is_some_and(|affix| !affix.is_empty()));
    let normalizes = !file.normalizer.is_null()
        && file
            .normalizer
            .get("normalizers")
            .and_then(Value::as_array)
            .is_none_or(|n| !n.is_empty());
    let strips =
        file.added_tokens.iter().any(|token| token.single_word || token.lstrip || token.rstrip);
    let differences = [
        (model.kind.as_deref().is_some_and(|kind| kind != "BPE"), "model type"),
        (model.byte_fallback || model.ignore_merges || has_affix, "BPE variant"),
        (normalizes, "normalizer"),
        (file.pre_tokenizer != pre_tokenizer, "pre-tokenizer"),
        (strips, "way of matching added tokens"),
    ];
    match differences.into_iter().find(|(differs, _)| *differs) {
        Some((_, part)) => Err(Error::ForeignTokenizer { part }),
        None => Ok(()),
    }
}
