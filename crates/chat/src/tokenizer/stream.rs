//! Token ids to text, one id at a time.

use std::str;

use super::Tokenizer;

/// Turns a stream of token ids into text without ever cutting a character in two.
///
/// A token may end inside a UTF-8 character; such bytes are held back until a later token
/// completes them. Bytes that can no longer become a character are given out as U+FFFD, in the
/// way of [`String::from_utf8_lossy`]: the concatenation of everything [`push`](Self::push) and
/// [`finish`](Self::finish) return equals the lossy conversion of all bytes at once.
#[derive(Debug, Clone, Default)]
pub struct StreamDecoder {
    held: Vec<u8>,
}

impl StreamDecoder {
    /// A decoder at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next token and returns the text that is now complete, which may be empty.
    ///
    /// An id outside the vocabulary has no bytes and adds nothing.
    pub fn push(&mut self, tokenizer: &Tokenizer, id: u32) -> String {
        self.push_bytes(tokenizer.token_bytes(id))
    }

    /// Returns what is still held back, as U+FFFD since it is not a whole character, and leaves
    /// the decoder at the start of a new text.
    pub fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        String::from_utf8_lossy(&held).into_owned()
    }

    /// The bytes held back, at most three.
    pub fn held_bytes(&self) -> &[u8] {
        &self.held
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> String {
        self.held.extend_from_slice(bytes);
        let n_complete = self.held.len() - incomplete_tail_bytes(&self.held);
        let complete: Vec<u8> = self.held.drain(..n_complete).collect();
        String::from_utf8_lossy(&complete).into_owned()
    }
}

/// Length of the beginning of a character at the end of `bytes` that later bytes may complete.
fn incomplete_tail_bytes(bytes: &[u8]) -> usize {
    // A character has at most four bytes, so an unfinished one has at most three.
    (1..=bytes.len().min(3))
        .rev()
        .find(|&n| {
            let tail = &bytes[bytes.len() - n..];
            str::from_utf8(tail)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pieces: &[&[u8]]) {
        let mut decoder = StreamDecoder::new();
        let mut text = String::new();
        for piece in pieces {
            text += &decoder.push_bytes(piece);
            assert!(decoder.held_bytes().len() <= 3);
        }
        text += &decoder.finish();
        assert!(decoder.held_bytes().is_empty());
        assert_eq!(text, String::from_utf8_lossy(&pieces.concat()));
    }

    #[test]
    fn whole_characters_come_out_as_soon_as_they_are_complete() {
        let mut decoder = StreamDecoder::new();
        let crab = "🦀".as_bytes();
        assert_eq!(decoder.push_bytes(&crab[..1]), "");
        assert_eq!(decoder.push_bytes(&crab[1..3]), "");
        assert_eq!(decoder.push_bytes(&[crab[3], b'!']), "🦀!");
        assert_eq!(decoder.finish(), "");
    }

    #[test]
    fn bytes_that_cannot_become_a_character_are_replaced_at_once() {
        let mut decoder = StreamDecoder::new();
        assert_eq!(decoder.push_bytes(&[0xff]), "\u{fffd}");
        assert_eq!(decoder.push_bytes(&[0xe2]), "");
        assert_eq!(decoder.push_bytes(b"a"), "\u{fffd}a");
        assert_eq!(decoder.push_bytes(&[0xf0, 0x9f]), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }

    fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        at.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
    }

    proptest! {
        #[test]
        fn any_split_of_valid_text_gives_the_text(text: String, cuts: Vec<usize>) {
            let pieces = cut(text.as_bytes(), &cuts);
            let mut decoder = StreamDecoder::new();
            let mut out: String = pieces.iter().map(|piece| decoder.push_bytes(piece)).collect();
            prop_assert!(decoder.held_bytes().is_empty());
            out += &decoder.finish();
            prop_assert_eq!(out, text);
        }

        #[test]
        fn any_split_of_any_bytes_is_the_lossy_conversion(bytes: Vec<u8>, cuts: Vec<usize>) {
            let pieces = cut(&bytes, &cuts);
            check(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
    }

    #[test]
    fn every_short_sequence_of_lead_and_trail_bytes_agrees_with_the_lossy_conversion() {
        let bytes = [0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xa0, 0xf0, 0x90, 0xf4, 0xf5];
        for a in bytes {
            for b in bytes {
                for c in bytes {
                    for d in bytes {
                        check(&[&[a], &[b], &[c], &[d]]);
                    }
                }
            }
        }
    }
}
