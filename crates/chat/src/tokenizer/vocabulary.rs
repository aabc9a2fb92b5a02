//! A vocabulary as plain data, checked and turned into the parts of a byte-level BPE.

use std::collections::HashMap;

use tokenizers::SplitDelimiterBehavior::Isolated;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

use super::byte_level::{bytes_of_token, char_of_byte};
use crate::error::{Error, Result, Source};

/// The three isolating splits of the `joyai-llm` pre-tokenizer, applied in this order, each inside
/// the pieces of the one before (model specification section g).
const SPLITS: [&str; 3] = [
    r"\p{N}{1,3}",
    "[一-龥\u{3040}-ゟ゠-ヿ]+",
    concat!(
        r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##,
        "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+",
        "| ?[\\p{P}\\p{S}]+[\r\n]*",
        "|\\s*[\r\n]+",
        r"|\s+(?!\S)",
        r"|\s+",
    ),
];

/// `tokenizer.ggml.pre` of the splits above.
const PRE_TOKENIZER: &str = "joyai-llm";

/// `tokenizer.ggml.token_type` of control tokens.
pub(super) const CONTROL: i32 = 3;
/// `tokenizer.ggml.token_type` of user-defined tokens, which are matched whole like control ones.
pub(super) const USER_DEFINED: i32 = 4;

/// A tokenizer's data as a GGUF file holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// `tokenizer.ggml.tokens`: the spelling of token `i`, in the byte alphabet except for added
    /// tokens.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.token_type`, one per token: 3 (control) and 4 (user-defined) are added
    /// tokens, everything else belongs to the BPE.
    pub token_types: Vec<i32>,
    /// `tokenizer.ggml.merges`: two tokens with a space between them, best rank first.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.pre`: `joyai-llm`, or absent.
    pub pre: Option<String>,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
}

impl Vocabulary {
    /// Checks what does not need a look at every token.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(found) = self.pre.as_ref().filter(|pre| *pre != PRE_TOKENIZER) {
            return Err(Error::ForeignPreTokenizer { found: found.clone() });
        }
        let n_tokens = self.tokens.len();
        if self.token_types.len() != n_tokens {
            return Err(Error::TokenTypeCount { n_tokens, n_token_types: self.token_types.len() });
        }
        for (role, id) in [("BOS", self.bos), ("EOS", self.eos)] {
            if let Some(id) = id.filter(|&id| id as usize >= n_tokens) {
                return Err(Error::SpecialToken { role, id, n_tokens });
            }
        }
        Ok(())
    }
}

/// Ids of the tokens that are matched as whole strings, ascending.
pub(super) fn added_ids(tokens: &[String], token_types: &[i32]) -> Vec<u32> {
    (0..)
        .zip(tokens.iter().zip(token_types))
        .filter(|(_, (token, kind))| matches!(**kind, CONTROL | USER_DEFINED) && !token.is_empty())
        .map(|(id, _)| id)
        .collect()
}

/// The bytes of all tokens in one vector, and where each token ends in it.
///
/// Added tokens are their own text. So is an entry that is not written in the byte alphabet, as
/// the byte-level decoder of the `tokenizers` crate has it.
pub(super) fn token_bytes(tokens: &[String], added_ids: &[u32]) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut ends = Vec::with_capacity(tokens.len());
    for (id, token) in (0..).zip(tokens) {
        let in_alphabet = match added_ids.binary_search(&id) {
            Ok(_) => None,
            Err(_) => bytes_of_token(token),
        };
        match in_alphabet {
            Some(decoded) => bytes.extend(decoded),
            None => bytes.extend_from_slice(token.as_bytes()),
        }
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// The BPE with its splits, and without any added token.
pub(super) fn build_bpe(tokens: Vec<String>, merges: &[String]) -> Result<tokenizers::Tokenizer> {
    let ids = ids_by_text(&tokens)?;
    for byte in 0..=u8::MAX {
        if !ids.contains_key(char_of_byte(byte).to_string().as_str()) {
            return Err(Error::MissingByte { byte });
        }
    }
    let merges = merge_pairs(merges, &ids)?;
    let vocab: Vocab = (0..).zip(tokens).map(|(id, token)| (token, id)).collect();
    let build = |source: Source| Error::BuildTokenizer { source };
    let bpe = BPE::builder().vocab_and_merges(vocab, merges).build().map_err(build)?;
    let mut tokenizer = tokenizers::Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer().map_err(build)?));
    Ok(tokenizer)
}

fn ids_by_text(tokens: &[String]) -> Result<HashMap<&str, u32>> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (second, token) in (0..).zip(tokens) {
        if let Some(first) = ids.insert(token.as_str(), second) {
            return Err(Error::DuplicateToken { text: token.clone(), first, second });
        }
    }
    Ok(ids)
}

/// Splits each merge into its two tokens.
///
/// The library assumes that the joined token exists and panics when it is longer than every
/// token, so this is checked here.
fn merge_pairs(merges: &[String], ids: &HashMap<&str, u32>) -> Result<Vec<(String, String)>> {
    let mut joined = String::new();
    let mut pairs = Vec::with_capacity(merges.len());
    for (index, merge) in merges.iter().enumerate() {
        let pair = merge.split_once(' ').filter(|(left, right)| {
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            [left, right, joined.as_str()].iter().all(|token| ids.contains_key(token))
        });
        let Some((left, right)) = pair else {
            return Err(Error::Merge { index, merge: merge.clone() });
        };
        pairs.push((left.to_owned(), right.to_owned()));
    }
    Ok(pairs)
}

/// The splits of DeepSeek V4, then the byte alphabet.
pub(super) fn pre_tokenizer() -> std::result::Result<PreTokenizerWrapper, Source> {
    let mut steps: Vec<PreTokenizerWrapper> = Vec::with_capacity(SPLITS.len() + 1);
    for pattern in SPLITS {
        steps.push(Split::new(SplitPattern::Regex(pattern.to_owned()), Isolated, false)?.into());
    }
    steps.push(ByteLevel::new(false, true, false).into());
    Ok(Sequence::new(steps).into())
}
