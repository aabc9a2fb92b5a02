//! Files that were damaged, cut short or made to hurt: each is refused with a message that says
//! what is wrong and where, and none makes the parser panic.

mod sample;

use gguf::Header;
use proptest::prelude::*;

const U8: u32 = 0;
const U32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
const F32_TENSOR: u32 = 0;
const Q4_K_TENSOR: u32 = 12;

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

fn pair(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&string(key.as_bytes())[..], &kind.to_le_bytes(), value].concat()
}

fn array(kind: u32, n_items: u64, items: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &n_items.to_le_bytes(), items].concat()
}

fn entry(name: &str, dims: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let dim_bytes: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
    let n_dims = (dims.len() as u32).to_le_bytes();
    [&string(name.as_bytes())[..], &n_dims, &dim_bytes, &kind.to_le_bytes(), &offset.to_le_bytes()]
        .concat()
}

/// A file with these pairs and directory entries, then 256 bytes of data and padding together.
fn file(pairs: &[Vec<u8>], entries: &[Vec<u8>]) -> Vec<u8> {
    let mut file = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
    file.extend((entries.len() as u64).to_le_bytes());
    file.extend((pairs.len() as u64).to_le_bytes());
    file.extend(pairs.concat());
    file.extend(entries.concat());
    file.resize(file.len() + 256, 0);
    file
}

fn check(file: &[u8], expected: &str) {
    let error = Header::parse(file).expect_err(expected);
    assert_eq!(error.to_string(), expected);
}

