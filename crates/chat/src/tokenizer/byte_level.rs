//! The byte alphabet of byte-level BPE: every byte has a printable character that stands for it
//! in vocabulary files.
//!
//! Bytes 33–126, 161–172 and 174–255 stand for themselves as code points; the other 68 are
//! U+0100, U+0101, … in byte order (GPT-2's rule, model specification section g).

/// The character that spells `byte` in a vocabulary.
pub(crate) fn char_of_byte(byte: u8) -> char {
    if stands_for_itself(byte) {
        return char::from(byte);
    }
    let n_shifted_before = (0..byte).filter(|&lower| !stands_for_itself(lower)).count() as u32;
    char::from_u32(0x100 + n_shifted_before).expect("68 code points after U+0100 are characters")
}

/// The bytes a vocabulary entry stands for, or `None` when it is not written in the alphabet.
pub(crate) fn bytes_of_token(text: &str) -> Option<Vec<u8>> {
    text.chars().map(byte_of_char).collect()
}

fn byte_of_char(c: char) -> Option<u8> {
    match u32::from(c) {
        code @ 0..=0xff => Some(code as u8).filter(|&byte| stands_for_itself(byte)),
        code @ 0x100..0x121 => Some((code - 0x100) as u8),
        code @ 0x121..0x143 => Some((code - 0x121) as u8 + 0x7f),
        0x143 => Some(0xad),
        _ => None,
    }
}

fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, 33..=126 | 161..=172 | 174..=255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_is_a_bijection_and_agrees_with_the_library() {
        // Oracle: the alphabet of the `tokenizers` crate.
        let library = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        for byte in 0..=255 {
            let c = char_of_byte(byte);
            assert!(library.contains(&c), "byte {byte} is spelled {c:?}");
            assert_eq!(byte_of_char(c), Some(byte), "{c:?}");
        }
        assert_eq!(byte_of_char(' '), None);
        assert_eq!(byte_of_char('\u{144}'), None);
        assert_eq!(byte_of_char('｜'), None);
    }
}
