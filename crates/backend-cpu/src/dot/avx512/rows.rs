//! Rows one by one, for one to eight columns.

use std::arch::x86_64::*;

use super::unpack::{
    IQ2_XXS_OFFSET, MXFP4_OFFSET, Q2K, Q8_0_OFFSET, read_q2_k, unpack_iq2_xxs, unpack_mxfp4,
    unpack_q4_k, unpack_q8_0,
};
use super::{AHEAD_BYTES, Job, Unpacked, load_codes, load_floats, load_sums, prefetch};
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
    if OFFSET != 0 {
        let sums = load_sums(&activations.sums);
        let excess = _mm512_madd_epi16(sums, _mm512_set1_epi16(OFFSET));
        integers = _mm512_sub_epi32(integers, excess);
    }
    let sum = add_scaled(sum, integers, weights.scales, activations);
    if !MINS {
        return sum;
    }
    take_minimums(sum, weights.mins, weights.min_scales, activations)
}

/// Adds one group of 2-bit values, whose scales meet sums of 16 products.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn add_q2_k(sum: __m512, weights: &Q2K, activations: &Group) -> __m512 {
    let products =
        |k: usize| _mm512_maddubs_epi16(weights.values[k], load_codes(&activations.quads, k));
    // 16 products of at most 3 * 127: far from 2^15.
    let mut sums = [products(0), products(1)];
    for k in 2..8 {
        sums[k % 2] = _mm512_add_epi16(sums[k % 2], products(k));
    }
    let integers = _mm512_madd_epi16(_mm512_add_epi16(sums[0], sums[1]), weights.scales);
    let sum = add_scaled(sum, integers, weights.d, activations);
    take_minimums(sum, weights.mins, weights.d_min, activations)
}

/// `sum + integers * scales`, by block.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn add_scaled(sum: __m512, integers: __m512i, scales: __m512, activations: &Group) -> __m512 {
    let scale = _mm512_mul_ps(scales, load_floats(&activations.scales));
    _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers), scale, sum)
}

/// `sum - minimums * sums of codes`, by block.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn take_minimums(sum: __m512, mins: __m512i, scales: __m512, activations: &Group) -> __m512 {
    let mins = _mm512_madd_epi16(load_sums(&activations.sums), mins);
    let scale = _mm512_mul_ps(scales, load_floats(&activations.scales));
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
        IntegerFormat::Q8_0 => {
            rows(
                &job,
                |b| unpack_q8_0(b),
                |s, w, x| add_group::<Q8_0_OFFSET, false, false>(s, w, x),
                out,
            );
        }
        IntegerFormat::Q2K => rows(&job, |b| read_q2_k(b), |s, w, x| add_q2_k(s, w, x), out),
        IntegerFormat::Q4K => {
            rows(&job, |b| unpack_q4_k(b), |s, w, x| add_group::<0, true, false>(s, w, x), out);
        }
        IntegerFormat::Iq2Xxs => {
            rows(
                &job,
                |b| unpack_iq2_xxs(b),
                |s, w, x| add_group::<IQ2_XXS_OFFSET, false, true>(s, w, x),
                out,
            );
        }
        IntegerFormat::Mxfp4 => {
            rows(
                &job,
                |b| unpack_mxfp4(b),
                |s, w, x| add_group::<MXFP4_OFFSET, false, false>(s, w, x),
                out,
            );
        }
    }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn rows<const BYTES: usize, W>(
    job: &Job<'_, Group>,
    unpack: impl Fn(&[u8; BYTES]) -> W,
    add: impl Fn(__m512, &W, &Group) -> __m512,
    out: &mut [f32],
) {
    match job.columns.len() {
        1 => rows_of::<BYTES, W, 1>(job, unpack, add, out),
        2 => rows_of::<BYTES, W, 2>(job, unpack, add, out),
        3 | 4 => rows_of::<BYTES, W, 4>(job, unpack, add, out),
        _ => rows_of::<BYTES, W, MAX_COLUMNS>(job, unpack, add, out),
    }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn rows_of<const BYTES: usize, W, const COLUMNS: usize>(
    job: &Job<'_, Group>,
    unpack: impl Fn(&[u8; BYTES]) -> W,
    add: impl Fn(__m512, &W, &Group) -> __m512,
    out: &mut [f32],
) {
    let columns = job.columns::<COLUMNS>();
    let n_rows = job.weights.len() / job.row_bytes;
    for (r, row) in job.weights.chunks_exact(job.row_bytes).enumerate() {
        let mut sums = [_mm512_setzero_ps(); COLUMNS];
        RowGroups::new().for_each(row, |g, bytes| {
            prefetch(bytes, AHEAD_BYTES);
            let weights = unpack(bytes);
            for c in 0..COLUMNS {
                sums[c] = add(sums[c], &weights, &columns[c][g]);
            }
        });
        for (c, sum) in sums[..job.columns.len()].iter().enumerate() {
            out[c * n_rows + r] = sum_lanes(*sum);
        }
    }
}
