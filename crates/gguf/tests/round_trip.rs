//! What is written is read back: properties of writer, parser and mapping together.

mod sample;

use std::io::Write;

use gguf::{
    Array, Error, Header, MappedFile, Tensor, TensorBytes, TensorType, Value, WriterBuilder,
};
use proptest::prelude::*;

fn error_of<T>(result: gguf::Result<T>) -> String {
    result.err().expect("should be refused").to_string()
}

#[test]
fn the_sample_is_read_back() {
    let file = sample::file();
    let header = Header::parse(&file).expect("the sample is valid");
    assert_eq!((header.version, header.alignment), (3, 64));
    assert_eq!(header.data_offset % 64, 0);
    assert_eq!(header.tensors.len(), TensorType::KNOWN.len());
    for (info, kind) in header.tensors.iter().zip(TensorType::KNOWN) {
        assert_eq!((info.name.as_str(), info.kind), (kind.name(), kind));
        assert_eq!(info.dims, [kind.block_len() as u64, 2]);
        let data = &file[info.offset as usize..][..info.bytes as usize];
        assert_eq!(data, sample::tensor_data(kind));
        assert_eq!(header.tensor(kind.name()), Some(info));
    }
    assert!(header.tensor("absent").is_none());
}

#[test]
fn accessors_take_any_width_and_name_what_they_found() {
    let header = Header::parse(&sample::file()).expect("the sample is valid");
    let metadata = &header.metadata;
    for (key, value) in [("u8", 200), ("u16", 60_000), ("u32", 4_000_000_000), ("u64", u64::MAX)] {
        assert_eq!(metadata.u64(key).expect(key), value);
    }
    let floats = ["f32", "f64"].map(|key| metadata.f64(key).expect(key).to_bits());
    assert_eq!(floats, [f64::from(1e-6_f32), 0.1].map(f64::to_bits));
    assert!(metadata.bool("bool").expect("bool"));
    assert_eq!(metadata.string("general.architecture").expect("string"), "sample");
    assert_eq!(metadata.strings("strings").expect("strings"), ["", "a", "\u{ff5c}"]);
    assert_eq!(metadata.integers("i32s").expect("i32s"), [0, 4, 128, -1]);
    assert_eq!(metadata.integers("bytes").expect("bytes"), [1, 2, 3]);
    assert_eq!(metadata.floats("f32s").expect("f32s"), [10.0, 0.5]);
    assert_eq!(metadata.floats("f64s").expect("f64s"), [0.1]);
    assert_eq!(metadata.value("bools"), Some(&Value::Array(Array::Bool(vec![true, false]))));
    assert_eq!(metadata.optional_u64("absent").expect("may be absent"), None);
    let keys: Vec<&str> = metadata.iter().map(|(key, _)| key).take(3).collect();
    assert_eq!(keys, ["general.architecture", "general.alignment", "u8"]);

    for (error, expected) in [
        (error_of(metadata.u64("absent")), "metadata key \"absent\" is missing"),
        (
            error_of(metadata.u64("i8")),
            "metadata key \"i8\" should be an integer that is not negative, but is the integer -100",
        ),
        (
            error_of(metadata.u64("f64")),
            "metadata key \"f64\" should be an integer that is not negative, but is the f64 0.1",
        ),
        (
            error_of(metadata.optional_f64("u8")),
            "metadata key \"u8\" should be a float, but is the integer 200",
        ),
        (
            error_of(metadata.bool("strings")),
            "metadata key \"strings\" should be a boolean, but is an array of 3 strings",
        ),
        (
            error_of(metadata.strings("general.architecture")),
            "metadata key \"general.architecture\" should be an array of strings, but is a string",
        ),
        (
            error_of(metadata.integers("u64s")),
            "metadata key \"u64s\" should be an array of integers, but is an array of 2 u64",
        ),
        (
            error_of(metadata.string("bool")),
            "metadata key \"bool\" should be a string, but is the boolean true",
        ),
    ] {
        assert_eq!(error, expected);
    }
}

#[test]
fn a_mapped_tensor_outlives_its_file_handle() {
    let mut file = tempfile::NamedTempFile::new().expect("temporary file");
    file.write_all(&sample::file()).expect("written");
    let mapped = MappedFile::open(file.path()).expect("the sample is valid");
    let info = mapped.header().tensor("Q8_0").expect("in the sample").clone();
    let tensor = mapped.tensor("Q8_0").expect("in the sample");
    drop(mapped);
    assert_eq!((tensor.columns(), tensor.rows(), tensor.row_bytes()), (32, 2, 34));
    assert_eq!(*tensor.data, *sample::tensor_data(TensorType::Q8_0));
    assert_eq!(tensor.row(1), &sample::tensor_data(TensorType::Q8_0)[34..]);
    assert_eq!(tensor.data.file_range(), Some((info.offset, info.offset + 68)));
    let second_row = tensor.data.slice(34..68);
    assert_eq!(*second_row, *tensor.row(1));
    assert_eq!(second_row.file_range(), Some((info.offset + 34, info.offset + 68)));
    assert_eq!(TensorBytes::from(vec![1, 2]).file_range(), None);
}

#[test]
fn tensor_bytes_travel_between_threads() {
    fn check<T: Clone + Send + Sync + 'static>(bytes: &T, read: fn(&T) -> u8) {
        let moved = bytes.clone();
        assert_eq!(std::thread::spawn(move || read(&moved)).join().expect("no panic"), 3);
    }
    check(&TensorBytes::from(vec![1, 2, 3]), |bytes| bytes[2]);
}

