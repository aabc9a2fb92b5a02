//! `Q8_0`: 32 weights in 34 bytes.
//!
//! | byte | field |
//! |---|---|
//! | 0 | `d`, F16 |
//! | 2 | `q[32]`, i8 |
//!
//! `w[i] = d · q[i]`.
//!
//! Encoding follows ggml: `d = max|w| / 127` in f32, `q[i] = round(w[i] · (1 / d))` with ties away
//! from zero and with `d` *before* it is rounded to F16 for storage. A block of zeros has `d = 0`.

use super::f16::f32_to_f16;
use super::f16_at;

/// Weights per block.
pub const LEN: usize = 32;
/// Bytes per block.
pub const BYTES: usize = 34;
/// Byte of the scale `d`, F16.
pub const D_OFFSET: usize = 0;
/// Byte of the first weight, i8.
pub const Q_OFFSET: usize = 2;

/// Decodes one block.
pub fn decode_block(block: &[u8; BYTES], out: &mut [f32; LEN]) {
    let d = f16_at(block, D_OFFSET);
    for (out, &q) in out.iter_mut().zip(&block[Q_OFFSET..]) {
        *out = d * f32::from(q as i8);
    }
}

/// Encodes one block. NaN becomes 0; a `d` beyond the range of F16 becomes infinite.
pub fn encode_block(weights: &[f32; LEN]) -> [u8; BYTES] {
    let largest = weights.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut block = [0; BYTES];
    block[D_OFFSET..Q_OFFSET].copy_from_slice(&f32_to_f16(d));
    for (q, &weight) in block[Q_OFFSET..].iter_mut().zip(weights) {
        *q = (weight * inverse).round() as i8 as u8;
    }
    block
}
