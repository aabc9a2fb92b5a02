//! Loops over f32 vectors that are no matrix products.
//!
//! Written portably and compiled per instruction set. Reductions run in [`LANES`] partial sums,
//! element `i` in lane `i % LANES`, which are then added pairwise.

use backend::kv_row::{FP8_GROUP, KvKind, KvLayout, KvRounding};
use gguf::blocks::small_floats::e8m0_to_f32;
use half::f16;

use crate::isa::{Available, Isa, per_isa};

/// Partial sums of a reduction.
pub(crate) const LANES: usize = 32;

/// Adds lanes pairwise: halves onto each other until one is left.
#[inline]
pub(crate) fn sum_lanes<const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut n = N;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            lanes[i] += lanes[i + n];
        }
    }
    lanes[0]
}

/// `e^x` to about one ulp, the same bits everywhere.
///
/// `x = n ln 2 + r`, then the exponential series of `r` to the seventh power, whose remainder is
/// below a tenth of an ulp for `|r| <= ln 2 / 2`.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it leaves an integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with trailing zeros.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Beyond these the result is 0 or infinite.
    let x = x.clamp(-104.0, 89.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let series = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let power = series.into_iter().fold(1.0 / 5040.0, |sum: f32, term: f32| sum.mul_add(r, term));
    // Two factors, because 2^n alone may be no normal number.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let power_of_two = |n: i32| f32::from_bits(((n + 127) << 23) as u32);
    power * power_of_two(n >> 1) * power_of_two(n - (n >> 1))
}

