//! Every kernel against the portable definition (the same bits) and against decoded weights in
//! f64 (the oracle: gguf's decoders, checked against another implementation there).

use gguf::TensorType;

use super::*;
use crate::activation::{BLOCK_LEN, Quantized};

/// Deterministic numbers without a pattern.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }

    fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }

    /// Random bytes with scales that are finite and of ordinary size.
    fn weights(&mut self, kind: TensorType, n_rows: usize, columns: usize) -> Vec<u8> {
        let n_blocks = n_rows * columns / kind.block_len();
        let mut bytes = Vec::new();
        for _ in 0..n_blocks {
            let mut block: Vec<u8> = (0..kind.block_bytes()).map(|_| self.next() as u8).collect();
            let half = half::f16::from_f32(self.float() * 0.1).to_le_bytes();
            match kind {
                TensorType::Q8_0 | TensorType::Iq2Xxs => block[..2].copy_from_slice(&half),
                TensorType::Q4K => {
                    block[..2].copy_from_slice(&half);
                    block[2..4].copy_from_slice(&half);
                }
                TensorType::Q2K => {
                    block[80..82].copy_from_slice(&half);
                    block[82..84].copy_from_slice(&half);
                }
                TensorType::Mxfp4 => block[0] = 118 + block[0] % 10,
                TensorType::F16 => block.copy_from_slice(&half),
                TensorType::Bf16 => {
                    block.copy_from_slice(&half::bf16::from_f32(self.float()).to_le_bytes());
                }
                _ => block.copy_from_slice(&self.float().to_le_bytes()),
            }
            bytes.extend(block);
        }
        bytes
    }
}

fn available() -> impl Iterator<Item = Available> {
    Isa::ALL.into_iter().filter_map(Available::new)
}

const INTEGER_TYPES: [TensorType; 5] =
    [TensorType::Q8_0, TensorType::Q2K, TensorType::Q4K, TensorType::Iq2Xxs, TensorType::Mxfp4];
const FLOAT_TYPES: [TensorType; 3] = [TensorType::F32, TensorType::F16, TensorType::Bf16];

fn quantized(isa: Available, x: &[f32], n: usize, width: usize) -> Quantized {
    let mut quantized = Quantized::default();
    for (i, groups) in quantized.rows_mut(n, width).enumerate() {
        quantize_row(isa, &x[i * width..][..width], groups);
    }
    quantized
}

fn check_integer(kind: TensorType, n_rows: usize, n_blocks: usize) {
    let format = IntegerFormat::of(kind).expect("an integer type");
    let columns = n_blocks * kind.block_len();
    let row_bytes = kind.row_bytes(columns);
    let mut noise = Noise(n_rows as u64 * 1000 + n_blocks as u64);
    let weights = noise.weights(kind, n_rows, columns);
    let n = 19;
    let x = noise.floats(n * columns);
    let scalar = Available::new(Isa::Scalar).expect("always there");
    let activations = quantized(scalar, &x, n, columns);
    let mut expected = vec![0.0; n * n_rows];
    for t in 0..n {
        let out = &mut expected[t * n_rows..][..n_rows];
        dot_integer(scalar, format, &weights, row_bytes, &[activations.row(t)], out);
    }
    check_meaning(kind, &weights, &x, &expected, (n_rows, columns), 2e-2);
    for isa in available() {
        let activations = quantized(isa, &x, n, columns);
        for n_columns in 1..=MAX_COLUMNS {
            for first in [0, n - n_columns] {
                let rows: Vec<_> = (first..first + n_columns).map(|t| activations.row(t)).collect();
                let mut out = vec![0.0; n_columns * n_rows];
                dot_integer(isa, format, &weights, row_bytes, &rows, &mut out);
                let expected = &expected[first * n_rows..][..out.len()];
                assert_bits(&out, expected, &format!("{kind} {isa:?}, {n_columns} columns"));
            }
        }
        let (mut packed, mut sums) = (Packed::default(), Registers::default());
        // More and longer rows first: what they leave behind must not matter.
        let large = noise.weights(kind, n_rows + 3, columns + GROUP_LEN);
        pack(isa, format, &large, kind.row_bytes(columns + GROUP_LEN), &mut packed);
        pack(isa, format, &weights, row_bytes, &mut packed);
        for n_columns in 1..=PACKED_COLUMNS {
            let rows: Vec<_> = (0..n_columns).map(|t| activations.row(t)).collect();
            let mut out = vec![0.0; n_columns * n_rows];
            dot_packed(isa, &packed, &mut sums, &rows, &[activations.row(0)], &mut out);
            let what = format!("{kind} {isa:?}, {n_columns} columns, packed");
            assert_bits(&out, &expected[..out.len()], &what);
            #[cfg(target_arch = "aarch64")]
            #[expect(unsafe_code, reason = "compiled for an instruction set")]
            if isa.isa() == Isa::Neon {
                let unpacked = packed.unpacked.chunks_exact(packed.n_groups);
                // SAFETY: `isa` proves that the machine has it.
                unsafe {
                    neon::dot_unpacked(unpacked, packed.has_mins, &rows, false, &mut out);
                }
                assert_bits(&out, &expected[..out.len()], &format!("{what}, one by one"));
            }
        }
    }
}

