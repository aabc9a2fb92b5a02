//! Conversations for tests: tokens, and payloads that follow from them.

use kv_store::{
    FrontierKind, Hit, NewFrontier, Options, ReadError, Receipt, Save, SaveError, Store,
};

pub(crate) const BLOCK_TOKENS: usize = 4;

/// Small blocks and more room than a test takes.
pub(crate) fn options() -> Options {
    Options { block_tokens: BLOCK_TOKENS, ..Options::new(1 << 30) }
}

/// `n_blocks` blocks of tokens that begin alike and differ after `n_shared` blocks by `seed`.
pub(crate) fn tokens(seed: u32, n_shared: usize, n_blocks: usize) -> Vec<u32> {
    let token = |n: usize| if n < n_shared * BLOCK_TOKENS { n as u32 } else { seed + n as u32 };
    (0..n_blocks * BLOCK_TOKENS).map(token).collect()
}

/// Bytes that nobody else than the tokens could lead to.
pub(crate) fn payload(what: &str, tokens: &[u32], n_bytes: usize) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new_derive_key(what);
    for token in tokens {
        hasher.update(&token.to_le_bytes());
    }
    let mut bytes = vec![0; n_bytes];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// How many bytes payloads have.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) block: usize,
    pub(crate) frontier: usize,
}

pub(crate) const SMALL: Sizes = Sizes { block: 50, frontier: 70 };

impl Sizes {
    pub(crate) fn block(self, tokens: &[u32], n: usize) -> Vec<u8> {
        payload("block", &tokens[..(n + 1) * BLOCK_TOKENS], self.block)
    }

    pub(crate) fn frontier(self, tokens: &[u32]) -> Vec<u8> {
        payload("frontier", tokens, self.frontier)
    }

    /// Saves what is new of `tokens`, with a frontier at the end, as an engine does.
    pub(crate) fn save(
        self,
        store: &Store,
        tokens: &[u32],
        kind: FrontierKind,
    ) -> Result<Receipt, SaveError> {
        let n_stored = store.n_stored_blocks(tokens);
        self.save_from(store, tokens, n_stored, kind)
    }

    pub(crate) fn save_from(
        self,
        store: &Store,
        tokens: &[u32],
        first: usize,
        kind: FrontierKind,
    ) -> Result<Receipt, SaveError> {
        let n_blocks = tokens.len() / BLOCK_TOKENS;
        store.save(Save {
            tokens,
            blocks: (first..n_blocks).map(|n| self.block(tokens, n)).collect(),
            frontier: Some(NewFrontier { kind, payload: self.frontier(tokens) }),
        })
    }

    /// Saves and waits.
    pub(crate) fn save_now(self, store: &Store, tokens: &[u32]) -> Result<(), SaveError> {
        self.save(store, tokens, FrontierKind::TurnEnd)?.wait()
    }

    /// Reads all of a hit, and compares it with what it must be.
    pub(crate) fn check_hit(self, hit: &Hit, tokens: &[u32]) -> Result<(), ReadError> {
        let tokens = &tokens[..hit.n_tokens()];
        for (n, block) in hit.blocks(0).enumerate() {
            assert!(block? == self.block(tokens, n), "block {n} is another one");
        }
        assert!(hit.frontier()? == self.frontier(tokens), "the frontier is another one");
        Ok(())
    }

    /// Looks up and reads, until there is nothing damaged on the way. Tokens of what was found.
    pub(crate) fn restore(self, store: &Store, tokens: &[u32]) -> usize {
        for _ in 0..1000 {
            let Some(hit) = store.lookup(tokens) else { return 0 };
            if self.check_hit(&hit, tokens).is_ok() {
                return hit.n_tokens();
            }
        }
        panic!("damaged entries are found again and again");
    }
}
