//! Inputs of the cases: seeded, so that every backend sees the same numbers on every machine.
//!
//! Activations are normal with a chosen magnitude. Weights are random *valid blocks*: every bit of
//! a block takes all its values, and block scales are set so that weights have a mean near zero and
//! an RMS of one over the root of the columns. A product of unit activations then has an RMS near
//! one, in every format.

use std::sync::atomic::{AtomicU64, Ordering};

use gguf::{Tensor, TensorType};

use crate::kv_row::KvLayout;

/// Random numbers with a period of 2^64 and no dependence on the platform (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence that `seed` decides.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0 .. n`, which is not empty.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// In `[low, high)`.
    pub(super) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.bits() >> 40) as f32 / (1u64 << 24) as f32)
    }

    /// Mean 0, variance 1, tails cut at 4.9: the sum of eight uniform numbers of 16 bits.
    pub fn normal(&mut self) -> f32 {
        let (a, b) = (self.bits(), self.bits());
        let mut sum = 0;
        for shift in [0, 16, 32, 48] {
            sum += (a >> shift & 0xffff) as i32 + (b >> shift & 0xffff) as i32;
        }
        // Mean 8 * 65535 / 2; one uniform number has a variance of 65536^2 / 12.
        (sum - 262_140) as f32 / (65_536.0 * (8f32 / 12.0).sqrt())
    }

    pub(super) fn normals(&mut self, n: usize, rms: f32) -> Vec<f32> {
        (0..n).map(|_| rms * self.normal()).collect()
    }

    /// `n_rows` rows of `width` normal numbers.
    pub(super) fn rows(&mut self, n_rows: usize, width: usize, rms: f32) -> Vec<Vec<f32>> {
        (0..n_rows).map(|_| self.normals(width, rms)).collect()
    }

    /// The numbers `0 .. n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

/// What the activations of a case look like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activations {
    /// Normal with this RMS.
    Normal(f32),
    /// Nothing but zeros.
    Zero,
    /// Unit normal with one value of 100 in every row: what activation quantisation likes least.
    Spiked,
}

impl Activations {
    pub(super) fn rows(self, random: &mut Random, n_rows: usize, width: usize) -> Vec<Vec<f32>> {
        match self {
            Self::Normal(rms) => random.rows(n_rows, width, rms),
            Self::Zero => vec![vec![0.0; width]; n_rows],
            Self::Spiked => {
                let mut rows = random.rows(n_rows, width, 1.0);
                for row in &mut rows {
                    row[random.below(width)] = 100.0;
                }
                rows
            }
        }
    }
}

/// A weight with this name, type and dimensions (dimension 0 contiguous).
pub(super) fn tensor(kind: TensorType, dims: &[usize], data: Vec<u8>) -> Tensor {
    // Backends may cache by name, as names are unique in a file.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("conformance.{}.weight", COUNT.fetch_add(1, Ordering::Relaxed));
    let dims: Vec<u64> = dims.iter().map(|dim| *dim as u64).collect();
    Tensor::new(name, &dims, kind, data).expect("the case table has valid shapes")
}

/// A weight of type `kind` whose values are given: F32, F16, BF16 and `Q8_0`.
pub(super) fn encoded(kind: TensorType, dims: &[usize], values: &[f32]) -> Tensor {
    let mut data = Vec::new();
    kind.encode_row(values, &mut data).expect("the case table asks for encodable types");
    tensor(kind, dims, data)
}

/// A weight of given values in f32.
pub fn plain(dims: &[usize], values: &[f32]) -> Tensor {
    encoded(TensorType::F32, dims, values)
}

/// A table of integers in rows of `columns`.
pub fn integers(columns: usize, values: &[i32]) -> Tensor {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(TensorType::I32, &[columns, values.len() / columns], data)
}

/// A random weight with an RMS of `gain / sqrt(columns)`.
pub fn weight(random: &mut Random, kind: TensorType, dims: &[usize], gain: f32) -> Tensor {
    let n: usize = dims.iter().product();
    let rms = gain / (dims[0] as f32).sqrt();
    match kind {
        TensorType::F32 | TensorType::F16 | TensorType::Bf16 => {
            let values = random.normals(n, rms);
            encoded(kind, dims, &values)
        }
        _ => {
            let n_blocks = n / kind.block_len();
            let data = (0..n_blocks).flat_map(|_| block(random, kind, rms)).collect();
            tensor(kind, dims, data)
        }
    }
}

/// One random block: all bits random, then scales that give `rms`.
///
/// The divisors are the RMS of the integer part of each format under uniform bits; the ratio of
/// the minimum's scale to the scale makes the mean zero.
fn block(random: &mut Random, kind: TensorType, rms: f32) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..kind.block_bytes()).map(|_| random.bits() as u8).collect();
    let spread = random.uniform(0.7, 1.3);
    let half = |value: f32| half::f16::from_f32(value * spread).to_le_bytes();
    match kind {
        TensorType::Q8_0 => bytes[..2].copy_from_slice(&half(rms / 73.9)),
        TensorType::Q2K => {
            bytes[80..82].copy_from_slice(&half(rms / 13.9));
            bytes[82..84].copy_from_slice(&half(rms / 13.9 * 1.5));
        }
        TensorType::Q4K => {
            bytes[..2].copy_from_slice(&half(rms / 258.0));
            bytes[2..4].copy_from_slice(&half(rms / 258.0 * 7.5));
        }
        TensorType::Iq2Xxs => bytes[..2].copy_from_slice(&half(rms / 54.0)),
        TensorType::Mxfp4 => {
            let exponent = (rms / 2.93).log2().round() as i32 + random.below(3) as i32 - 1;
            bytes[0] = (exponent + 127) as u8;
        }
        other => panic!("the case table asks for blocks of {other}"),
    }
    bytes
}

/// Rows packed as a backend stores them, one after the other.
pub(super) fn packed(layout: &KvLayout, rows: &[Vec<f32>]) -> Vec<u8> {
    let mut bytes = vec![0; rows.len() * layout.row_bytes()];
    for (row, bytes) in rows.iter().zip(bytes.chunks_exact_mut(layout.row_bytes())) {
        layout.pack(row, bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The promise of the module head, per format.
    #[test]
    fn random_blocks_have_the_promised_magnitude() {
        let kinds = TensorType::KNOWN.into_iter().filter(|kind| kind.is_float());
        for kind in kinds {
            let tensor = weight(&mut Random::new(7), kind, &[1024, 64], 1.0);
            let values = tensor.decode().unwrap();
            let n = values.len() as f32;
            let mean = values.iter().sum::<f32>() / n;
            let rms = (values.iter().map(|v| v * v).sum::<f32>() / n).sqrt() * 32.0;
            assert!(mean.abs() * 32.0 < 0.05, "{kind}: mean {mean}");
            assert!((0.8..1.25).contains(&rms), "{kind}: RMS {rms}");
        }
    }

    #[test]
    fn normal_numbers_have_unit_variance() {
        let values = Random::new(1).normals(100_000, 1.0);
        let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!((variance - 1.0).abs() < 0.02, "variance {variance}");
    }
}
