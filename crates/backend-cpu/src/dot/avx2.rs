//! AVX2: 32 products of bytes an instruction, of magnitudes with signed bytes.
//!
//! Weights are unpacked by the portable code, compiled for this instruction set.

#![cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "a kernel's vocabulary is the instruction set")
)]

use std::arch::x86_64::*;

use super::scalar::{self, Unpacked};
use super::{FloatFormat, IntegerFormat, MAX_COLUMNS, PACKED_COLUMNS, RowGroups};
use crate::activation::{BLOCK_LEN, Group};
use crate::vector;

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_codes(codes: &[i8; BLOCK_LEN]) -> __m256i {
    // SAFETY: 32 bytes are readable, and the load takes any alignment.
    unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_sums(sums: &[[i16; 2]; 8]) -> __m256i {
    // SAFETY: 32 bytes are readable, and the load takes any alignment.
    unsafe { _mm256_loadu_si256(sums.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_floats(values: &[f32; 8]) -> __m256 {
    // SAFETY: 32 bytes are readable, and the load takes any alignment.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_halves(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are readable, and the load takes any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// Folds eight registers of partial sums into the sums of eight blocks, in order.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn fold(r: [__m256i; 8]) -> __m256i {
    let pairs = |a, b| _mm256_hadd_epi32(a, b);
    let low = pairs(pairs(r[0], r[1]), pairs(r[2], r[3]));
    let high = pairs(pairs(r[4], r[5]), pairs(r[6], r[7]));
    _mm256_add_epi32(
        _mm256_permute2x128_si256::<0x20>(low, high),
        _mm256_permute2x128_si256::<0x31>(low, high),
    )
}

/// 32 products, summed in eight lanes. Magnitudes are at most 128 and 127, so sums of two products
/// fit 16 bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn products(weights: __m256i, activations: __m256i) -> __m256i {
    let signed = _mm256_sign_epi8(activations, weights);
    let twos = _mm256_maddubs_epi16(_mm256_abs_epi8(weights), signed);
    _mm256_madd_epi16(twos, _mm256_set1_epi16(1))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_group<const MINS: bool>(
    sums: [__m256; 2],
    weights: &Unpacked,
    activations: &Group,
) -> [__m256; 2] {
    let codes = weights.codes.as_chunks::<BLOCK_LEN>().0;
    let values = activations.codes.as_chunks::<BLOCK_LEN>().0;
    let mut out = sums;
    for (half, out) in out.iter_mut().enumerate() {
        // Slots hold blocks 0, 4, 1, 5, 2, 6, 3, 7.
        let order = [0, 2, 4, 6, 1, 3, 5, 7].map(|slot| 8 * half + slot);
        let integers = fold(order.map(|s| products(load_codes(&codes[s]), load_codes(&values[s]))));
        let scales = load_floats(&activations.scales.as_chunks::<8>().0[half]);
        let factors = load_floats(&weights.scales.as_chunks::<8>().0[half]);
        let scale = _mm256_mul_ps(factors, scales);
        *out = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), scale, *out);
        if MINS {
            let mins = load_sums(&weights.mins.as_chunks::<8>().0[half]);
            let sums = load_sums(&activations.sums.as_chunks::<8>().0[half]);
            let factors = load_floats(&weights.min_scales.as_chunks::<8>().0[half]);
            let scale = _mm256_mul_ps(factors, scales);
            let integers = _mm256_cvtepi32_ps(_mm256_madd_epi16(sums, mins));
            *out = _mm256_fnmadd_ps(integers, scale, *out);
        }
    }
    out
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_integer(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    use IntegerFormat::{Iq2Xxs, Mxfp4, Q2K, Q4K, Q8_0};
    match format {
        Q8_0 => rows::<_, false>(scalar::unpack_q8_0, weights, row_bytes, columns, out),
        Q2K => rows::<_, true>(scalar::unpack_q2_k, weights, row_bytes, columns, out),
        Q4K => rows::<_, true>(scalar::unpack_q4_k, weights, row_bytes, columns, out),
        Iq2Xxs => rows::<_, false>(scalar::unpack_iq2_xxs, weights, row_bytes, columns, out),
        Mxfp4 => rows::<_, false>(scalar::unpack_mxfp4, weights, row_bytes, columns, out),
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn rows<const BYTES: usize, const MINS: bool>(
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let n_rows = weights.len() / row_bytes;
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        let mut sums = [[_mm256_setzero_ps(); 2]; MAX_COLUMNS];
        RowGroups::new().for_each(row, |g, bytes| {
            let weights = unpack(bytes);
            for (sums, column) in sums.iter_mut().zip(columns) {
                *sums = add_group::<MINS>(*sums, &weights, &column[g]);
            }
        });
        for (c, [low, high]) in sums[..columns.len()].iter().enumerate() {
            out[c * n_rows + r] = sum_lanes(_mm256_add_ps(*low, *high));
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn unpack_rows(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    out: &mut Vec<Unpacked>,
) {
    scalar::unpack_rows(format, weights, row_bytes, out);
}

/// Multiplies rows of unpacked groups with up to [`PACKED_COLUMNS`] columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_unpacked<'a>(
    rows: impl ExactSizeIterator<Item = &'a [Unpacked]>,
    has_mins: bool,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let n_rows = rows.len();
    for (r, row) in rows.enumerate() {
        let mut sums = [[_mm256_setzero_ps(); 2]; PACKED_COLUMNS];
        for (g, weights) in row.iter().enumerate() {
            for (sums, column) in sums.iter_mut().zip(columns) {
                *sums = if has_mins {
                    add_group::<true>(*sums, weights, &column[g])
                } else {
                    add_group::<false>(*sums, weights, &column[g])
                };
            }
        }
        for (c, [low, high]) in sums[..columns.len()].iter().enumerate() {
            out[c * n_rows + r] = sum_lanes(_mm256_add_ps(*low, *high));
        }
    }
}

/// Adds eight lanes pairwise.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum_lanes(x: __m256) -> f32 {
    let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps::<1>(x, x)))
}

#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_float(
    format: FloatFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[f32]],
    out: &mut [f32],
) {
    let decode_f32 = |b: &[u8; 32]| {
        let floats = b.as_chunks::<4>().0;
        load_floats(&std::array::from_fn(|i| f32::from_le_bytes(floats[i])))
    };
    let decode_bf16 = |b: &[u8; 16]| {
        let wide = _mm256_cvtepu16_epi32(load_halves(b));
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
    };
    let decode_f16 = |b: &[u8; 16]| _mm256_cvtph_ps(load_halves(b));
    let n_rows = weights.len() / row_bytes;
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        // Two columns at a time: eight registers of sums.
        for (pair, columns) in columns.chunks(2).enumerate() {
            let pairs = [columns[0], columns[columns.len() - 1]];
            let sums = match format {
                FloatFormat::F32 => float_row(row, pairs, decode_f32),
                FloatFormat::F16 => float_row(row, pairs, decode_f16),
                FloatFormat::Bf16 => float_row(row, pairs, decode_bf16),
            };
            for (c, sum) in sums[..columns.len()].iter().enumerate() {
                out[(2 * pair + c) * n_rows + r] = *sum;
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn float_row<const BYTES: usize>(
    row: &[u8],
    columns: [&[f32]; 2],
    decode: impl Fn(&[u8; BYTES]) -> __m256,
) -> [f32; 2] {
    const PARTS: usize = vector::LANES / 8;
    let mut sums = [[_mm256_setzero_ps(); PARTS]; 2];
    let (chunks, rest) = row.as_chunks::<BYTES>();
    let n_whole = chunks.len() / PARTS * PARTS;
    let values = columns.map(|column| column.as_chunks::<8>().0);
    for i in (0..n_whole).step_by(PARTS) {
        for part in 0..PARTS {
            let weights = decode(&chunks[i + part]);
            for c in 0..2 {
                let values = load_floats(&values[c][i + part]);
                sums[c][part] = _mm256_fmadd_ps(weights, values, sums[c][part]);
            }
        }
    }
    for i in n_whole..chunks.len() + usize::from(!rest.is_empty()) {
        let mut bytes = [0; BYTES];
        let left = &row[i * BYTES..];
        let n = left.len().min(BYTES);
        bytes[..n].copy_from_slice(&left[..n]);
        let weights = decode(&bytes);
        for c in 0..2 {
            let left = &columns[c][8 * i..];
            let n = left.len().min(8);
            let mut values = [0.0; 8];
            values[..n].copy_from_slice(&left[..n]);
            let part = i % PARTS;
            sums[c][part] = _mm256_fmadd_ps(weights, load_floats(&values), sums[c][part]);
        }
    }
    sums.map(|s| {
        // As 32 lanes are added pairwise: 16 on 16, then eight on eight.
        let low = _mm256_add_ps(s[0], s[2]);
        let high = _mm256_add_ps(s[1], s[3]);
        sum_lanes(_mm256_add_ps(low, high))
    })
}
