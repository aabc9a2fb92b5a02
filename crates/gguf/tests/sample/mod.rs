//! One small valid file with a value of every metadata type and a tensor of every known type.

use gguf::{TensorType, WriterBuilder};

/// Bytes of the tensor named after `kind`, which has two rows of one block.
pub(crate) fn tensor_data(kind: TensorType) -> Vec<u8> {
    (0..2 * kind.block_bytes()).map(|i| (i * 7 + kind.id() as usize) as u8).collect()
}

/// The whole file.
pub(crate) fn file() -> Vec<u8> {
    write().expect("the sample is valid")
}

fn write() -> gguf::Result<Vec<u8>> {
    let mut builder = WriterBuilder::new();
    builder
        .metadata("general.architecture", "sample")?
        .metadata("general.alignment", 64_u32)?
        .metadata("u8", 200_u8)?
        .metadata("i8", -100_i8)?
        .metadata("u16", 60_000_u16)?
        .metadata("i16", -30_000_i16)?
        .metadata("u32", 4_000_000_000_u32)?
        .metadata("i32", -2_000_000_000)?
        .metadata("u64", u64::MAX)?
        .metadata("i64", i64::MIN)?
        .metadata("f32", 1e-6_f32)?
        .metadata("f64", 0.1)?
        .metadata("bool", true)?
        .metadata("strings", vec!["", "a", "\u{ff5c}"])?
        .metadata("i32s", vec![0, 4, 128, -1])?
        .metadata("u64s", vec![1_u64, u64::MAX])?
        .metadata("f32s", vec![10.0_f32, 0.5])?
        .metadata("f64s", vec![0.1])?
        .metadata("bools", vec![true, false])?
        .metadata("bytes", vec![1_u8, 2, 3])?
        .metadata("empty", Vec::<i32>::new())?;
    for kind in TensorType::KNOWN {
        builder.tensor(kind.name(), &[kind.block_len() as u64, 2], kind)?;
    }
    let mut writer = builder.begin(Vec::new())?;
    for kind in TensorType::KNOWN {
        writer.tensor(kind.name(), &tensor_data(kind))?;
    }
    writer.finish()
}
