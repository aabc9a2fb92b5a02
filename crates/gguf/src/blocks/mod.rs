//! The block formats: how weights become bytes, and back.
//!
//! Each format has a module with its byte layout, the offsets and tables a fast kernel needs, and
//! a scalar decode that is the meaning of the format. Multi-byte fields are little endian and are
//! read by offset, so blocks need no alignment.
//!
//! In the K and IQ formats every product of the decode formulas is exact in f32 (at most 22
//! significant bits), so the one subtraction is the only rounding and fused multiply-add gives the
//! same bits.
//!
//! Source of layouts and formulas: the ggml project; checked bit for bit against the vectors in
//! `testdata/blocks`.

pub mod f16;
pub mod iq2_xxs;
pub mod mxfp4;
pub mod q2_k;
pub mod q4_k;
pub mod q8_0;
pub mod released;
pub mod small_floats;

use crate::TensorType;

impl TensorType {
    /// Decodes whole blocks, such as a row or several rows, to f32.
    ///
    /// # Panics
    /// If the type does not hold floats ([`is_float`](Self::is_float)), or `bytes` is not exactly
    /// the blocks of `out.len()` weights.
    pub fn decode_row(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(bytes.len(), self.row_bytes(out.len()), "bytes of {} weights", out.len());
        match self {
            Self::F32 => each_block(bytes, out, |b: &[u8; 4], o| *o = [f32::from_le_bytes(*b)]),
            Self::F16 => each_block(bytes, out, |b, o: &mut [f32; 1]| *o = [f16::f16_to_f32(*b)]),
            Self::Bf16 => each_block(bytes, out, |b, o: &mut [f32; 1]| *o = [f16::bf16_to_f32(*b)]),
            Self::Q8_0 => each_block(bytes, out, q8_0::decode_block),
            Self::Q2K => each_block(bytes, out, q2_k::decode_block),
            Self::Q4K => each_block(bytes, out, q4_k::decode_block),
            Self::Iq2Xxs => each_block(bytes, out, iq2_xxs::decode_block),
            Self::Mxfp4 => each_block(bytes, out, mxfp4::decode_block),
            Self::I32 | Self::Other(_) => panic!("{self} does not hold floats"),
        }
    }
}

fn each_block<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    for (block, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        decode(block, out);
    }
}

/// The F16 field at byte `offset` of a block.
fn f16_at(block: &[u8], offset: usize) -> f32 {
    f16::f16_to_f32([block[offset], block[offset + 1]])
}
