//! Text to token ids and back, exactly as DeepSeek V4 was trained: byte-level BPE behind three
//! isolating splits.
//!
//! The work is done by the `tokenizers` crate; this module builds its parts from plain data (a
//! GGUF vocabulary, or the same data in a `tokenizer.json`), keeps the added tokens apart so that
//! text can be tokenized with or without them, and knows the raw bytes of every token.
//!
//! Data: one vocabulary, immutable after construction. Refuses: other pre-tokenizers, other
//! models than BPE, vocabularies that cannot spell every byte.

mod byte_level;
mod file;
mod pieces;
mod stream;
mod vocabulary;

use std::fmt;
use std::path::Path;

use aho_corasick::{AhoCorasick, MatchKind};
use deepseek_recipe::stream::StreamTokenizer;
use deepseek_recipe_core::special_tokens::SpecialToken;

pub use stream::StreamDecoder;
pub use vocabulary::Vocabulary;

use crate::error::{Error, Result};
use pieces::Pieces;

/// Pieces of text that are tokenized side by side: some hundreds of megabytes, however long the text.
const PIECES_AT_ONCE: usize = 32;

/// The DeepSeek V4 tokenizer.
///
/// Token ids are `0..vocab_size()`. *Added tokens* (BOS, `<｜User｜>`, `<think>`, …) are whole
/// strings outside the BPE; [`encode`](Self::encode) recognises them, and
/// [`encode_plain`](Self::encode_plain) never produces one.
pub struct Tokenizer {
    bpe: tokenizers::Tokenizer,
    /// Finds added tokens in text; pattern `i` has the id `added_ids[i]`.
    added: AhoCorasick,
    /// Ascending.
    added_ids: Vec<u32>,
    /// The bytes of all tokens, one after the other.
    bytes: Vec<u8>,
    /// Where each token ends in `bytes`.
    ends: Vec<usize>,
    bos: Option<u32>,
    eos: Option<u32>,
}

/// Ids of the control tokens that every V4 prompt or answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptTokens {
    /// `<｜begin▁of▁sentence｜>`, the first token of a prompt.
    pub bos: u32,
    /// `<｜end▁of▁sentence｜>`, which ends every assistant turn.
    pub eos: u32,
    /// `<｜User｜>`, which opens a user turn.
    pub user: u32,
    /// `<｜Assistant｜>`, which opens an assistant turn.
    pub assistant: u32,
    /// `<think>`, which opens reasoning.
    pub think_start: u32,
    /// `</think>`, which closes reasoning.
    pub think_end: u32,
    /// `｜DSML｜`, which marks the tags of tool calls.
    pub dsml: u32,
}

impl Tokenizer {
    /// Builds the tokenizer from the vocabulary of a GGUF file.
    ///
    /// # Errors
    /// If the file names another pre-tokenizer than `joyai-llm`, or the vocabulary contradicts
    /// itself: see the tokenizer variants of [`Error`].
    pub fn from_gguf_parts(vocabulary: Vocabulary) -> Result<Self> {
        vocabulary.check()?;
        let Vocabulary { tokens, token_types, merges, bos, eos, .. } = vocabulary;
        let added_ids = vocabulary::added_ids(&tokens, &token_types);
        let (bytes, ends) = vocabulary::token_bytes(&tokens, &added_ids);
        let added = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(added_ids.iter().map(|&id| &tokens[id as usize]))
            .map_err(|source| Error::BuildTokenizer { source: source.into() })?;
        let bpe = vocabulary::build_bpe(tokens, &merges)?;
        Ok(Self { bpe, added, added_ids, bytes, ends, bos, eos })
    }

