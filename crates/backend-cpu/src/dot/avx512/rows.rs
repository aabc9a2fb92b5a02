//! Rows one by one, for one to eight columns.

use std::arch::x86_64::*;

use super::unpack::{
    IQ2_XXS_OFFSET, MXFP4_OFFSET, Q8_0_OFFSET, unpack_iq2_xxs, unpack_mxfp4, unpack_q2_k,
    unpack_q4_k, unpack_q8_0,
};
use super::{Job, Unpacked, load_codes, load_floats, load_sums, prefetch};
use crate::activation::Group;
use crate::dot::{IntegerFormat, MAX_COLUMNS, RowGroups};

/// Folds eight registers of two blocks each into the sums of 16 blocks, in order.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn fold(r: &[__m512i; 8]) -> __m512i {
    let pairs = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let quads = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let low = quads(pairs(r[0], r[1]), pairs(r[2], r[3]));
    let high = quads(pairs(r[4], r[5]), pairs(r[6], r[7]));
    _mm512_add_epi32(
        _mm512_shuffle_i32x4::<0b10_00_10_00>(low, high),
        _mm512_shuffle_i32x4::<0b11_01_11_01>(low, high),
    )
}

/// The sums of 16 blocks of products, in order.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn integers<const QUADS: bool>(weights: &[__m512i; 8], activations: &Group) -> __m512i {
    if QUADS {
        let mut sums = [_mm512_setzero_si512(); 2];
        for (i, weights) in weights.iter().enumerate() {
            let codes = load_codes(&activations.quads, i);
            sums[i % 2] = _mm512_dpbusd_epi32(sums[i % 2], *weights, codes);
        }
        return _mm512_add_epi32(sums[0], sums[1]);
    }
    let zero = _mm512_setzero_si512();
    fold(&std::array::from_fn(|i| {
        _mm512_dpbusd_epi32(zero, weights[i], load_codes(&activations.codes, i))
    }))
}

/// Adds one group to the partial sums of a column.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn add_group<const OFFSET: i16, const MINS: bool, const QUADS: bool>(
    sum: __m512,
    weights: &Unpacked,
    activations: &Group,
) -> __m512 {
    let mut integers = integers::<QUADS>(&weights.codes, activations);
    let sums = load_sums(&activations.sums);
    if OFFSET != 0 {
        let excess = _mm512_madd_epi16(sums, _mm512_set1_epi16(OFFSET));
        integers = _mm512_sub_epi32(integers, excess);
    }
    let scales = load_floats(&activations.scales);
    let scale = _mm512_mul_ps(weights.scales, scales);
    let sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers), scale, sum);
    if !MINS {
        return sum;
    }
    let mins = _mm512_madd_epi16(sums, weights.mins);
    let scale = _mm512_mul_ps(weights.min_scales, scales);
    _mm512_fnmadd_ps(_mm512_cvtepi32_ps(mins), scale, sum)
}

/// Adds 16 lanes pairwise.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn sum_lanes(x: __m512) -> f32 {
    let x = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
    let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps::<1>(x, x)))
}

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn dot_integer(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let job = Job { weights, row_bytes, columns };
    match format {
        IntegerFormat::Q8_0 => rows::<_, Q8_0_OFFSET, false, false>(&job, |b| unpack_q8_0(b), out),
        IntegerFormat::Q2K => rows::<_, 0, true, true>(&job, |b| unpack_q2_k(b), out),
        IntegerFormat::Q4K => rows::<_, 0, true, false>(&job, |b| unpack_q4_k(b), out),
        IntegerFormat::Iq2Xxs => {
            rows::<_, IQ2_XXS_OFFSET, false, true>(&job, |b| unpack_iq2_xxs(b), out);
        }
        IntegerFormat::Mxfp4 => {
            rows::<_, MXFP4_OFFSET, false, false>(&job, |b| unpack_mxfp4(b), out);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn rows<const BYTES: usize, const OFFSET: i16, const MINS: bool, const QUADS: bool>(
    job: &Job<'_, Group>,
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    out: &mut [f32],
) {
    match job.columns.len() {
        1 => rows_of::<BYTES, OFFSET, MINS, QUADS, 1>(job, unpack, out),
        2 => rows_of::<BYTES, OFFSET, MINS, QUADS, 2>(job, unpack, out),
        3 | 4 => rows_of::<BYTES, OFFSET, MINS, QUADS, 4>(job, unpack, out),
        _ => rows_of::<BYTES, OFFSET, MINS, QUADS, MAX_COLUMNS>(job, unpack, out),
    }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn rows_of<
    const BYTES: usize,
    const OFFSET: i16,
    const MINS: bool,
    const QUADS: bool,
    const COLUMNS: usize,
>(
    job: &Job<'_, Group>,
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    out: &mut [f32],
) {
    let columns = job.columns::<COLUMNS>();
    let n_rows = job.weights.len() / job.row_bytes;
    for (r, row) in job.weights.chunks_exact(job.row_bytes).enumerate() {
        let mut sums = [_mm512_setzero_ps(); COLUMNS];
        RowGroups::new().for_each(row, |g, bytes| {
            prefetch(bytes);
            let weights = unpack(bytes);
            for c in 0..COLUMNS {
                sums[c] = add_group::<OFFSET, MINS, QUADS>(sums[c], &weights, &columns[c][g]);
            }
        });
        for (c, sum) in sums[..job.columns.len()].iter().enumerate() {
            out[c * n_rows + r] = sum_lanes(*sum);
        }
    }
}
