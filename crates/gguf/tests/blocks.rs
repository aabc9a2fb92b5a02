//! Decoding and encoding against `testdata/blocks` (oracle: an independent numpy implementation)
//! and, where the space is small, against the definition of the format for every code.

use std::fs;
use std::path::Path;

use gguf::blocks::{f16, iq2_xxs, mxfp4, q4_k, released, small_floats};
use gguf::{Error, Tensor, TensorType};

fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/blocks").join(name);
    fs::read(path).expect("the vectors are part of the repository")
}

fn floats(name: &str) -> Vec<f32> {
    vector(name).as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Asserts equal bits, where all NaN are alike.
fn check(what: &str, found: &[f32], expected: &[f32]) {
    assert!(!expected.is_empty(), "{what}: nothing to compare");
    assert_eq!(found.len(), expected.len(), "{what}: number of weights");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
        assert!(same, "{what}: weight {i} is {found:e}, expected {expected:e}");
    }
}

#[test]
fn block_formats_decode_like_the_oracle() {
    for (name, kind) in [
        ("q8_0", TensorType::Q8_0),
        ("q2_k", TensorType::Q2K),
        ("q4_k", TensorType::Q4K),
        ("iq2_xxs", TensorType::Iq2Xxs),
        ("mxfp4", TensorType::Mxfp4),
    ] {
        let expected = floats(&format!("{name}.f32"));
        let columns = kind.block_len() as u64;
        let tensor = Tensor::new(name, &[columns, 16], kind, vector(&format!("{name}.bin")))
            .expect("the vectors are whole blocks");
        check(name, &tensor.decode().expect("holds floats"), &expected);
        let mut row = vec![0.0; kind.block_len()];
        kind.decode_row(tensor.row(15), &mut row);
        check(name, &row, &expected[15 * kind.block_len()..]);
    }
}

#[test]
fn iq2_xxs_tables_are_the_oracles() {
    let grid: Vec<f32> = iq2_xxs::GRID.iter().flatten().map(|&point| f32::from(point)).collect();
    check("grid", &grid, &floats("iq2_xxs_grid.f32"));
    let sign = |id: u8, j: u8| if iq2_xxs::signs(id) >> j & 1 == 1 { -1.0 } else { 1.0 };
    let signs: Vec<f32> = (0..128).flat_map(|id| (0..8).map(move |j| sign(id, j))).collect();
    check("signs", &signs, &floats("iq2_xxs_signs.f32"));
}

#[test]
fn q4_k_scales_and_minimums_use_every_bit_once() {
    // Of the 96 bits, each belongs to exactly one scale or minimum.
    for bit in 0..96 {
        let mut s = [0; q4_k::SCALES_BYTES];
        s[bit / 8] = 1 << (bit % 8);
        let set: u32 = (0..8)
            .map(|g| q4_k::scale_min(&s, g))
            .map(|(scale, min)| scale.count_ones() + min.count_ones())
            .sum();
        assert_eq!(set, 1, "bit {bit}");
    }
}

#[test]
fn small_floats_decode_like_the_oracle() {
    let e4m3: Vec<f32> = (0..=255).map(small_floats::e4m3_to_f32).collect();
    check("E4M3", &e4m3, &floats("e4m3.f32"));
    let e8m0: Vec<f32> = (0..=254).map(small_floats::e8m0_to_f32).collect();
    check("E8M0", &e8m0, &floats("e8m0.f32"));
    assert!(small_floats::e8m0_to_f32(255).is_nan());
}

/// The value of E2M1 by its definition: bias 1, subnormals in steps of one half.
#[test]
fn e2m1_table_follows_its_definition() {
    let by_definition = |code: u8| {
        let (exponent, mantissa) = (i32::from(code >> 1 & 3), f32::from(code & 1));
        let magnitude = match exponent {
            0 => mantissa / 2.0,
            _ => (1.0 + mantissa / 2.0) * 2.0_f32.powi(exponent - 1),
        };
        if code & 8 == 0 { magnitude } else { -magnitude }
    };
    let expected: Vec<f32> = (0..16).map(by_definition).collect();
    check("E2M1", &small_floats::E2M1, &expected);
}

