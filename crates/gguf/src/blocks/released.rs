//! The formats of the released checkpoint, which keeps its scales in tensors of their own.
//!
//! - FP8, for dense matrices: `weight` is `[rows, columns]` of E4M3, `scale` is
//!   `[⌈rows / 128⌉, ⌈columns / 128⌉]` of E8M0, one scale per 128 × 128 weights.
//! - FP4, for routed experts: `weight` is `[rows, columns / 2]` bytes of two E2M1 codes, the even
//!   column in the low four bits; `scale` is `[rows, columns / 32]` of E8M0. GGUF's
//!   [`mxfp4`](super::mxfp4) orders the same codes differently.
//!
//! Source: the reference inference code of the release.

use super::small_floats::{E2M1, e4m3_to_f32, e8m0_to_f32};

/// Rows and columns that share one scale in FP8.
pub const FP8_BLOCK_LEN: usize = 128;
/// Columns of a row that share one scale in FP4.
pub const FP4_GROUP_LEN: usize = 32;

/// Decodes one FP8 row. `scales` is the scale row of the block of rows it belongs to: row
/// `r / 128` of the scale tensor for row `r`.
///
/// # Panics
/// If `codes` and `out` differ in length, or `scales` does not have one scale per 128 columns or
/// part of them.
pub fn decode_fp8_row(codes: &[u8], scales: &[u8], out: &mut [f32]) {
    assert_eq!(codes.len(), out.len(), "one code per weight");
    assert_eq!(scales.len(), out.len().div_ceil(FP8_BLOCK_LEN), "one scale per 128 columns");
    let groups = codes.chunks(FP8_BLOCK_LEN).zip(out.chunks_mut(FP8_BLOCK_LEN));
    for ((codes, out), &scale) in groups.zip(scales) {
        let scale = e8m0_to_f32(scale);
        for (out, &code) in out.iter_mut().zip(codes) {
            *out = scale * e4m3_to_f32(code);
        }
    }
}

/// Decodes one FP4 row of `out.len()` columns.
///
/// # Panics
/// If `out` is not a whole number of groups, or `packed` or `scales` do not belong to a row of that
/// length.
pub fn decode_fp4_row(packed: &[u8], scales: &[u8], out: &mut [f32]) {
    assert!(out.len().is_multiple_of(FP4_GROUP_LEN), "a row is a whole number of groups");
    assert_eq!(packed.len(), out.len() / 2, "two codes per byte");
    assert_eq!(scales.len(), out.len() / FP4_GROUP_LEN, "one scale per 32 columns");
    let groups = packed.chunks(FP4_GROUP_LEN / 2).zip(out.chunks_mut(FP4_GROUP_LEN));
    for ((packed, out), &scale) in groups.zip(scales) {
        let scale = e8m0_to_f32(scale);
        for (pair, &codes) in out.as_chunks_mut().0.iter_mut().zip(packed) {
            *pair = [codes & 15, codes >> 4].map(|code| scale * E2M1[usize::from(code)]);
        }
    }
}
