//! An oracle of the format written again by hand, and every way in which a file can be wrong.

use super::*;

const FP: Fingerprint = Fingerprint([7; 32]);

fn head(frontier: Option<FrontierKind>) -> EntryHead {
    let tokens = if frontier.is_some() { Vec::new() } else { vec![1, 2, 0xffff_ffff] };
    let parent = BlockId::of(&FP, BlockId::NONE, &[9, 9, 9]);
    EntryHead { frontier, fingerprint: FP, parent, position: 6, tokens, created: 1_790_000_000 }
}

fn file(frontier: Option<FrontierKind>, payload: &[u8], compress: bool) -> Vec<u8> {
    let encoded = Encoded::new(head(frontier), payload.to_vec(), compress);
    [encoded.header, encoded.payload].concat()
}

/// The table in `FORMATS.md`, written again by hand.
#[test]
fn a_block_has_the_documented_bytes() {
    let file = file(None, b"payload", false);
    let parent = BlockId::of(&FP, BlockId::NONE, &[9, 9, 9]);
    let tokens = [1, 0, 0, 0, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    let mut expected = b"IRONSTKV\x01\0\0\0\x01\0\0\0".to_vec();
    expected.extend_from_slice(&[7; 32]);
    expected.extend_from_slice(parent.bytes());
    expected.extend_from_slice(&[6, 0, 0, 0, 3, 0, 0, 0]);
    expected.extend_from_slice(&1_790_000_000_u64.to_le_bytes());
    expected.extend_from_slice(&[7, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend_from_slice(blake3::hash(b"payload").as_bytes());
    let checksum = blake3::hash(&[expected.as_slice(), &tokens].concat());
    expected.extend_from_slice(checksum.as_bytes());
    expected.extend_from_slice(&tokens);
    expected.extend_from_slice(b"payload");
    assert_eq!(file, expected);
}

#[test]
fn what_is_written_comes_back() {
    let kinds = [FrontierKind::TurnEnd, FrontierKind::SystemPrompt, FrontierKind::Interval];
    for frontier in kinds.map(Some).into_iter().chain([None]) {
        for payload in [&b""[..], b"x", &[5; 10_000]] {
            for compress in [false, true] {
                let file = file(frontier, payload, compress);
                let n_bytes = file.len() as u64;
                let start = &file[..file.len().min(MAX_HEADER_BYTES)];
                let seen = Entry::parse(start, n_bytes).expect("a header");
                let (entry, read) = Entry::parse_file(file).expect("a file");
                assert_eq!((&entry, read.as_slice()), (&seen, payload));
                assert_eq!((entry.n_file_bytes(), entry.frontier), (n_bytes, frontier));
                assert_eq!(compress && payload.len() > 100, entry.is_compressed);
            }
        }
    }
}

#[test]
fn every_length_but_the_right_one_is_refused() {
    for compress in [false, true] {
        let whole = file(None, &[5; 300], compress);
        for length in 0..whole.len() {
            assert!(Entry::parse_file(whole[..length].to_vec()).is_err(), "{length} bytes");
        }
        assert!(Entry::parse_file([whole.as_slice(), b"x"].concat()).is_err(), "a byte more");
        assert!(Entry::parse_file(whole).is_ok());
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for compress in [false, true] {
        let whole = file(Some(FrontierKind::TurnEnd), &[5; 200], compress);
        for bit in 0..8 * whole.len() {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Entry::parse_file(bad).is_err(), "bit {bit}");
        }
    }
}

/// Files whose checksums hold and whose fields do not, as a hostile writer would make them.
#[test]
fn fields_without_sense_are_refused_though_checksums_hold() {
    let check = |at: usize, value: &[u8], expected: FormatError| {
        let mut bad = file(None, b"payload", false);
        bad[at..at + value.len()].copy_from_slice(value);
        let n_header = bad.len() - 7;
        let checksum = header_checksum(&bad[..FIXED_BYTES], &bad[FIXED_BYTES..n_header]);
        bad[CHECKSUM_AT..FIXED_BYTES].copy_from_slice(&checksum);
        assert_eq!(Entry::parse_file(bad).map(|_| ()), Err(expected));
    };
    let field = |field, found| FormatError::Field { field, found };
    check(0, b"GGUF", FormatError::NotAnEntry);
    check(8, &[2], FormatError::Version { found: 2 });
    check(12, &[3], field("kind", 3));
    check(12, &[2], field("reason", 0));
    check(13, &[2], field("codec", 2));
    check(14, &[1], field("reason", 1));
    check(15, &[1], field("reserved byte", 1));
    check(80, &[2], field("position", 2));
    check(84, &[0xff; 4], field("token count", 0xffff_ffff));
    check(96, &[0xff; 8], field("payload length", u64::MAX));
    check(104, &[0xff; 8], field("stored length", u64::MAX));
    check(104, &[8], field("stored length", 8));
    check(112, &[0; 32], FormatError::Checksum { part: "payload" });
    check(13, &[1], FormatError::Compression { expected: 7 });
}

/// 100 MB of zeros compress to a few kilobytes; a header may not promise less and get more.
#[test]
fn a_payload_that_decompresses_to_more_than_it_says_is_refused() {
    let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 1).expect("it compresses");
    let encoded = Encoded::new(head(None), bomb.clone(), false);
    let mut entry = encoded.entry;
    entry.is_compressed = true;
    entry.raw_bytes = 1000;
    let file = [entry.encode(), bomb].concat();
    let expected = FormatError::Compression { expected: 1000 };
    assert_eq!(Entry::parse_file(file).map(|_| ()), Err(expected));
}

#[test]
fn only_entries_have_names_of_entries() {
    let id = BlockId::of(&FP, BlockId::NONE, &[1]);
    for name in [Name::block(id), Name::frontier(id)] {
        assert_eq!(Name::parse(&name.to_string()), Some(name));
    }
    for bad in ["", "lock", "a.block", &format!("{id}"), &format!("{id}.block.tmp")] {
        assert_eq!(Name::parse(bad), None, "{bad}");
    }
}
