//! `Q2_K`: 256 weights in 84 bytes.
//!
//! | byte | field |
//! |---|---|
//! | 0 | `scales[16]`, u8: scale in the low four bits, minimum in the high four |
//! | 16 | `q[64]`, u8: four 2-bit values each |
//! | 80 | `d`, F16 |
//! | 82 | `dmin`, F16 |
//!
//! The weights are 16 groups of 16. Group `g` has its values in the bytes
//! `q[32 · (g / 8) + 16 · (g % 2) ..][..16]`, two bits from bit `2 · ((g % 8) / 2)` up:
//! `w = d · scale[g] · q − dmin · min[g]`.

use super::f16_at;

/// Weights per block.
pub const LEN: usize = 256;
/// Bytes per block.
pub const BYTES: usize = 84;
/// Weights per group.
pub const GROUP_LEN: usize = 16;
/// Byte of the first of 16 scale and minimum pairs.
pub const SCALES_OFFSET: usize = 0;
/// Byte of the first of 64 bytes of 2-bit values.
pub const Q_OFFSET: usize = 16;
/// Byte of the scale `d`, F16.
pub const D_OFFSET: usize = 80;
/// Byte of the scale of the minimums `dmin`, F16.
pub const DMIN_OFFSET: usize = 82;

/// Decodes one block.
pub fn decode_block(block: &[u8; BYTES], out: &mut [f32; LEN]) {
    let (d, dmin) = (f16_at(block, D_OFFSET), f16_at(block, DMIN_OFFSET));
    for (g, out) in out.as_chunks_mut::<GROUP_LEN>().0.iter_mut().enumerate() {
        let scale = d * f32::from(block[SCALES_OFFSET + g] & 15);
        let min = dmin * f32::from(block[SCALES_OFFSET + g] >> 4);
        let shift = 2 * (g % 8 / 2);
        let q = &block[Q_OFFSET + 32 * (g / 8) + 16 * (g % 2)..][..GROUP_LEN];
        for (out, &q) in out.iter_mut().zip(q) {
            *out = scale * f32::from(q >> shift & 3) - min;
        }
    }
}
