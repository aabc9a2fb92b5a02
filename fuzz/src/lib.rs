//! Fuzz targets: functions that take any bytes and must not panic.
//!
//! A target does not only call the parser: what the parser accepts must be usable, and a violation
//! of that is a panic like any other.

pub mod kv_store;

use gguf::{Header, Tensor, TensorType, WriterBuilder};

/// A function to be fuzzed.
pub struct Target {
    /// The name on the command line and of the libFuzzer binary.
    pub name: &'static str,
    /// What must not panic.
    pub run: fn(&[u8]),
    /// Valid inputs to start mutations from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets that must hold. The canary is not among them.
pub const TARGETS: &[Target] = &[
    Target { name: "gguf_header", run: fuzz_gguf, seeds: gguf_files },
    Target { name: "kv_entry", run: kv_store::fuzz_kv_entry, seeds: kv_store::entries },
    Target { name: "kv_export", run: kv_store::fuzz_kv_export, seeds: kv_store::exports },
];

/// The target that must fail.
pub const CANARY: Target = Target { name: "canary", run: fuzz_canary, seeds: gguf_files };

/// Parses a GGUF file, reads its metadata in every way and decodes its tensors.
///
/// # Panics
/// If the parser accepted something unusable.
pub fn fuzz_gguf(data: &[u8]) {
    let Ok(header) = Header::parse(data) else { return };
    let metadata = &header.metadata;
    for (key, value) in metadata.iter() {
        assert!(metadata.value(key).is_some_and(|found| std::ptr::eq(found, value)), "own key");
        let n_answers = usize::from(metadata.u64(key).is_ok())
            + usize::from(metadata.f64(key).is_ok())
            + usize::from(metadata.bool(key).is_ok())
            + usize::from(metadata.string(key).is_ok())
            + usize::from(metadata.strings(key).is_ok())
            + usize::from(metadata.integers(key).is_ok())
            + usize::from(metadata.floats(key).is_ok());
        assert!(n_answers <= 1, "a value has one type");
    }
    for info in &header.tensors {
        let bytes = &data[info.offset as usize..][..info.bytes as usize];
        if info.kind.is_known() {
            let tensor = Tensor::new(&info.name, &info.dims, info.kind, bytes.to_vec())
                .expect("an accepted tensor has the size its dimensions say");
            assert_eq!(tensor.decode().is_ok(), info.kind.is_float(), "floats decode");
            assert_eq!(tensor.row(tensor.rows() - 1).len(), tensor.row_bytes(), "last row");
        }
    }
}

/// Fails on purpose: on inputs with the magic of a GGUF file and a version other than 3, none of
/// which is a seed.
///
/// # Panics
/// On such inputs.
pub fn fuzz_canary(data: &[u8]) {
    let version = data.strip_prefix(b"GGUF").and_then(|rest| rest.first());
    assert!(version.is_none_or(|&version| version == 3), "the canary sings");
}

fn gguf_files() -> Vec<Vec<u8>> {
    let empty = WriterBuilder::new().begin(Vec::new()).and_then(gguf::Writer::finish);
    [empty, every_type()].into_iter().map(|file| file.expect("the seeds are valid")).collect()
}

/// A file with several metadata types and a tensor of every known type.
fn every_type() -> gguf::Result<Vec<u8>> {
    let mut builder = WriterBuilder::new();
    builder
        .metadata("general.architecture", "seed")?
        .metadata("general.alignment", 32_u32)?
        .metadata("int", -5_i64)?
        .metadata("byte", 5_u8)?
        .metadata("float", 1e-6_f32)?
        .metadata("bool", true)?
        .metadata("strings", vec!["", "a", "\u{ff5c}"])?
        .metadata("ints", vec![0_u32, 4, 128])?
        .metadata("floats", vec![10.0_f64])?
        .metadata("bools", vec![true, false])?;
    for kind in TensorType::KNOWN {
        builder.tensor(kind.name(), &[kind.block_len() as u64, 2], kind)?;
    }
    let mut writer = builder.begin(Vec::new())?;
    for kind in TensorType::KNOWN {
        writer.tensor(kind.name(), &vec![0x35; 2 * kind.block_bytes()])?;
    }
    writer.finish()
}
