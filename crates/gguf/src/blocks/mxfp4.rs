//! MXFP4: 32 weights in 17 bytes.
//!
//! | byte | field |
//! |---|---|
//! | 0 | `e`, E8M0: the scale `2^(e − 127)` |
//! | 1 | `q[16]`, u8: two E2M1 codes each |
//!
//! Weights 0 to 15 are the low four bits of `q[0..16]`, weights 16 to 31 the high four. The
//! released checkpoint has another order, see [`released`](super::released). Every product is
//! exact, except that scales from `2^126` up overflow to infinity with the larger codes.

use super::small_floats::{E2M1, e8m0_to_f32};

/// Weights per block.
pub const LEN: usize = 32;
/// Bytes per block.
pub const BYTES: usize = 17;
/// Byte of the scale `e`, E8M0.
pub const E_OFFSET: usize = 0;
/// Byte of the first of 16 bytes of 4-bit codes.
pub const Q_OFFSET: usize = 1;

/// Decodes one block.
pub fn decode_block(block: &[u8; BYTES], out: &mut [f32; LEN]) {
    let scale = e8m0_to_f32(block[E_OFFSET]);
    let (low, high) = out.split_at_mut(LEN / 2);
    for ((low, high), &q) in low.iter_mut().zip(high).zip(&block[Q_OFFSET..]) {
        *low = scale * E2M1[usize::from(q & 15)];
        *high = scale * E2M1[usize::from(q >> 4)];
    }
}
