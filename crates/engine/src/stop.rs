//! Stop strings, found in text that arrives in pieces.
//!
//! A stop string may begin in one piece and end in another, so text that could still become one is
//! held back: what has been let through never contains any part of the stop string that ends the
//! answer. Where the pieces are cut makes no difference to the text that comes out.

use crate::error::{Error, Result};

/// Searches a stream of text for the first stop string.
#[derive(Debug, Clone, Default)]
pub struct StopStrings {
    strings: Vec<String>,
    held: String,
    found: bool,
}

/// What a piece of text amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Text that may be shown now.
    pub visible: String,
    /// Whether a stop string was found; the text ends before it.
    pub stopped: bool,
}

impl StopStrings {
    /// A search at the start of a text.
    ///
    /// # Errors
    /// If a string is empty.
    pub fn new(strings: Vec<String>) -> Result<Self> {
        if strings.iter().any(String::is_empty) {
            return Err(Error::EmptyStopString);
        }
        Ok(Self { strings, held: String::new(), found: false })
    }

    /// Takes the next piece of text. After a stop string was found, nothing is visible any more.
    pub fn push(&mut self, text: &str) -> Scan {
        if self.found {
            return Scan { visible: String::new(), stopped: true };
        }
        self.held.push_str(text);
        if let Some(start) = self.first_match() {
            self.found = true;
            self.held.truncate(start);
            return Scan { visible: std::mem::take(&mut self.held), stopped: true };
        }
        let kept = self.held.split_off(self.begun_match());
        Scan { visible: std::mem::replace(&mut self.held, kept), stopped: false }
    }

    /// Returns what is still held back: the text has ended, and it did not become a stop string.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Where the stop string begins that ends first; of those that end together, the longest.
    fn first_match(&self) -> Option<usize> {
        let matches = self.strings.iter().filter_map(|string| {
            let start = self.held.find(string)?;
            Some((start + string.len(), start))
        });
        matches.min().map(|(_, start)| start)
    }

    /// Where the longest tail begins that is the beginning of a stop string.
    fn begun_match(&self) -> usize {
        let longest = self.strings.iter().map(String::len).max().unwrap_or(0);
        self.held
            .char_indices()
            .map(|(start, _)| start)
            .filter(|start| self.held.len() - start < longest)
            .find(|start| self.strings.iter().any(|s| s.starts_with(&self.held[*start..])))
            .unwrap_or(self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The visible text, and whether it was stopped.
    fn scan(strings: &[&str], pieces: &[&str]) -> (String, bool) {
        let strings = strings.iter().map(ToString::to_string).collect();
        let mut stop = StopStrings::new(strings).expect("no empty string");
        let mut visible = String::new();
        for piece in pieces {
            let scan = stop.push(piece);
            visible += &scan.visible;
            if scan.stopped {
                assert_eq!(stop.push("more"), Scan { visible: String::new(), stopped: true });
                assert_eq!(stop.finish(), "");
                return (visible, true);
            }
        }
        (visible + &stop.finish(), false)
    }

    #[test]
    fn stop_strings_end_the_text() {
        let check = |strings: &[&str], pieces: &[&str], expected: &str, stopped: bool| {
            assert_eq!(scan(strings, pieces), (expected.to_owned(), stopped), "{pieces:?}");
        };
        check(&[], &["a", "b"], "ab", false);
        check(&["END"], &["one E", "ND two"], "one ", true);
        check(&["END"], &["one E", "N two"], "one EN two", false);
        check(&["END"], &["ENEND"], "EN", true);
        check(&["END"], &["E", "N", "E", "N", "D"], "EN", true);
        check(&["END"], &["the EN"], "the EN", false);
        // The one that ends first wins, wherever it begins.
        check(&["abcd", "bc"], &["abcd"], "a", true);
        check(&["abc", "c"], &["xabc"], "x", true);
        check(&["ü–"], &["grü", "–n"], "gr", true);
        check(&["ü–"], &["grün"], "grün", false);
    }

    #[test]
    fn only_a_begun_stop_string_is_held_back() {
        let mut stop = StopStrings::new(vec!["END".to_owned()]).expect("no empty string");
        assert_eq!(stop.push("an EN").visible, "an ");
        assert_eq!(stop.push("G").visible, "ENG");
    }

    #[test]
    fn an_empty_stop_string_is_an_error() {
        assert!(matches!(StopStrings::new(vec![String::new()]), Err(Error::EmptyStopString)));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_text(
            text in "[abü]{0,40}",
            strings in prop::collection::vec("[abü]{1,4}", 0..4),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
            let borders: Vec<usize> =
                text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&borders)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            let whole = scan(&strings, &[&text]);
            prop_assert_eq!(&scan(&strings, &pieces), &whole);
            let (visible, stopped) = whole;
            prop_assert!(text.starts_with(&visible));
            prop_assert!(strings.iter().all(|string| !visible.contains(string)));
            prop_assert_eq!(stopped, strings.iter().any(|string| text.contains(string)));
        }
    }
}
