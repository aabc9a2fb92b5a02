//! Where a long text may be cut without changing its tokens.
//!
//! Tokenizing takes some 150 bytes of memory per byte of text and one core, so long texts are cut
//! into pieces that are tokenized side by side. A line break followed by something other than
//! whitespace always ends a piece of the splits: no alternative of theirs reaches over it, and none
//! looks behind it. Everything else in a text may be joined with its neighbour.

/// Bytes after which the next good place to cut is taken.
const PIECE_BYTES: usize = 1 << 16;

/// Longest run of whitespace characters that is left whole.
///
/// The regex engine behind the splits backtracks over such a run one character at a time and gives
/// up, by a panic, after ten million steps. This cut may change how the run is tokenized, never
/// what it decodes to.
const MAX_WHITESPACE_RUN: usize = 1 << 20;

/// Cuts a text into pieces whose tokens, one after the other, are those of the text.
pub(super) struct Pieces<'a> {
    rest: &'a str,
    piece_bytes: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { rest: text, piece_bytes: PIECE_BYTES }
    }

    fn first_cut(&self) -> Option<usize> {
        let mut n_whitespace = 0;
        let mut after_newline = false;
        for (at, c) in self.rest.char_indices() {
            if c.is_whitespace() {
                n_whitespace += 1;
                if n_whitespace > MAX_WHITESPACE_RUN {
                    return Some(at);
                }
            } else {
                if after_newline && at >= self.piece_bytes {
                    return Some(at);
                }
                n_whitespace = 0;
            }
            after_newline = c == '\n';
        }
        None
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (piece, rest) = self.rest.split_at(self.first_cut().unwrap_or(self.rest.len()));
        self.rest = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use tokenizers::pre_tokenizers::PreTokenizerWrapper;
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

    use super::super::vocabulary::pre_tokenizer;
    use super::*;

    static PRE_TOKENIZER: LazyLock<PreTokenizerWrapper> =
        LazyLock::new(|| pre_tokenizer().expect("the splits compile"));

    fn splits(text: &str) -> Vec<String> {
        let mut split = PreTokenizedString::from(text);
        PRE_TOKENIZER.pre_tokenize(&mut split).expect("it splits");
        let splits = split.get_splits(OffsetReferential::Original, OffsetType::None);
        splits
            .into_iter()
            .map(|(text, ..)| text.to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    }

    /// Oracle: the splits of the whole text. Cuts at every line break there is.
    fn check(text: &str) {
        let pieces: Vec<&str> = Pieces { rest: text, piece_bytes: 0 }.collect();
        assert_eq!(pieces.concat(), text);
        let cut: Vec<String> = pieces.into_iter().flat_map(splits).collect();
        assert_eq!(cut, splits(text), "{text:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn cuts_keep_the_splits(text in "(\n|\r|[ \t\u{b}\u{85}\u{a0}\u{180e}\u{200b}\u{2028}\u{3000}aZé1٣中ぁ.;<｜$+\u{301}\u{200d}🦀\u{0}\u{7f}]){0,12}") {
            check(&text);
        }

        #[test]
        fn cuts_keep_the_splits_of_any_lines(lines in prop::collection::vec(".{0,9}", 0..9)) {
            check(&lines.join("\n"));
        }
    }

    #[test]
    fn text_is_cut_at_lines_and_in_endless_whitespace_only() {
        let check = |text: &str, n_pieces: usize| {
            assert_eq!(Pieces::of(text).collect::<String>(), text);
            assert_eq!(Pieces::of(text).count(), n_pieces);
        };
        check("", 0);
        check("a\nb", 1);
        check(&"word ".repeat(PIECE_BYTES), 1);
        check(&"line\n".repeat(PIECE_BYTES), 5);
        check(&format!("a{}b", " ".repeat(2 * MAX_WHITESPACE_RUN + 1)), 3);
    }
}
