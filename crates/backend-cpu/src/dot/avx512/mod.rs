//! AVX-512 with VNNI and VBMI: 64 products of bytes an instruction.
//!
//! `vpdpbusd` multiplies unsigned with signed bytes, so weight codes are shifted to be unsigned by
//! an `OFFSET` and `OFFSET * sum of activation codes` is taken off again, exactly.
//!
//! Scales, minimums and running sums live in registers with a block in every lane. Where weights
//! unpack to quads, products are summed there; where they unpack to slots, eight registers of 16
//! partial sums, two blocks in a register, are folded into one.

#![cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "a kernel's vocabulary is the instruction set")
)]

use std::arch::x86_64::*;

use super::Lane;
use crate::activation::GROUP_LEN;

mod float;
mod float_tiles;
mod packed;
mod quantize;
mod rows;
mod unpack;

pub(super) use float::dot_float;
pub(super) use float_tiles::{dot_floats, float_scratch_registers};
pub(super) use packed::{dot_packed, pack};
pub(super) use quantize::quantize_row;
pub(super) use rows::dot_integer;

/// A group of weights: unsigned codes in slots, and by block the scales and minimums.
struct Unpacked {
    codes: [__m512i; 8],
    scales: __m512,
    min_scales: __m512,
    mins: __m512i,
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_64(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_codes(codes: &[i8; GROUP_LEN], k: usize) -> __m512i {
    let codes = &codes.as_chunks::<64>().0[k];
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_sums(sums: &[[i16; 2]; 16]) -> __m512i {
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_floats(values: &[f32; 16]) -> __m512 {
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_32(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are readable, and the load takes any alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are readable, and the load takes any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "stores take pointers")]
fn store_lane(lane: &mut Lane, value: __m512i) {
    // SAFETY: 64 bytes are writable.
    unsafe { _mm512_storeu_si512(lane.0.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "stores take pointers")]
fn store_floats(values: &mut [f32; 16], value: __m512) {
    // SAFETY: 64 bytes are writable.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), value) }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "stores take pointers")]
fn store_mins(values: &mut [[i16; 2]; 16], value: __m512i) {
    // SAFETY: 64 bytes are writable.
    unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), value) }
}

/// `N` bytes of a block from `offset` on.
#[inline]
fn at<const N: usize>(bytes: &[u8], offset: usize) -> &[u8; N] {
    bytes[offset..].first_chunk().expect("the field lies inside the block")
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn f16_at(bytes: &[u8], offset: usize) -> f32 {
    let bits = i32::from(u16::from_le_bytes(*at(bytes, offset)));
    _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)))
}

/// Two values, each in eight lanes.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn halves(low: f32, high: f32) -> __m512 {
    _mm512_mask_blend_ps(0xff00, _mm512_set1_ps(low), _mm512_set1_ps(high))
}

/// Two F16 values, each in eight lanes.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn f16_halves(low: i16, high: i16) -> __m512 {
    let (low, high) = (_mm_set1_epi16(low), _mm_set1_epi16(high));
    _mm512_cvtph_ps(_mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high))
}

/// Two 32-byte halves.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn join(low: __m256i, high: __m256i) -> __m512i {
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

/// How far ahead rows that are read one after the other are asked for.
const AHEAD_BYTES: usize = 16 << 10;

/// Asks for the weights that come `ahead` bytes later, across pages too, where hardware stops.
///
/// Into the second nearest cache: what is asked for into the nearest comes no sooner than what that
/// cache can wait for, which is too little for a core to read as fast as memory gives.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn prefetch<const BYTES: usize>(weights: &[u8; BYTES], ahead: usize) {
    for line in (0..BYTES).step_by(64) {
        // The address may lie outside of the weights: asking for it then does nothing.
        _mm_prefetch::<_MM_HINT_T1>(weights.as_ptr().wrapping_add(ahead + line).cast());
    }
}

/// Rows of weights and the columns that they meet.
struct Job<'a, X> {
    weights: &'a [u8],
    row_bytes: usize,
    columns: &'a [&'a [X]],
}

impl<'a, X> Job<'a, X> {
    /// The columns, filled up to `N` with the last one.
    fn columns<const N: usize>(&self) -> [&'a [X]; N] {
        std::array::from_fn(|c| self.columns[c.min(self.columns.len() - 1)])
    }
}

/// The first `N` elements, zeros where there are fewer.
#[inline]
fn filled<T: Copy + Default, const N: usize>(x: &[T]) -> [T; N] {
    let mut out = [T::default(); N];
    let n = x.len().min(N);
    out[..n].copy_from_slice(&x[..n]);
    out
}
