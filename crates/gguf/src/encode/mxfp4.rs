//! MXFP4: the exponent that fits the largest weight and its neighbours are tried, and every weight
//! takes the nearest code. FP4 of the released checkpoint comes back exactly.

use crate::blocks::mxfp4::{BYTES, E_OFFSET, LEN, Q_OFFSET};
use crate::blocks::small_floats::{E2M1, e8m0_to_f32};

/// The exponent of the largest magnitude of E2M1, 6.
const LARGEST_EXPONENT: i32 = 2;
/// Largest E8M0 code that is a number.
const MAX_SCALE: i32 = 254;

/// The magnitudes of E2M1.
const MAGNITUDES: [f32; 8] = {
    let [a, b, c, d, e, f, g, h, ..] = E2M1;
    [a, b, c, d, e, f, g, h]
};

pub(super) fn encode(weights: &[f32; LEN], importance: &[f32; LEN]) -> Option<[u8; BYTES]> {
    let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    // The weights are normal numbers, so this is floor(log2(largest)).
    let exponent = (largest.to_bits() >> 23) as i32 - 127;
    let first = exponent - LARGEST_EXPONENT + 127;
    let mut best = None;
    let mut least = f32::INFINITY;
    // One less cuts the largest weights, one more wastes codes on none; on ties the middle one.
    for scale in [first, first - 1, first + 1] {
        if !(0..=MAX_SCALE).contains(&scale) {
            continue;
        }
        let (codes, error) = nearest_codes(weights, importance, e8m0_to_f32(scale as u8));
        if error < least {
            (best, least) = (Some((scale, codes)), error);
        }
    }
    let (scale, codes) = best?;
    let mut block = [0; BYTES];
    block[E_OFFSET] = scale as u8;
    for (i, q) in block[Q_OFFSET..].iter_mut().enumerate() {
        *q = codes[i] | codes[i + LEN / 2] << 4;
    }
    Some(block)
}

fn nearest_codes(weights: &[f32; LEN], importance: &[f32; LEN], scale: f32) -> ([u8; LEN], f32) {
    let mut codes = [0; LEN];
    let mut error = 0.0;
    for ((code, &weight), &importance) in codes.iter_mut().zip(weights).zip(importance) {
        let magnitude = weight.abs() / scale;
        let mut nearest = 0;
        for (candidate, value) in MAGNITUDES.iter().enumerate() {
            if (magnitude - value).abs() < (magnitude - MAGNITUDES[nearest]).abs() {
                nearest = candidate;
            }
        }
        *code = nearest as u8 | u8::from(weight.is_sign_negative()) << 3;
        // In units of the weights, so that different scales compare.
        let difference = (magnitude - MAGNITUDES[nearest]) * scale;
        error += importance * difference * difference;
    }
    (codes, error)
}