#[test]
fn mxfp4_with_a_scale_of_nan_is_nan() {
    let mut block = [0x22; mxfp4::BYTES];
    block[mxfp4::E_OFFSET] = 255;
    let mut weights = [0.0; mxfp4::LEN];
    mxfp4::decode_block(&block, &mut weights);
    assert!(weights.iter().all(|weight| weight.is_nan()));
}

#[test]
fn released_formats_decode_like_the_oracle() {
    let fp8 = vector("fp8.bin");
    let (codes, scales) = fp8.split_at(3 * 300);
    let mut weights = vec![0.0; 3 * 300];
    for (codes, out) in codes.chunks(300).zip(weights.chunks_mut(300)) {
        released::decode_fp8_row(codes, scales, out);
    }
    check("FP8", &weights, &floats("fp8.f32"));

    let fp4 = vector("fp4.bin");
    let (packed, scales) = fp4.split_at(3 * 48);
    let mut weights = vec![0.0; 3 * 96];
    let rows = packed.chunks(48).zip(scales.chunks(3)).zip(weights.chunks_mut(96));
    for ((packed, scales), out) in rows {
        released::decode_fp4_row(packed, scales, out);
    }
    check("FP4", &weights, &floats("fp4.f32"));
}

/// The value of an IEEE binary16 by its definition.
fn f16_by_definition(code: u16) -> f32 {
    let (exponent, mantissa) = (i32::from(code >> 10 & 31), f32::from(code & 1023));
    let magnitude = match (exponent, code & 1023) {
        (31, 0) => f32::INFINITY,
        (31, _) => f32::NAN,
        (0, _) => mantissa * 2.0_f32.powi(-24),
        _ => (1.0 + mantissa / 1024.0) * 2.0_f32.powi(exponent - 15),
    };
    if code >> 15 == 0 { magnitude } else { -magnitude }
}

#[test]
fn every_f16_decodes_by_definition_and_encodes_back() {
    let codes: Vec<u16> = (0..=u16::MAX).collect();
    let bytes: Vec<u8> = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
    let mut weights = vec![0.0; codes.len()];
    TensorType::F16.decode_row(&bytes, &mut weights);
    let defined: Vec<f32> = codes.iter().map(|&code| f16_by_definition(code)).collect();
    check("F16, definition", &weights, &defined);
    let library: Vec<f32> = codes.iter().map(|&code| half::f16::from_bits(code).to_f32()).collect();
    check("F16, half crate", &weights, &library);
    for (&code, &weight) in codes.iter().zip(&weights) {
        if !weight.is_nan() {
            assert_eq!(f16::f32_to_f16(weight), code.to_le_bytes(), "code {code:04x}");
        }
    }
}

#[test]
fn every_bf16_is_the_upper_half_of_an_f32() {
    let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let mut weights = vec![0.0; 1 << 16];
    TensorType::Bf16.decode_row(&bytes, &mut weights);
    let defined: Vec<f32> =
        (0..=u16::MAX).map(|code| f32::from_bits(u32::from(code) << 16)).collect();
    check("BF16", &weights, &defined);
}

