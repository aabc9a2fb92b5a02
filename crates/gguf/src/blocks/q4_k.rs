//! `Q4_K`: 256 weights in 144 bytes.
//!
//! | byte | field |
//! |---|---|
//! | 0 | `d`, F16 |
//! | 2 | `dmin`, F16 |
//! | 4 | `s[12]`, u8: eight 6-bit scales and eight 6-bit minimums, see [`scale_min`] |
//! | 16 | `q[128]`, u8: two 4-bit values each |
//!
//! The weights are 8 groups of 32. Group `g` has its values in the bytes
//! `q[32 · (g / 2) ..][..32]`, in the low four bits if `g` is even and the high four if it is odd:
//! `w = d · scale[g] · q − dmin · min[g]`.

use super::f16_at;

/// Weights per block.
pub const LEN: usize = 256;
/// Bytes per block.
pub const BYTES: usize = 144;
/// Weights per group.
pub const GROUP_LEN: usize = 32;
/// Byte of the scale `d`, F16.
pub const D_OFFSET: usize = 0;
/// Byte of the scale of the minimums `dmin`, F16.
pub const DMIN_OFFSET: usize = 2;
/// Byte of the first of 12 bytes of packed scales and minimums.
pub const SCALES_OFFSET: usize = 4;
/// Bytes of packed scales and minimums.
pub const SCALES_BYTES: usize = 12;
/// Byte of the first of 128 bytes of 4-bit values.
pub const Q_OFFSET: usize = 16;

/// The 6-bit scale and minimum of group `g` (0 to 7).
///
/// Groups 0 to 3 have them in the low six bits of `s[g]` and `s[g + 4]`. Groups 4 to 7 have four
/// bits of each in `s[g + 4]`, low for the scale, and the upper two bits of each on top of
/// `s[g - 4]` and `s[g]`.
///
/// # Panics
/// If there is no group `g`.
#[inline]
pub const fn scale_min(s: &[u8; SCALES_BYTES], g: usize) -> (u8, u8) {
    if g < 4 {
        (s[g] & 63, s[g + 4] & 63)
    } else {
        (s[g + 4] & 15 | (s[g - 4] >> 6) << 4, s[g + 4] >> 4 | (s[g] >> 6) << 4)
    }
}

/// Decodes one block.
pub fn decode_block(block: &[u8; BYTES], out: &mut [f32; LEN]) {
    let (d, dmin) = (f16_at(block, D_OFFSET), f16_at(block, DMIN_OFFSET));
    let mut s = [0; SCALES_BYTES];
    s.copy_from_slice(&block[SCALES_OFFSET..Q_OFFSET]);
    for (g, out) in out.as_chunks_mut::<GROUP_LEN>().0.iter_mut().enumerate() {
        let (scale, min) = scale_min(&s, g);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        let shift = 4 * (g % 2);
        let q = &block[Q_OFFSET + 32 * (g / 2)..][..GROUP_LEN];
        for (out, &q) in out.iter_mut().zip(q) {
            *out = scale * f32::from(q >> shift & 15) - min;
        }
    }
}
