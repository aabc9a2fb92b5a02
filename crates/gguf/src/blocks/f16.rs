//! F16 and BF16: one weight per block, two bytes.
//!
//! Every value of both formats is exact in f32. Rounding from f32 is to nearest, ties to even;
//! values beyond the largest finite F16, 65504, become infinite.

/// Decodes an IEEE binary16.
#[inline]
pub fn f16_to_f32(bytes: [u8; 2]) -> f32 {
    half::f16::from_le_bytes(bytes).to_f32()
}

/// Rounds to an IEEE binary16.
#[inline]
pub fn f32_to_f16(value: f32) -> [u8; 2] {
    half::f16::from_f32(value).to_le_bytes()
}

/// Decodes a brain float: the upper half of an f32.
#[inline]
pub fn bf16_to_f32(bytes: [u8; 2]) -> f32 {
    half::bf16::from_le_bytes(bytes).to_f32()
}

/// Rounds to a brain float.
#[inline]
pub fn f32_to_bf16(value: f32) -> [u8; 2] {
    half::bf16::from_f32(value).to_le_bytes()
}