#[test]
fn sixteen_bit_floats_round_to_nearest_with_ties_to_even() {
    let encode = |kind: TensorType, weight: f32| {
        let mut bytes = Vec::new();
        kind.encode_row(&[weight], &mut bytes).expect("has an encoder");
        u16::from_le_bytes([bytes[0], bytes[1]])
    };
    for (weight, code) in [
        (1.0 + 1.0 / 2048.0, 0x3c00),        // halfway, down to even
        (1.0 + 3.0 / 2048.0, 0x3c02),        // halfway, up to even
        (1.0 + 1.0 / 2048.0 + 1e-6, 0x3c01), // just above halfway
        (65519.0, 0x7bff),                   // still nearest to 65504
        (65520.0, 0x7c00),                   // halfway to 65536, which is infinite
        (2.0_f32.powi(-25), 0),              // half of the least subnormal, down to even
        (2.0_f32.powi(-24) * 1.5, 2),        // halfway between two subnormals
    ] {
        assert_eq!(encode(TensorType::F16, weight), code, "F16 of {weight:e}");
    }
    for (weight, code) in [
        (1.0 + 1.0 / 256.0, 0x3f80),
        (1.0 + 3.0 / 256.0, 0x3f82),
        (1.0 + 1.1 / 256.0, 0x3f81),
        (f32::MAX, 0x7f80),
    ] {
        assert_eq!(encode(TensorType::Bf16, weight), code, "BF16 of {weight:e}");
    }
    assert_eq!(encode(TensorType::Bf16, f32::NAN) & 0x7fc0, 0x7fc0);
}

#[test]
fn q8_0_encodes_like_the_oracle() {
    let mut bytes = Vec::new();
    let weights = floats("q8_0_encode.f32");
    TensorType::Q8_0.encode_row(&weights, &mut bytes).expect("has an encoder");
    assert_eq!(bytes, vector("q8_0_encode.bin"));
}

#[test]
fn q8_0_encodes_numbers_out_of_range_without_panic() {
    let mut weights = [1.0; 32];
    weights[..3].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::MAX]);
    let mut bytes = Vec::new();
    TensorType::Q8_0.encode_row(&weights, &mut bytes).expect("has an encoder");
    assert_eq!(bytes[..2], f16::f32_to_f16(f32::INFINITY));
}

#[test]
fn f32_survives_encoding() {
    let weights = [0.0, -0.0, 1.5, f32::MAX, f32::MIN_POSITIVE / 2.0, f32::NEG_INFINITY];
    let mut bytes = Vec::new();
    TensorType::F32.encode_row(&weights, &mut bytes).expect("has an encoder");
    let mut decoded = [1.0; 6];
    TensorType::F32.decode_row(&bytes, &mut decoded);
    check("F32", &decoded, &weights);
}

#[test]
fn integers_and_unknown_types_are_no_floats() {
    let bytes: Vec<u8> = [7_i32, -1].iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = Tensor::new("ids", &[2], TensorType::I32, bytes).expect("valid");
    assert_eq!(tensor.decode_i32().expect("holds integers"), [7, -1]);
    let error = tensor.decode().expect_err("holds no floats");
    assert_eq!(error.to_string(), "tensor \"ids\" is of type I32 and cannot be read as f32");
    let other = Tensor::new("odd", &[2], TensorType::Other(14), Vec::new()).expect("valid");
    let error = other.decode().expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "tensor \"odd\" is of type ggml type 14 and cannot be read as f32"
    );
    for kind in [TensorType::I32, TensorType::Other(14)] {
        let error = kind.encode_row(&[0.0; 256], &mut Vec::new()).expect_err("holds no weights");
        assert!(matches!(error, Error::Unencodable { kind: found } if found == kind));
    }
}

/// Row sizes as the specification of the published files lists them.
#[test]
fn row_bytes_are_those_of_the_published_files() {
    for (kind, columns, row_bytes) in [
        (TensorType::Iq2Xxs, 4096, 1056),
        (TensorType::Q2K, 2048, 672),
        (TensorType::Q4K, 4096, 2304),
        (TensorType::Q4K, 2048, 1152),
        (TensorType::Q8_0, 4096, 4352),
        (TensorType::Mxfp4, 4096, 2176),
        (TensorType::F16, 4096, 8192),
        (TensorType::Bf16, 4096, 8192),
        (TensorType::F32, 4096, 16384),
        (TensorType::I32, 6, 24),
    ] {
        assert_eq!(kind.row_bytes(columns), row_bytes, "{kind}");
        assert_eq!(TensorType::from_id(kind.id()), kind);
    }
    assert_eq!(TensorType::from_id(14), TensorType::Other(14));
}