#[test]
fn wrong_beginnings() {
    check(
        b"PK\x03\x04",
        "not a GGUF file (the first four bytes are 50 4b 03 04, expected 47 47 55 46)",
    );
    let mut old = file(&[], &[]);
    old[4] = 2;
    check(&old, "the file is GGUF version 2, but only version 3 (little endian) can be read");
    let mut many = file(&[], &[]);
    many[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    check(
        &many,
        "the number of tensors at byte 8 is 18446744073709551615, more than the 264 bytes after \
         it could hold; the file is damaged",
    );
    let mut many = file(&[], &[]);
    many[16..24].copy_from_slice(&19_u64.to_le_bytes());
    check(
        &many,
        "the number of metadata pairs at byte 16 is 19, more than the 256 bytes after it could \
         hold; the file is damaged",
    );
}

#[test]
fn wrong_metadata() {
    let one = |pair: Vec<u8>, expected: &str| check(&file(&[pair], &[]), expected);
    one(pair("k", 13, &[]), "metadata key \"k\" has the unknown value type 13 at byte 33");
    one(
        pair("k", ARRAY, &array(13, 0, &[])),
        "metadata key \"k\" has the unknown value type 13 at byte 37",
    );
    one(
        pair("k", ARRAY, &array(ARRAY, 1, &array(U8, 0, &[]))),
        "metadata key \"k\" holds an array of arrays at byte 37, which is not supported",
    );
    one(
        pair("k", BOOL, &[2]),
        "metadata key \"k\" holds a boolean of value 2 at byte 37, expected 0 or 1",
    );
    one(
        pair("k", STRING, &string(b"\xff")),
        "value of metadata key \"k\" at byte 45 is not valid UTF-8",
    );
    one(
        pair("k", ARRAY, &array(STRING, 1, &string(b"\xc3"))),
        "array item of metadata key \"k\" at byte 57 is not valid UTF-8",
    );
    one(pair("", U8, &[0]), "the metadata key at byte 24 has 0 bytes, expected 1 to 65535");
    one(
        pair(&"k".repeat(65_536), U8, &[0]),
        "the metadata key at byte 24 has 65536 bytes, expected 1 to 65535",
    );
    let mut bad_key = file(&[pair("k", U8, &[0])], &[]);
    bad_key[32] = 0x80;
    check(&bad_key, "metadata key at byte 32 is not valid UTF-8");
    check(
        &file(&[pair("k", U8, &[0]), pair("k", U8, &[0])], &[]),
        "metadata key \"k\" occurs a second time at byte 38",
    );
}

#[test]
fn lengths_beyond_the_file_allocate_nothing() {
    let one = |pair: Vec<u8>, expected: &str| check(&file(&[pair], &[]), expected);
    one(
        pair("k", STRING, &u64::MAX.to_le_bytes()),
        "the file ends inside its header: value of metadata key \"k\" at byte 45 needs \
         18446744073709551615 bytes and only 256 are left; the download may be incomplete",
    );
    one(
        pair("k", ARRAY, &array(U32, 1 << 62, &[])),
        "the file ends inside its header: array of metadata key \"k\" at byte 49 needs \
         18446744073709551615 bytes and only 256 are left; the download may be incomplete",
    );
    one(
        pair("k", ARRAY, &array(STRING, 1 << 62, &[])),
        "the file ends inside its header: array item of metadata key \"k\" at byte 305 needs 8 \
         bytes and only 0 are left; the download may be incomplete",
    );
    one(
        pair("k", ARRAY, &array(BOOL, 1 << 62, &[])),
        "the file ends inside its header: value of metadata key \"k\" at byte 305 needs 1 \
         bytes and only 0 are left; the download may be incomplete",
    );
}

#[test]
fn a_header_has_a_greatest_length() {
    // The array would end one byte after the limit, inside the file.
    let n_items = gguf::MAX_HEADER_BYTES - 49 + 1;
    let mut file = file(&[pair("k", ARRAY, &array(U8, n_items, &[]))], &[]);
    file.resize(gguf::MAX_HEADER_BYTES as usize + 1, 0);
    check(
        &file,
        "array of metadata key \"k\" at byte 49 lies beyond the 268435456 bytes that a header may \
         have",
    );
}

#[test]
fn impossible_alignments() {
    for found in [0_u32, 1, 4, 24, 4 << 20, u32::MAX] {
        check(
            &file(&[pair("general.alignment", U32, &found.to_le_bytes())], &[]),
            &format!("general.alignment is {found}, expected a power of two from 8 to 2097152"),
        );
    }
    check(
        &file(&[pair("general.alignment", BOOL, &[1])], &[]),
        "metadata key \"general.alignment\" should be an integer that is not negative, but is the \
         boolean true",
    );
}

#[test]
fn impossible_tensors() {
    let one = |entry: Vec<u8>, expected: &str| check(&file(&[], &[entry]), expected);
    one(
        entry("", &[1], F32_TENSOR, 0),
        "the tensor name at byte 24 has 0 bytes, expected 1 to 1024",
    );
    one(
        entry("t", &[], F32_TENSOR, 0),
        "tensor \"t\" has 0 dimensions at byte 33, expected 1 to 4",
    );
    one(
        entry("t", &[1; 5], F32_TENSOR, 0),
        "tensor \"t\" has 5 dimensions at byte 33, expected 1 to 4",
    );
    one(
        entry("t", &[1, 0], F32_TENSOR, 0),
        "tensor \"t\" at byte 24 has the impossible dimensions [1, 0]",
    );
    // The number of weights overflows, and, with one weight less per row, only the bytes do.
    one(
        entry("t", &[1 << 32, 1 << 32], F32_TENSOR, 0),
        "tensor \"t\" at byte 24 has the impossible dimensions [4294967296, 4294967296]",
    );
    one(
        entry("t", &[1 << 32, (1 << 32) - 1], F32_TENSOR, 0),
        "tensor \"t\" at byte 24 has the impossible dimensions [4294967296, 4294967295]",
    );
    one(
        entry("t", &[128], Q4_K_TENSOR, 0),
        "tensor \"t\" at byte 24 has rows of 128 weights, which Q4_K cannot store in blocks of 256",
    );
    one(
        entry("t", &[1], F32_TENSOR, 8),
        "tensor \"t\" begins 8 bytes into the data, which is no multiple of the alignment 32 \
         (directory entry at byte 24)",
    );
    check(
        &file(&[], &[entry("t", &[1], F32_TENSOR, 0), entry("t", &[1], F32_TENSOR, 0)]),
        "tensor \"t\" occurs a second time at byte 57",
    );
}

#[test]
fn tensors_outside_the_file() {
    let one = |entry: Vec<u8>, expected: &str| check(&file(&[], &[entry]), expected);
    // The directory ends at byte 57, the data begins at 64 and the file has 313 bytes.
    assert!(Header::parse(&file(&[], &[entry("t", &[62], F32_TENSOR, 0)])).is_ok());
    let needs = "tensor \"t\" needs";
    let but = "on, but the file has 313 bytes; the download may be incomplete (directory entry at byte 24)";
    one(entry("t", &[63], F32_TENSOR, 0), &format!("{needs} 252 bytes from byte 64 {but}"));
    one(entry("t", &[1], F32_TENSOR, 256), &format!("{needs} 4 bytes from byte 320 {but}"));
    let last = u64::MAX - 31;
    one(
        entry("t", &[1], F32_TENSOR, last),
        &format!("{needs} 4 bytes from byte {} {but}", u64::MAX),
    );
}

#[test]
fn names_in_messages_are_escaped() {
    check(
        &file(&[], &[entry("\u{1b}[2J", &[1, 0], F32_TENSOR, 0)]),
        "tensor \"\\u{1b}[2J\" at byte 24 has the impossible dimensions [1, 0]",
    );
}

#[test]
fn overlapping_and_unknown_tensors_are_accepted() {
    let entries = [
        entry("a", &[16], F32_TENSOR, 0),
        entry("b", &[16], F32_TENSOR, 32),
        entry("c", &[7, 3], 14, 32),
    ];
    let header = Header::parse(&file(&[], &entries)).expect("valid");
    let place =
        |name| header.tensor(name).map(|info| (info.offset - header.data_offset, info.bytes));
    assert_eq!(
        [place("a"), place("b"), place("c")],
        [Some((0, 64)), Some((32, 64)), Some((32, 0))]
    );
    assert_eq!(header.tensors[2].kind.to_string(), "ggml type 14");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let file = sample::file();
    let header = Header::parse(&file).expect("the sample is valid");
    let data_end = header.tensors.iter().map(|info| info.offset + info.bytes).max();
    let data_end = data_end.expect("the sample has tensors") as usize;
    for n_bytes in 0..data_end {
        assert!(Header::parse(&file[..n_bytes]).is_err(), "cut to {n_bytes} bytes");
    }
    assert!(Header::parse(&file[..data_end]).is_ok());
}

/// Whatever the parser accepts must be usable: every tensor inside the file and of the size that
/// its dimensions say.
fn check_accepted(file: &[u8]) {
    let Ok(header) = Header::parse(file) else { return };
    assert_eq!(header.version, 3);
    for info in &header.tensors {
        let data = &file[info.offset as usize..][..info.bytes as usize];
        if info.kind.is_known() {
            let tensor = gguf::Tensor::new(&info.name, &info.dims, info.kind, data.to_vec())
                .expect("an accepted tensor has the size its dimensions say");
            assert_eq!(tensor.decode().is_ok(), info.kind.is_float());
        }
    }
}

#[test]
fn any_flipped_bit_of_the_header_is_survived() {
    let mut file = sample::file();
    let header_bytes = Header::parse(&file).expect("the sample is valid").data_offset as usize;
    for bit in 0..8 * header_bytes {
        file[bit / 8] ^= 1 << (bit % 8);
        check_accepted(&file);
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Header::parse(&file).is_ok(), "every bit was flipped back");
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        check_accepted(&bytes);
    }

    #[test]
    fn random_bytes_after_a_valid_beginning_are_survived(
        n_tensors in 0_u64..4,
        n_pairs in 0_u64..4,
        bytes in prop::collection::vec(prop_oneof![Just(0), 0_u8..16, any::<u8>()], 0..512),
    ) {
        let start = [&b"GGUF"[..], &3_u32.to_le_bytes()].concat();
        let counts = [n_tensors.to_le_bytes(), n_pairs.to_le_bytes()].concat();
        check_accepted(&[start, counts, bytes].concat());
    }

    #[test]
    fn mutated_files_are_survived(
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        duplicated in any::<prop::sample::Index>(),
    ) {
        let mut file = sample::file();
        for (index, byte) in mutations {
            let index = index.index(file.len());
            file[index] = byte;
        }
        check_accepted(&file);
        let (from, to) = (cut.index(file.len()), duplicated.index(file.len()));
        let spliced = [&file[..from.max(to)], &file[from.min(to)..]].concat();
        check_accepted(&spliced);
    }
}