    /// Builds the tokenizer from a Hugging Face `tokenizer.json`.
    ///
    /// # Errors
    /// If the file cannot be read or is not the tokenizer of DeepSeek V4.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let json = std::fs::read(path)
            .map_err(|source| Error::ReadTokenizer { path: path.to_owned(), source })?;
        Self::from_bytes(&json)
    }

    /// Builds the tokenizer from the bytes of a Hugging Face `tokenizer.json`.
    ///
    /// # Errors
    /// If the bytes are not the tokenizer of DeepSeek V4.
    pub fn from_bytes(json: &[u8]) -> Result<Self> {
        Self::from_gguf_parts(file::parse(json)?)
    }

    /// Tokenizes text in which added tokens are recognised. Adds no BOS.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut start = 0;
        for found in self.added.find_iter(text) {
            self.extend_plain(&mut ids, &text[start..found.start()]);
            ids.push(self.added_ids[found.pattern().as_usize()]);
            start = found.end();
        }
        self.extend_plain(&mut ids, &text[start..]);
        ids
    }

    /// Tokenizes text in which nothing is special: whatever a user writes, no control token comes
    /// out, and the ids decode to the same bytes. Adds no BOS.
    pub fn encode_plain(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        self.extend_plain(&mut ids, text);
        ids
    }

    pub(crate) fn extend_plain(&self, ids: &mut Vec<u32>, text: &str) {
        let mut pieces = Pieces::of(text);
        loop {
            // The library spreads a batch over the machine's cores, and holds all of it at once.
            let batch: Vec<&str> = pieces.by_ref().take(PIECES_AT_ONCE).collect();
            if batch.is_empty() {
                return;
            }
            let encodings = self
                .bpe
                .encode_batch_fast(batch, false)
                .expect("a vocabulary with all 256 bytes spells every text");
            for encoding in encodings {
                ids.extend_from_slice(encoding.get_ids());
            }
        }
    }

    /// The raw bytes of a sequence of tokens, which need not be UTF-8 at its ends.
    ///
    /// # Errors
    /// If an id is outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<u8>> {
        let vocab_size = self.vocab_size();
        let mut bytes = Vec::new();
        for &id in ids {
            if id as usize >= vocab_size {
                return Err(Error::UnknownToken { id, vocab_size });
            }
            bytes.extend_from_slice(self.token_bytes(id));
        }
        Ok(bytes)
    }

    /// The raw bytes of one token; none for an id outside the vocabulary.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        let index = id as usize;
        let Some(&end) = self.ends.get(index) else { return &[] };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..end]
    }

    /// The id of the token with this spelling in the vocabulary.
    ///
    /// Added tokens are spelled as they are, the others in the byte alphabet (` the` is `Ġthe`).
    pub fn token_id(&self, text: &str) -> Option<u32> {
        (*self.bpe).token_to_id(text)
    }

    /// Whether the id is an added token, which plain text never produces.
    pub fn is_added_token(&self, id: u32) -> bool {
        self.added_ids.binary_search(&id).is_ok()
    }

    /// Ids of the added tokens, ascending.
    pub fn added_token_ids(&self) -> &[u32] {
        &self.added_ids
    }

    /// Number of tokens, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.ends.len()
    }

    /// Id of the token that begins a prompt, if the vocabulary names one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// Id of the token that ends an answer, if the vocabulary names one.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// The control tokens of V4 prompts.
    ///
    /// # Errors
    /// If the vocabulary lacks some of them, as small test vocabularies do; the error names them.
    pub fn prompt_tokens(&self) -> Result<PromptTokens> {
        let mut missing = Vec::new();
        let mut id_of = |token: SpecialToken| {
            self.control_token(token.default_str()).unwrap_or_else(|| {
                missing.push(token.default_str().to_owned());
                0
            })
        };
        let tokens = PromptTokens {
            bos: id_of(SpecialToken::Bos),
            eos: id_of(SpecialToken::Eos),
            user: id_of(SpecialToken::User),
            assistant: id_of(SpecialToken::Assistant),
            think_start: id_of(SpecialToken::ThinkingStart),
            think_end: id_of(SpecialToken::ThinkingEnd),
            dsml: id_of(SpecialToken::Dsml),
        };
        if missing.is_empty() { Ok(tokens) } else { Err(Error::MissingControlTokens { missing }) }
    }

    /// The id of an added token by its spelling.
    pub(crate) fn control_token(&self, text: &str) -> Option<u32> {
        self.token_id(text).filter(|&id| self.is_added_token(id))
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("n_added_tokens", &self.added_ids.len())
            .field("bos", &self.bos)
            .field("eos", &self.eos)
            .finish_non_exhaustive()
    }
}

/// What the vendor's stream processor needs, so that it takes markup from control tokens only.
impl StreamTokenizer for Tokenizer {
    fn decode_ids(
        &self,
        ids: &[u32],
        skip_special_tokens: bool,
    ) -> std::result::Result<String, String> {
        let kept: Vec<u32> = ids
            .iter()
            .copied()
            .filter(|&id| !(skip_special_tokens && self.is_added_token(id)))
            .collect();
        let bytes = self.decode(&kept).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        (*self.bpe).id_to_token(id)
    }

    fn count_tokens(&self, text: &str) -> Option<usize> {
        Some(self.encode_plain(text).len())
    }

    fn is_special_token(&self, id: u32) -> bool {
        self.is_added_token(id)
    }
}