per_isa! {
    /// `sum(x^2)`.
    fn sum_of_squares(x: &[f32]) -> f32 {
        let mut lanes = [0.0_f32; LANES];
        let (chunks, rest) = x.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, v) in lanes.iter_mut().zip(chunk) {
                *lane = v.mul_add(*v, *lane);
            }
        }
        for (lane, v) in lanes.iter_mut().zip(rest) {
            *lane = v.mul_add(*v, *lane);
        }
        sum_lanes(lanes)
    }

    /// `out = x * scale * gain`.
    fn scale_with_gain(out: &mut [f32], x: &[f32], scale: f32, gain: &[f32]) {
        for ((out, x), gain) in out.iter_mut().zip(x).zip(gain) {
            *out = x * scale * gain;
        }
    }

    /// `x *= scale`.
    fn scale(x: &mut [f32], scale: f32) {
        for value in x {
            *value *= scale;
        }
    }

    /// `out += x`.
    fn add(out: &mut [f32], x: &[f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out += x;
        }
    }

    /// `gate = silu(min(gate, limit)) * clamp(up, -limit, limit) * weight`, in place.
    fn swiglu(gate: &mut [f32], up: &[f32], limit: f32, weight: f32) {
        for (gate, up) in gate.iter_mut().zip(up) {
            let g = gate.min(limit);
            *gate = g / (1.0 + exp(-g)) * up.clamp(-limit, limit) * weight;
        }
    }

    /// `out = sum over j of gates[j] * streams[j]`; `streams` is `[gates.len(), out.len()]`.
    fn collapse(out: &mut [f32], streams: &[f32], gates: &[f32]) {
        let width = out.len();
        for (i, out) in out.iter_mut().enumerate() {
            let mut sum = 0.0_f32;
            for (stream, gate) in streams.chunks_exact(width).zip(gates) {
                sum = gate.mul_add(stream[i], sum);
            }
            *out = sum;
        }
    }

    /// `streams[b] = post[b] * y + sum over a of comb[a][b] * streams[a]`, in place, four streams.
    fn expand_4(streams: &mut [f32], y: &[f32], post: &[f32; 4], comb: &[f32; 16]) {
        let width = y.len();
        let (s0, rest) = streams.split_at_mut(width);
        let (s1, rest) = rest.split_at_mut(width);
        let (s2, s3) = rest.split_at_mut(width);
        for i in 0..width {
            let old = [s0[i], s1[i], s2[i], s3[i]];
            let mut new = [0.0_f32; 4];
            for b in 0..4 {
                let mut sum = post[b] * y[i];
                for a in 0..4 {
                    sum = comb[4 * a + b].mul_add(old[a], sum);
                }
                new[b] = sum;
            }
            (s0[i], s1[i], s2[i], s3[i]) = (new[0], new[1], new[2], new[3]);
        }
    }

    /// Turns attention scores into weights `exp(score * scale - max)` and returns their sum.
    fn exp_weights(scores: &mut [f32], scale: f32, max: f32) -> f32 {
        let mut lanes = [0.0_f32; LANES];
        for chunk in scores.chunks_mut(LANES) {
            for (score, lane) in chunk.iter_mut().zip(&mut lanes) {
                *score = exp(score.mul_add(scale, -max));
                *lane += *score;
            }
        }
        sum_lanes(lanes)
    }

    /// [`add_weighted_rows`] for registers of 64 bytes.
    fn add_weighted_rows_wide(out: &mut [f32], weights: &[f32], stride: usize, rows: &[f32], dim: usize) {
        weighted_rows::<4, 64>(out, weights, stride, rows, dim);
    }

    /// [`add_weighted_rows`] for smaller registers.
    fn add_weighted_rows_narrow(out: &mut [f32], weights: &[f32], stride: usize, rows: &[f32], dim: usize) {
        weighted_rows::<2, 32>(out, weights, stride, rows, dim);
    }

    /// Per channel, the softmax of `scores` weighs `values`; both are `entries` rows of `out`'s
    /// width.
    fn pool_channels(out: &mut [f32], values: &[&[f32]], scores: &[&[f32]]) {
        for (c, out) in out.iter_mut().enumerate() {
            let mut max = f32::NEG_INFINITY;
            for score in scores {
                max = max.max(score[c]);
            }
            let (mut sum, mut weights) = (0.0_f32, 0.0_f32);
            for (value, score) in values.iter().zip(scores) {
                let weight = exp(score[c] - max);
                sum = weight.mul_add(value[c], sum);
                weights += weight;
            }
            *out = sum / weights;
        }
    }

    /// Decodes the bytes of a KV row.
    fn unpack_kv_row(layout: &KvLayout, bytes: &[u8], row: &mut [f32]) {
        let (KvRounding::Applied, KvKind::Attention { rope_dim }) = (layout.rounding, layout.kind)
        else {
            return layout.unpack(bytes, row);
        };
        let n_codes = row.len() - rope_dim;
        let (codes, rest) = bytes.split_at(n_codes);
        let (scales, rotary) = rest.split_at(n_codes / FP8_GROUP);
        let (plain, rotated) = row.split_at_mut(n_codes);
        let groups = plain.chunks_exact_mut(FP8_GROUP).zip(codes.chunks_exact(FP8_GROUP));
        for ((out, codes), scale) in groups.zip(scales) {
            let scale = e8m0_to_f32(*scale);
            for (out, code) in out.iter_mut().zip(codes) {
                *out = e4m3(*code) * scale;
            }
        }
        for (out, two) in rotated.iter_mut().zip(rotary.as_chunks::<2>().0) {
            *out = f16::from_le_bytes(*two).to_f32();
        }
    }
}

/// `out[h] += sum over r of weights[h][r] * rows[r]`: heads `[n, dim]`, rows `[_, dim]`, weights
/// `[n, stride]`, of which the first count.
pub(crate) fn add_weighted_rows(
    isa: Available,
    out: &mut [f32],
    weights: &[f32],
    stride: usize,
    rows: &[f32],
    dim: usize,
) {
    match isa.isa() {
        Isa::Avx512 => add_weighted_rows_wide(isa, out, weights, stride, rows, dim),
        _ => add_weighted_rows_narrow(isa, out, weights, stride, rows, dim),
    }
}

/// Most rows that [`add_weighted_rows`] takes at once.
pub(crate) const MAX_WEIGHTED_ROWS: usize = 64;

