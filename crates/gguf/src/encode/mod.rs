//! From weights to blocks: how the numbers of a block are chosen.
//!
//! What a block means is said by its [`decode_block`](crate::blocks); many blocks decode to nearly
//! the same weights, and the encoders here look for one with a small error. What they minimise is
//! `sum of importance[c] * (decoded[c] - weight[c])^2` over the block, where the importance of a
//! column is the mean square of the activations that it is multiplied with: the expected error of
//! the product, if activations are uncorrelated. Without importance every column counts the same.
//!
//! An encoder is a pure function of the weights and importances of one block: no randomness, no
//! threads, no order that could depend on either, and no fused multiply-add, so a block has the
//! same bytes wherever it is made. F32, F16, BF16 and `Q8_0` are rounded value by value, and
//! importance changes nothing in them.
//!
//! Refuses: weights that are not finite, or whose scale does not fit the block's, in the formats
//! that choose scales.

mod affine;
mod iq2_xxs;
mod mxfp4;
mod q2_k;
mod q4_k;

use crate::blocks::{f16, q8_0};
use crate::{Error, Result, TensorType};

/// The share of the block's largest importance that every column has at least. A column that was
/// never active would otherwise be free to become anything.
const LEAST_IMPORTANCE: f32 = 1.0 / 65_536.0;

/// Blocks whose weights are all smaller than this become zero: the least scale of F16 is `2^-24`.
const LEAST_MAGNITUDE: f32 = 1.0 / 67_108_864.0;

impl TensorType {
    /// Encodes whole blocks, such as a row or several rows, and appends them to `out`.
    ///
    /// The same as [`encode_weighted`](Self::encode_weighted) with all columns alike.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn encode_row(self, weights: &[f32], out: &mut Vec<u8>) -> Result<()> {
        self.encode_weighted(weights, None, out)
    }

    /// Encodes whole rows and appends them to `out`.
    ///
    /// `importance` has one number per column of a row, the mean square of the activations that
    /// the column is multiplied with, in any unit; numbers that are negative or not finite count
    /// as 0. F16 and BF16 round to nearest, ties to even; `Q8_0` rounds as described in
    /// [`q8_0`]; the other formats are described in their [`blocks`](crate::blocks).
    ///
    /// # Errors
    /// If the type does not hold weights, or a weight is not finite or too large for `Q2_K`,
    /// `Q4_K`, `IQ2_XXS` or `MXFP4`; then `out` may hold blocks in front of that weight.
    ///
    /// # Panics
    /// If `weights` is not a whole number of blocks, or `importance` is not the length of a row of
    /// them.
    pub fn encode_weighted(
        self,
        weights: &[f32],
        importance: Option<&[f32]>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match self {
            Self::F32 => out.extend(weights.iter().flat_map(|weight| weight.to_le_bytes())),
            Self::F16 => out.extend(weights.iter().flat_map(|&weight| f16::f32_to_f16(weight))),
            Self::Bf16 => out.extend(weights.iter().flat_map(|&weight| f16::f32_to_bf16(weight))),
            Self::Q8_0 => {
                let (blocks, rest) = weights.as_chunks();
                assert!(rest.is_empty(), "a row is a whole number of blocks");
                out.extend(blocks.iter().flat_map(q8_0::encode_block));
            }
            Self::Q2K => return each_block(self, weights, importance, out, q2_k::encode),
            Self::Q4K => return each_block(self, weights, importance, out, q4_k::encode),
            Self::Iq2Xxs => return each_block(self, weights, importance, out, iq2_xxs::encode),
            Self::Mxfp4 => return each_block(self, weights, importance, out, mxfp4::encode),
            Self::I32 | Self::Other(_) => return Err(Error::Unencodable { kind: self }),
        }
        Ok(())
    }
}

/// Encodes block by block. `encode` gets finite weights that are not all tiny and their normalised
/// importances; it returns nothing if a scale does not fit.
fn each_block<const LEN: usize, const BYTES: usize>(
    kind: TensorType,
    weights: &[f32],
    importance: Option<&[f32]>,
    out: &mut Vec<u8>,
    encode: impl Fn(&[f32; LEN], &[f32; LEN]) -> Option<[u8; BYTES]>,
) -> Result<()> {
    let (blocks, rest) = weights.as_chunks::<LEN>();
    assert!(rest.is_empty(), "a row is a whole number of blocks");
    let columns = importance.map_or(&[][..], |importance| {
        let (columns, rest) = importance.as_chunks::<LEN>();
        assert!(rest.is_empty(), "a row is a whole number of blocks");
        columns
    });
    assert!(
        importance.is_none() || !columns.is_empty() && blocks.len().is_multiple_of(columns.len()),
        "importances belong to the columns of whole rows"
    );
    let columns: Vec<[f32; LEN]> = columns.iter().map(normalised).collect();
    for (i, block) in blocks.iter().enumerate() {
        let out_of_range = |j: usize| Error::WeightRange { kind, weight: block[j] };
        if let Some(j) = block.iter().position(|weight| !weight.is_finite()) {
            return Err(out_of_range(j));
        }
        let largest = largest_magnitude(block);
        if block[largest].abs() < LEAST_MAGNITUDE {
            out.extend([0; BYTES]);
            continue;
        }
        let importance = if columns.is_empty() { &[1.0; LEN] } else { &columns[i % columns.len()] };
        out.extend(encode(block, importance).ok_or_else(|| out_of_range(largest))?);
    }
    Ok(())
}

/// The index of the weight with the largest magnitude; the weights are finite.
fn largest_magnitude<const LEN: usize>(block: &[f32; LEN]) -> usize {
    (0..LEN).fold(0, |best, j| if block[j].abs() > block[best].abs() { j } else { best })
}

/// The importances of a block's columns with the largest as 1, so that sums over them neither
/// overflow nor vanish.
fn normalised<const LEN: usize>(importance: &[f32; LEN]) -> [f32; LEN] {
    let usable = importance.map(|value| if value.is_finite() { value.max(0.0) } else { 0.0 });
    let largest = usable.iter().fold(0.0_f32, |largest, &value| largest.max(value));
    if largest == 0.0 {
        return [1.0; LEN];
    }
    usable.map(|value| (value / largest).max(LEAST_IMPORTANCE))
}

/// Rounds to the nearest integer, ties to even, where `value` is well below `2^22` in magnitude.
/// Unlike `f32::round_ties_even`, this needs no instruction that the oldest processors lack.
#[inline]
fn nearest(value: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    (value + MAGIC) - MAGIC
}