#[test]
fn opening_what_is_no_model_says_so() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let open = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        error_of(MappedFile::open(&path))
    };
    assert_eq!(
        open("program", b"\x7fELF and more"),
        "not a GGUF file (the first four bytes are 7f 45 4c 46, expected 47 47 55 46)"
    );
    assert_eq!(
        open("empty", b""),
        "the file ends inside its header: magic at byte 0 needs 4 bytes and only 0 are left; \
         the download may be incomplete"
    );
    assert!(error_of(MappedFile::open(folder.path())).ends_with("is not a regular file"));
    assert!(matches!(
        MappedFile::open(folder.path().join("absent")),
        Err(Error::Io { action: "open", .. })
    ));
}

#[test]
fn a_tensor_has_the_bytes_its_dimensions_say() {
    let of =
        |dims: &[u64], n_bytes: usize| Tensor::new("t", dims, TensorType::Q8_0, vec![0; n_bytes]);
    assert_eq!(of(&[64, 2, 3], 6 * 68).expect("valid").rows(), 6);
    for (result, expected) in [
        (of(&[64], 67), "tensor \"t\" has 67 bytes of data, expected 68"),
        (
            of(&[33], 34),
            "tensor \"t\" at byte 0 has rows of 33 weights, which Q8_0 cannot store in blocks of 32",
        ),
        (of(&[], 0), "tensor \"t\" has 0 dimensions at byte 0, expected 1 to 4"),
        (of(&[32, 0], 0), "tensor \"t\" at byte 0 has the impossible dimensions [32, 0]"),
    ] {
        assert_eq!(error_of(result), expected);
    }
}

#[test]
fn the_writer_holds_to_its_declarations() {
    let declared = || {
        let mut builder = WriterBuilder::new();
        builder.tensor("a", &[3], TensorType::F32).expect("valid");
        builder.tensor("b", &[1], TensorType::F32).expect("valid");
        builder.begin(Vec::new()).expect("valid")
    };
    let order = "tensor data must be written in the order declared: expected ";

    assert_eq!(
        error_of(declared().tensor("b", &[0; 4])),
        format!("{order}Some(\"a\"), got Some(\"b\")")
    );
    let mut writer = declared();
    writer.begin_tensor("a").expect("its turn");
    writer.append(&[0; 8]).expect("room for 12");
    let wrong_size = |n: usize| format!("tensor \"a\" has {n} bytes of data, expected 12");
    assert_eq!(error_of(writer.append(&[0; 5])), wrong_size(13));
    assert_eq!(error_of(writer.begin_tensor("b")), wrong_size(8));
    writer.append(&[0; 4]).expect("room for 4");
    assert_eq!(error_of(writer.finish()), format!("{order}Some(\"b\"), got None"));

    let mut builder = WriterBuilder::new();
    builder.metadata("k", 1_u32).expect("new");
    assert_eq!(
        error_of(builder.metadata("k", 2_u32)),
        "metadata key \"k\" occurs a second time at byte 0"
    );
    builder.tensor("a", &[3], TensorType::F32).expect("valid");
    builder.tensor("a", &[3], TensorType::F32).expect("valid alone");
    assert!(matches!(builder.begin(Vec::new()), Err(Error::DuplicateTensor { .. })));
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        any::<u16>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<Vec<u8>>().prop_map(Value::from),
        any::<Vec<i16>>().prop_map(Value::from),
        any::<Vec<u32>>().prop_map(Value::from),
        any::<Vec<i64>>().prop_map(Value::from),
        any::<Vec<f32>>().prop_map(Value::from),
        any::<Vec<f64>>().prop_map(Value::from),
        any::<Vec<bool>>().prop_map(Value::from),
        any::<Vec<String>>().prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn any_file_is_read_back(
        pairs in prop::collection::hash_map("k\\PC{0,12}", any_value(), 0..12),
        rows in prop::collection::vec((0..TensorType::KNOWN.len(), 1_u64..4, 1_u64..4), 0..6),
        alignment_log2 in 3_u32..10,
    ) {
        let mut builder = WriterBuilder::new();
        builder.metadata("general.alignment", 1_u32 << alignment_log2).expect("new");
        for (key, value) in &pairs {
            builder.metadata(key, value.clone()).expect("keys are unique");
        }
        let mut tensors = Vec::new();
        for (i, &(kind, n_blocks, n_rows)) in rows.iter().enumerate() {
            let kind = TensorType::KNOWN[kind];
            let dims = [n_blocks * kind.block_len() as u64, n_rows];
            let data = vec![i as u8 + 1; kind.row_bytes(dims[0] as usize) * n_rows as usize];
            let name = format!("t{i}");
            builder.tensor(&name, &dims, kind).expect("valid");
            tensors.push((name, dims, kind, data));
        }
        let mut writer = builder.begin(Vec::new()).expect("valid");
        for (name, _, _, data) in &tensors {
            writer.tensor(name, data).expect("in order and complete");
        }
        let file = writer.finish().expect("complete");

        let header = Header::parse(&file).expect("what was written is valid");
        prop_assert_eq!(header.metadata.len(), pairs.len() + 1);
        for (key, value) in &pairs {
            let found = header.metadata.value(key).expect("was written");
            // Compared as text, since NaN differs from itself.
            prop_assert_eq!(format!("{found:?}"), format!("{value:?}"));
        }
        prop_assert_eq!(header.tensors.len(), tensors.len());
        for (info, (name, dims, kind, data)) in header.tensors.iter().zip(&tensors) {
            prop_assert_eq!((&info.name, info.dims.as_slice(), info.kind), (name, &dims[..], *kind));
            prop_assert_eq!(info.offset % (1 << alignment_log2), 0);
            prop_assert_eq!(&file[info.offset as usize..][..info.bytes as usize], data.as_slice());
        }
    }
}