fn check_float(kind: TensorType, n_rows: usize, columns: usize) {
    let format = FloatFormat::of(kind).expect("a float type");
    let row_bytes = kind.row_bytes(columns);
    let mut noise = Noise(n_rows as u64 * 1000 + columns as u64);
    let weights = noise.weights(kind, n_rows, columns);
    let n = MAX_COLUMNS;
    let x = noise.floats(n * columns);
    let rows: Vec<_> = x.chunks_exact(columns).collect();
    let scalar = Available::new(Isa::Scalar).expect("always there");
    let mut expected = vec![0.0; n * n_rows];
    dot_float(scalar, format, &weights, row_bytes, &rows, &mut expected);
    check_meaning(kind, &weights, &x, &expected, (n_rows, columns), 1e-6);
    for isa in available() {
        for n_columns in 1..=MAX_COLUMNS {
            let mut out = vec![0.0; n_columns * n_rows];
            dot_float(isa, format, &weights, row_bytes, &rows[..n_columns], &mut out);
            let message = format!("{kind} {isa:?}, {n_columns} columns of {columns}");
            assert_bits(&out, &expected[..out.len()], &message);
            if has_float_tiles(isa, columns) {
                let mut scratch = FloatScratch::default();
                let rows = &rows[..n_columns];
                out.fill(f32::NAN);
                dot_floats(isa, format, &weights, row_bytes, &mut scratch, rows, &mut out);
                assert_bits(&out, &expected[..out.len()], &format!("{message}, in tiles"));
            }
        }
    }
}

/// Compares with decoded weights in f64; the limit is relative to the length of the two vectors.
fn check_meaning(
    kind: TensorType,
    weights: &[u8],
    x: &[f32],
    found: &[f32],
    (n_rows, columns): (usize, usize),
    limit: f64,
) {
    let mut decoded = vec![0.0; n_rows * columns];
    kind.decode_row(weights, &mut decoded);
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    for (t, x) in x.chunks_exact(columns).enumerate() {
        for (r, row) in decoded.chunks_exact(columns).enumerate() {
            let size = (dot(row, row) * dot(x, x)).sqrt();
            let error = f64::from(found[t * n_rows + r]) - dot(row, x);
            assert!(error.abs() <= limit * size, "{kind}: {error} of {size}");
        }
    }
}

fn assert_bits(found: &[f32], expected: &[f32], what: &str) {
    let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(found), bits(expected), "{what}");
}

#[test]
fn integer_kernels_give_the_bits_of_the_definition() {
    for kind in INTEGER_TYPES {
        for (n_rows, n_blocks) in [(1, 1), (3, 2), (16, 3), (17, 7), (19, 16), (16, 33)] {
            check_integer(kind, n_rows, n_blocks);
        }
    }
}

#[test]
fn float_kernels_give_the_bits_of_the_definition() {
    for kind in FLOAT_TYPES {
        for (n_rows, columns) in [(1, 1), (2, 15), (5, 32), (7, 47), (9, 80), (4, 509), (13, 1040)]
        {
            check_float(kind, n_rows, columns);
        }
    }
}

/// Ordinary values, zeros, tiny and huge ones, and rows that end inside a group.
#[test]
fn activations_are_rounded_alike() {
    let scalar = Available::new(Isa::Scalar).expect("always there");
    let mut noise = Noise(5);
    for width in [1, 31, 32, 511, 512, 545, 2048] {
        let mut x = noise.floats(width);
        for (b, block) in x.chunks_mut(BLOCK_LEN).enumerate() {
            let factor = [1.0, 0.0, 1e-31, 1e30, 1e-29, 3.0][b % 6];
            for v in block {
                *v *= factor;
            }
        }
        let expected = quantized(scalar, &x, 1, width);
        for isa in available() {
            // What was there before must not matter.
            let mut found = quantized(isa, &vec![7.0; width], 1, width);
            for groups in found.rows_mut(1, width) {
                quantize_row(isa, &x, groups);
            }
            for (found, expected) in found.row(0).iter().zip(expected.row(0)) {
                assert_eq!(found.codes, expected.codes, "{isa:?}, width {width}");
                assert_eq!(found.quads, expected.quads, "{isa:?}, width {width}");
                assert_eq!(found.sums, expected.sums, "{isa:?}, width {width}");
                assert_bits(&found.scales, &expected.scales, &format!("{isa:?}, width {width}"));
            }
        }
    }
}
