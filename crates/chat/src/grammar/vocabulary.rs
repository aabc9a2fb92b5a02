//! The tokenizer as `llguidance` sees it: a tree of the bytes of all tokens.

use std::sync::Arc;

use llguidance::toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::tokenizer::{PromptTokens, Tokenizer};

/// A tokenizer and the tree of its tokens.
struct Tokens {
    tokenizer: Arc<Tokenizer>,
    tree: TokTrie,
}

impl TokenizerEnv for Tokens {
    fn tok_trie(&self) -> &TokTrie {
        &self.tree
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.tree.tokenize_with_greedy_fallback(bytes, |text| self.tokenizer.encode_plain(text))
    }
}

/// The tree of a tokenizer's tokens. Added tokens are marked, so that no text spells them.
pub(super) fn tokens(tokenizer: Arc<Tokenizer>, control: &PromptTokens) -> TokEnv {
    let word = |id: u32| {
        let bytes = tokenizer.token_bytes(id);
        if tokenizer.is_added_token(id) {
            [&[TokTrie::SPECIAL_TOKEN_MARKER], bytes].concat()
        } else {
            bytes.to_vec()
        }
    };
    let words: Vec<Vec<u8>> = (0..tokenizer.vocab_size() as u32).map(word).collect();
    let tree = TokTrie::from(&TokRxInfo::new(words.len() as u32, control.eos), &words);
    Arc::new(Tokens { tokenizer, tree })
}
