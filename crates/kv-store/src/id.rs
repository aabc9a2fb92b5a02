//! Names by content: what a state belongs to, and which tokens lead to it.

use std::fmt;

/// What makes a stored state usable: a hash over the weights, the tokenizer, the KV format and the
/// roundings. States of another fingerprint are never seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

/// A block's id: a hash of the fingerprint, the id of the block before it, and its tokens. So it
/// stands for all tokens from the beginning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId([u8; 32]);

impl Fingerprint {
    /// The first eight hexadecimal digits, to tell models apart in lists.
    #[must_use]
    pub fn short(&self) -> String {
        hex(&self.0[..4])
    }
}

/// The blocks that were asked about last. A conversation is asked about again and again while it
/// grows, by a thread that has tokens to compute, so only what is new is hashed.
#[derive(Default)]
pub(crate) struct LastChain {
    tokens: Vec<u32>,
    ids: Vec<BlockId>,
}

impl LastChain {
    /// The ids of all whole blocks of `tokens`, first to last. Fingerprint and size of blocks are the same
    /// in all calls.
    pub(crate) fn of(
        &mut self,
        fp: &Fingerprint,
        tokens: &[u32],
        block_tokens: usize,
    ) -> Vec<BlockId> {
        let blocks = tokens.chunks_exact(block_tokens);
        let n_blocks = blocks.len();
        let known = self.tokens.chunks_exact(block_tokens);
        let n_known = known.zip(blocks.clone()).take_while(|(known, block)| known == block).count();
        if n_known < n_blocks {
            self.tokens.truncate(n_known * block_tokens);
            self.ids.truncate(n_known);
        }
        for block in blocks.skip(n_known) {
            let parent = self.ids.last().copied().unwrap_or(BlockId::NONE);
            self.ids.push(BlockId::of(fp, parent, block));
            self.tokens.extend_from_slice(block);
        }
        self.ids[..n_blocks].to_vec()
    }
}

impl BlockId {
    /// What stands for the block before the first one.
    pub(crate) const NONE: Self = Self([0; 32]);

    /// The id of the block with `tokens` behind `parent`.
    pub(crate) fn of(fingerprint: &Fingerprint, parent: Self, tokens: &[u32]) -> Self {
        let mut bytes = Vec::with_capacity(96 + 4 * tokens.len());
        bytes.extend_from_slice(b"ironstar KV block 1\0");
        bytes.extend_from_slice(&fingerprint.0);
        bytes.extend_from_slice(&parent.0);
        bytes.extend(tokens.iter().flat_map(|token| token.to_le_bytes()));
        Self(*blake3::hash(&bytes).as_bytes())
    }

    /// The ids of all whole blocks of `tokens`, first to last, as plainly as can be.
    #[cfg(test)]
    pub(crate) fn chain(fp: &Fingerprint, tokens: &[u32], block_tokens: usize) -> Vec<Self> {
        let blocks = tokens.chunks_exact(block_tokens);
        let mut parent = Self::NONE;
        let ids = blocks.map(|block| {
            parent = Self::of(fp, parent, block);
            parent
        });
        ids.collect()
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..4]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit).collect()
}

fn hex_digit(value: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(value)])
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FP: Fingerprint = Fingerprint([7; 32]);

    #[test]
    fn an_id_depends_on_everything_before_it() {
        let chain = |tokens: &[u32]| BlockId::chain(&FP, tokens, 2);
        let all = chain(&[1, 2, 3, 4, 5]);
        assert_eq!(all.len(), 2, "the fifth token is no whole block");
        assert_eq!(all[..1], chain(&[1, 2]));
        assert_ne!(all[1], chain(&[3, 4])[0]);
        assert_ne!(all[1], chain(&[2, 2, 3, 4])[1]);
        assert_ne!(all[0], BlockId::chain(&Fingerprint([8; 32]), &[1, 2], 2)[0]);
        assert_ne!(all[1], BlockId::chain(&FP, &[1, 2, 3, 4], 4)[0]);
    }

    #[test]
    fn what_was_asked_before_changes_no_id() {
        let mut last = LastChain::default();
        let long: Vec<u32> = (0..40).collect();
        let other = [&long[..13], &[99; 20]].concat();
        let asked = [&long[..9], &long[..21], &long[..4], &long, &other, &other[..12], &long, &[]];
        for tokens in asked {
            assert_eq!(last.of(&FP, tokens, 4), BlockId::chain(&FP, tokens, 4), "{tokens:?}");
        }
    }

    #[test]
    fn hexadecimal_comes_back_and_nothing_else_does() {
        let id = BlockId::of(&FP, BlockId::NONE, &[1]);
        assert_eq!(BlockId::from_hex(&id.to_string()), Some(id));
        for bad in ["", "00", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
            assert_eq!(BlockId::from_hex(bad), None, "{bad}");
        }
    }
}