/// Tiles of `HEADS` heads and `TILE` channels, whose sums stay in registers.
///
/// A tile's channels are copied out of the rows first: rows are a power of two apart, and would
/// meet in the same few lines of the nearest cache.
#[expect(clippy::inline_always, reason = "it takes the instruction set of the function around it")]
#[inline(always)]
fn weighted_rows<const HEADS: usize, const TILE: usize>(
    out: &mut [f32],
    weights: &[f32],
    stride: usize,
    rows: &[f32],
    dim: usize,
) {
    let n_heads = out.len() / dim;
    let n_rows = rows.len() / dim;
    let weights = &weights[..n_heads * stride];
    let (tiled_heads, tiled_dim) = (n_heads / HEADS * HEADS, dim / TILE * TILE);
    let mut near = [[0.0_f32; TILE]; MAX_WEIGHTED_ROWS];
    let near = &mut near[..n_rows];
    for first in (0..tiled_dim).step_by(TILE) {
        for (near, row) in near.iter_mut().zip(rows.chunks_exact(dim)) {
            near.copy_from_slice(&row[first..][..TILE]);
        }
        let heads = out.chunks_exact_mut(HEADS * dim).zip(weights.chunks_exact(HEADS * stride));
        for (out, weights) in heads {
            let weights: [&[f32]; HEADS] =
                std::array::from_fn(|h| &weights[h * stride..][..n_rows]);
            let mut sums = [[0.0_f32; TILE]; HEADS];
            for h in 0..HEADS {
                sums[h].copy_from_slice(&out[h * dim + first..][..TILE]);
            }
            for (r, row) in near.iter().enumerate() {
                for h in 0..HEADS {
                    let weight = weights[h][r];
                    for i in 0..TILE {
                        sums[h][i] = weight.mul_add(row[i], sums[h][i]);
                    }
                }
            }
            for h in 0..HEADS {
                out[h * dim + first..][..TILE].copy_from_slice(&sums[h]);
            }
        }
    }
    // What tiles leave: the last channels, and all channels of the last heads.
    let heads = out.chunks_exact_mut(dim).zip(weights.chunks_exact(stride)).enumerate();
    for (h, (out, weights)) in heads {
        let first = if h < tiled_heads { tiled_dim } else { 0 };
        for (row, weight) in rows.chunks_exact(dim).zip(weights) {
            for (out, v) in out[first..].iter_mut().zip(&row[first..]) {
                *out = weight.mul_add(*v, *out);
            }
        }
    }
}

/// Value of an E4M3 code, without a branch or a table.
#[inline]
fn e4m3(code: u8) -> f32 {
    let magnitude = u32::from(code & 0x7f);
    // Exponents have a bias of 7 here and of 127 there; below the first normal value come the
    // multiples of 2^-9.
    let normal = (magnitude << 20) + ((127 - 7) << 23);
    let subnormal = (magnitude as i32 as f32 * (1.0 / 512.0)).to_bits();
    let bits = if magnitude < 8 { subnormal } else { normal };
    let bits = if magnitude == 0x7f { f32::NAN.to_bits() } else { bits };
    f32::from_bits(bits | u32::from(code & 0x80) << 24)
}

#[cfg(test)]
mod tests {
    use gguf::blocks::small_floats::e4m3_to_f32;

    use super::*;

    /// Oracle: gguf's decoder, which follows the format's definition.
    #[test]
    fn e4m3_values_are_those_of_the_format() {
        for code in 0..=255 {
            let (found, expected) = (e4m3(code), e4m3_to_f32(code));
            assert!(found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan());
        }
    }

    /// Oracle: the standard library's exponential in f64.
    #[test]
    fn exp_is_within_two_ulp() {
        let mut worst = 0.0_f64;
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let expected = f64::from(x).exp();
            let ulp = f64::from((expected as f32).next_up()) - f64::from(expected as f32);
            worst = worst.max((f64::from(exp(x)) - expected).abs() / ulp);
        }
        assert!(worst < 2.0, "worst error {worst} ulp");
        assert_eq!((exp(f32::NEG_INFINITY), exp(0.0), exp(200.0)), (0.0, 1.0, f32::INFINITY));
        assert!(exp(f32::NAN).is_nan());
    }
}
