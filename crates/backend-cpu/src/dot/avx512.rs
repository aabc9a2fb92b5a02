//! AVX-512 with VNNI: 64 products of bytes an instruction.
//!
//! `vpdpbusd` multiplies unsigned with signed bytes, so weight codes are shifted to be unsigned by
//! an `OFFSET` and `OFFSET * sum of activation codes` is taken off again, exactly.
//!
//! Eight registers of 16 partial sums each, two blocks in a register, are folded into one register
//! with a block in every lane; scales, minimums and the running sums live in the same lanes.

#![cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "a kernel's vocabulary is the instruction set")
)]

use std::arch::x86_64::*;

use gguf::blocks::small_floats::e8m0_to_f32;
use gguf::blocks::{iq2_xxs, mxfp4, q2_k, q4_k, q8_0};

use super::{FloatFormat, IntegerFormat, Lane, MAX_COLUMNS, PANEL_ROWS, Panel, RowGroups};
use crate::activation::{GROUP_BLOCKS, Group, slot};

/// A group of weights: unsigned codes in slots, and by block the scales and minimums.
struct Unpacked {
    codes: [__m512i; 8],
    scales: __m512,
    min_scales: __m512,
    mins: __m512i,
}

// ---- loads

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_64(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_codes(group: &Group, k: usize) -> __m512i {
    let codes = &group.codes.as_chunks::<64>().0[k];
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_sums(sums: &[[i16; 2]; 16]) -> __m512i {
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_floats(values: &[f32; 16]) -> __m512 {
    // SAFETY: 64 bytes are readable, and the load takes any alignment.
    unsafe { _mm512_loadu_ps(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_32(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are readable, and the load takes any alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 bytes are readable, and the load takes any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "stores take pointers")]
fn store_lane(lane: &mut Lane, value: __m512i) {
    // SAFETY: 64 bytes are writable.
    unsafe { _mm512_storeu_si512(lane.0.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "stores take pointers")]
fn store_floats(values: &mut [f32; 16], value: __m512) {
    // SAFETY: 64 bytes are writable.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), value) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn f16_at(bytes: &[u8], offset: usize) -> f32 {
    let bits = i32::from(u16::from_le_bytes(*at(bytes, offset)));
    _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)))
}

/// Two values, each in eight lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn halves(low: f32, high: f32) -> __m512 {
    _mm512_mask_blend_ps(0xff00, _mm512_set1_ps(low), _mm512_set1_ps(high))
}

/// Two 32-byte halves.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn join(low: __m256i, high: __m256i) -> __m512i {
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

// ---- unpacking

const Q8_0_OFFSET: i16 = 128;
const IQ2_XXS_OFFSET: i16 = 64;
const MXFP4_OFFSET: i16 = 12;

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
#[expect(unsafe_code, reason = "a gather takes a pointer")]
fn unpack_q8_0(bytes: &[u8; IntegerFormat::Q8_0.group_bytes()]) -> Unpacked {
    let blocks = bytes.as_chunks::<{ q8_0::BYTES }>().0;
    let mut codes = [_mm512_setzero_si512(); 8];
    for (k, codes) in codes.iter_mut().enumerate() {
        let first = k / 4 * 8 + k % 4;
        let low = load_32(at(&blocks[first], q8_0::Q_OFFSET));
        let high = load_32(at(&blocks[first + 4], q8_0::Q_OFFSET));
        *codes = _mm512_xor_si512(join(low, high), _mm512_set1_epi8(-128));
    }
    let lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    let offsets = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(q8_0::BYTES as i32));
    // SAFETY: lane `b` reads the first four bytes of block `b`.
    let d = unsafe { _mm512_i32gather_epi32::<1>(offsets, bytes.as_ptr().cast()) };
    Unpacked {
        codes,
        scales: _mm512_cvtph_ps(_mm512_cvtepi32_epi16(d)),
        min_scales: _mm512_setzero_ps(),
        mins: _mm512_setzero_si512(),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn unpack_q2_k(bytes: &[u8; IntegerFormat::Q2K.group_bytes()]) -> Unpacked {
    let blocks = bytes.as_chunks::<{ q2_k::BYTES }>().0;
    let mut codes = [_mm512_setzero_si512(); 8];
    // Lanes of 16 bytes in slot k hold the groups 2k, 2k + 1, 2k + 8 and 2k + 9 of 16 weights.
    let spread = _mm512_set_epi32(9, 9, 9, 9, 8, 8, 8, 8, 1, 1, 1, 1, 0, 0, 0, 0);
    for (s, block) in blocks.iter().enumerate() {
        let scales = _mm_and_si128(load_16(at(block, q2_k::SCALES_OFFSET)), _mm_set1_epi8(15));
        // The four products of a scale with 0 to 3, in bytes.
        let products =
            _mm512_mullo_epi32(_mm512_cvtepu8_epi32(scales), _mm512_set1_epi32(0x0302_0100));
        let q = load_64(at(block, q2_k::Q_OFFSET));
        let planes =
            [q, _mm512_srli_epi16::<2>(q), _mm512_srli_epi16::<4>(q), _mm512_srli_epi16::<6>(q)];
        for (k, plane) in planes.into_iter().enumerate() {
            let groups = _mm512_add_epi32(spread, _mm512_set1_epi32(2 * k as i32));
            let table = _mm512_permutexvar_epi32(groups, products);
            let q = _mm512_and_si512(plane, _mm512_set1_epi8(3));
            codes[4 * s + k] = _mm512_shuffle_epi8(table, q);
        }
    }
    let mins = _mm256_inserti128_si256::<1>(
        _mm256_castsi128_si256(load_16(at(&blocks[0], q2_k::SCALES_OFFSET))),
        load_16(at(&blocks[1], q2_k::SCALES_OFFSET)),
    );
    let mins = _mm256_and_si256(_mm256_srli_epi16::<4>(mins), _mm256_set1_epi8(15));
    let field = |offset| halves(f16_at(&blocks[0], offset), f16_at(&blocks[1], offset));
    Unpacked {
        codes,
        scales: field(q2_k::D_OFFSET),
        min_scales: field(q2_k::DMIN_OFFSET),
        mins: _mm512_cvtepu8_epi16(mins),
    }
}

/// The eight scales and minimums of a `Q4_K` block as bytes, all at once.
#[inline]
fn q4_k_scales_mins(block: &[u8; q4_k::BYTES]) -> (u64, u64) {
    let word = |i: usize| u32::from_le_bytes(*at(block, q4_k::SCALES_OFFSET + 4 * i));
    let (s0, s1, s2) = (word(0), word(1), word(2));
    let upper = |s: u32| (s >> 6 & 0x0303_0303) << 4;
    let scales = u64::from(s0 & 0x3f3f_3f3f) | u64::from(s2 & 0x0f0f_0f0f | upper(s0)) << 32;
    let mins = u64::from(s1 & 0x3f3f_3f3f) | u64::from(s2 >> 4 & 0x0f0f_0f0f | upper(s1)) << 32;
    (scales, mins)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn unpack_q4_k(bytes: &[u8; IntegerFormat::Q4K.group_bytes()]) -> Unpacked {
    let blocks = bytes.as_chunks::<{ q4_k::BYTES }>().0;
    let nibble = _mm512_set1_epi8(15);
    let mut codes = [_mm512_setzero_si512(); 8];
    for (s, block) in blocks.iter().enumerate() {
        let low = load_64(at(block, q4_k::Q_OFFSET));
        let high = load_64(at(block, q4_k::Q_OFFSET + 64));
        // Bytes 0 to 31 of either half hold blocks 0, 1 and 4, 5; bytes 32 to 63 hold 2, 3 and 6, 7.
        let first = _mm512_shuffle_i64x2::<0b01_00_01_00>(low, high);
        let second = _mm512_shuffle_i64x2::<0b11_10_11_10>(low, high);
        codes[4 * s] = _mm512_and_si512(first, nibble);
        codes[4 * s + 1] = _mm512_and_si512(_mm512_srli_epi16::<4>(first), nibble);
        codes[4 * s + 2] = _mm512_and_si512(second, nibble);
        codes[4 * s + 3] = _mm512_and_si512(_mm512_srli_epi16::<4>(second), nibble);
    }
    let (scales_0, mins_0) = q4_k_scales_mins(&blocks[0]);
    let (scales_1, mins_1) = q4_k_scales_mins(&blocks[1]);
    let scales = _mm512_cvtepu8_epi32(_mm_set_epi64x(scales_1 as i64, scales_0 as i64));
    let mins = _mm512_cvtepu8_epi32(_mm_set_epi64x(mins_1 as i64, mins_0 as i64));
    let field = |offset| halves(f16_at(&blocks[0], offset), f16_at(&blocks[1], offset));
    Unpacked {
        codes,
        scales: _mm512_mul_ps(field(q4_k::D_OFFSET), _mm512_cvtepi32_ps(scales)),
        min_scales: field(q4_k::DMIN_OFFSET),
        mins: _mm512_or_si512(mins, _mm512_slli_epi32::<16>(mins)),
    }
}

/// The grid, shifted to be unsigned: eight points a row.
static IQ2_XXS_GRID: [[u8; 8]; 256] = {
    let mut grid = [[0; 8]; 256];
    let mut id = 0;
    while id < 256 {
        let mut j = 0;
        while j < 8 {
            grid[id][j] = [8, 25, 43][(iq2_xxs::CODES[id] >> (2 * j) & 3) as usize] + 64;
            j += 1;
        }
        id += 1;
    }
    grid
};

/// Expands the four sign ids in each half of `words` to a byte each, as [`iq2_xxs::signs`] does.
#[inline]
fn iq2_xxs_signs(words: u64) -> u64 {
    let each = |mask: u64| mask | mask << 32;
    let ids = words & each(0x7f)
        | words << 1 & each(0x7f00)
        | words << 2 & each(0x7f_0000)
        | words << 3 & each(0x7f00_0000);
    let parity = ids ^ ids >> 4;
    let parity = parity ^ parity >> 2;
    let parity = parity ^ parity >> 1;
    ids | (parity & 0x0101_0101_0101_0101) << 7
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
#[expect(unsafe_code, reason = "a gather takes a pointer")]
fn unpack_iq2_xxs(bytes: &[u8; IntegerFormat::Iq2Xxs.group_bytes()]) -> Unpacked {
    let blocks = bytes.as_chunks::<{ iq2_xxs::BYTES }>().0;
    let mut codes = [_mm512_setzero_si512(); 8];
    for (k, codes) in codes.iter_mut().enumerate() {
        let block = &blocks[k / 4];
        let words = |b: usize| u64::from_le_bytes(*at(block, iq2_xxs::WORDS_OFFSET + 8 * b));
        let (low, high) = (words(k % 4), words(k % 4 + 4));
        let ids = low & 0xffff_ffff | high << 32;
        let ids = _mm512_cvtepu8_epi64(_mm_cvtsi64_si128(ids as i64));
        // SAFETY: ids are bytes and the grid has 256 rows of eight bytes.
        let points = unsafe { _mm512_i64gather_epi64::<8>(ids, IQ2_XXS_GRID.as_ptr().cast()) };
        let negative = iq2_xxs_signs(low >> 32 | high & !0xffff_ffff);
        // 64 + w becomes 64 - w.
        *codes = _mm512_mask_sub_epi8(points, negative, _mm512_set1_epi8(-128), points);
    }
    let odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    let words = |s: usize| load_64(at(&blocks[s], iq2_xxs::WORDS_OFFSET));
    let words = _mm512_permutex2var_epi32(words(0), odd, words(1));
    let factors = _mm512_cvtepi32_ps(_mm512_srli_epi32::<28>(words));
    let factors = _mm512_add_ps(factors, _mm512_set1_ps(0.5));
    let d = |s: usize| f16_at(&blocks[s], iq2_xxs::D_OFFSET) * 0.25;
    Unpacked {
        codes,
        scales: _mm512_mul_ps(halves(d(0), d(1)), factors),
        min_scales: _mm512_setzero_ps(),
        mins: _mm512_setzero_si512(),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn unpack_mxfp4(bytes: &[u8; IntegerFormat::Mxfp4.group_bytes()]) -> Unpacked {
    let blocks = bytes.as_chunks::<{ mxfp4::BYTES }>().0;
    // E2M1 values doubled, plus the offset.
    let values = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    let values = _mm512_broadcast_i32x4(values);
    let mut codes = [_mm512_setzero_si512(); 8];
    let pair = |b: usize| {
        let q = load_16(at(&blocks[b], mxfp4::Q_OFFSET));
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(q), _mm_srli_epi16::<4>(q))
    };
    for (k, codes) in codes.iter_mut().enumerate() {
        let first = k / 4 * 8 + k % 4;
        let q = _mm512_and_si512(join(pair(first), pair(first + 4)), _mm512_set1_epi8(15));
        *codes = _mm512_shuffle_epi8(values, q);
    }
    let mut scales = [0.0; GROUP_BLOCKS];
    for (scale, block) in scales.iter_mut().zip(blocks) {
        *scale = e8m0_to_f32(block[mxfp4::E_OFFSET]) * 0.5;
    }
    Unpacked {
        codes,
        scales: load_floats(&scales),
        min_scales: _mm512_setzero_ps(),
        mins: _mm512_setzero_si512(),
    }
}

// ---- rows

/// Folds eight registers of two blocks each into the sums of 16 blocks, in order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
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

/// Adds one group to the partial sums of a column.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn add_group<const OFFSET: i16, const MINS: bool>(
    sum: __m512,
    weights: &Unpacked,
    activations: &Group,
) -> __m512 {
    let mut products = [_mm512_setzero_si512(); 8];
    for (k, products) in products.iter_mut().enumerate() {
        *products = _mm512_dpbusd_epi32(*products, weights.codes[k], load_codes(activations, k));
    }
    let mut integers = fold(&products);
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
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn sum_lanes(x: __m512) -> f32 {
    let x = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
    let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps::<1>(x, x)))
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
pub(super) fn dot_integer(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let job = Job { weights, row_bytes, columns };
    match format {
        IntegerFormat::Q8_0 => rows::<_, Q8_0_OFFSET, false>(&job, |b| unpack_q8_0(b), out),
        IntegerFormat::Q2K => rows::<_, 0, true>(&job, |b| unpack_q2_k(b), out),
        IntegerFormat::Q4K => rows::<_, 0, true>(&job, |b| unpack_q4_k(b), out),
        IntegerFormat::Iq2Xxs => {
            rows::<_, IQ2_XXS_OFFSET, false>(&job, |b| unpack_iq2_xxs(b), out);
        }
        IntegerFormat::Mxfp4 => rows::<_, MXFP4_OFFSET, false>(&job, |b| unpack_mxfp4(b), out),
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

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn rows<const BYTES: usize, const OFFSET: i16, const MINS: bool>(
    job: &Job<'_, Group>,
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    out: &mut [f32],
) {
    match job.columns.len() {
        1 => rows_of::<BYTES, OFFSET, MINS, 1>(job, unpack, out),
        2 => rows_of::<BYTES, OFFSET, MINS, 2>(job, unpack, out),
        3 | 4 => rows_of::<BYTES, OFFSET, MINS, 4>(job, unpack, out),
        _ => rows_of::<BYTES, OFFSET, MINS, MAX_COLUMNS>(job, unpack, out),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn rows_of<const BYTES: usize, const OFFSET: i16, const MINS: bool, const COLUMNS: usize>(
    job: &Job<'_, Group>,
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    out: &mut [f32],
) {
    let columns = job.columns::<COLUMNS>();
    let n_rows = job.weights.len() / job.row_bytes;
    for (r, row) in job.weights.chunks_exact(job.row_bytes).enumerate() {
        let mut sums = [_mm512_setzero_ps(); COLUMNS];
        RowGroups::new().for_each(row, |g, bytes| {
            let weights = unpack(bytes);
            for c in 0..COLUMNS {
                sums[c] = add_group::<OFFSET, MINS>(sums[c], &weights, &columns[c][g]);
            }
        });
        for (c, sum) in sums[..job.columns.len()].iter().enumerate() {
            out[c * n_rows + r] = sum_lanes(*sum);
        }
    }
}

// ---- panels

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
pub(super) fn pack_panel(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    panel: &mut Panel,
) {
    (panel.offset, panel.has_mins) = match format {
        IntegerFormat::Q8_0 => (Q8_0_OFFSET, false),
        IntegerFormat::Q2K | IntegerFormat::Q4K => (0, true),
        IntegerFormat::Iq2Xxs => (IQ2_XXS_OFFSET, false),
        IntegerFormat::Mxfp4 => (MXFP4_OFFSET, false),
    };
    match format {
        IntegerFormat::Q8_0 => pack_rows(|b| unpack_q8_0(b), weights, row_bytes, panel),
        IntegerFormat::Q2K => pack_rows(|b| unpack_q2_k(b), weights, row_bytes, panel),
        IntegerFormat::Q4K => pack_rows(|b| unpack_q4_k(b), weights, row_bytes, panel),
        IntegerFormat::Iq2Xxs => pack_rows(|b| unpack_iq2_xxs(b), weights, row_bytes, panel),
        IntegerFormat::Mxfp4 => pack_rows(|b| unpack_mxfp4(b), weights, row_bytes, panel),
    }
}

/// A group of all rows of a panel, before it is turned around.
struct Staged {
    /// `[slot][row]`.
    codes: [[Lane; PANEL_ROWS]; 8],
    /// `[row][block]`.
    scales: [[f32; GROUP_BLOCKS]; PANEL_ROWS],
    min_scales: [[f32; GROUP_BLOCKS]; PANEL_ROWS],
    mins: [[[i16; 2]; GROUP_BLOCKS]; PANEL_ROWS],
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn pack_rows<const BYTES: usize>(
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    weights: &[u8],
    row_bytes: usize,
    panel: &mut Panel,
) {
    let n_groups = row_bytes.div_ceil(BYTES);
    let mut staged = Staged {
        codes: [[Lane([0; 64]); PANEL_ROWS]; 8],
        scales: [[0.0; GROUP_BLOCKS]; PANEL_ROWS],
        min_scales: [[0.0; GROUP_BLOCKS]; PANEL_ROWS],
        mins: [[[0; 2]; GROUP_BLOCKS]; PANEL_ROWS],
    };
    for g in 0..n_groups {
        for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
            let rest = &row[g * BYTES..];
            let group = unpack(rest.first_chunk().unwrap_or(&filled(rest)));
            for (k, codes) in group.codes.into_iter().enumerate() {
                store_lane(&mut staged.codes[k][r], codes);
            }
            store_floats(&mut staged.scales[r], group.scales);
            if panel.has_mins {
                store_floats(&mut staged.min_scales[r], group.min_scales);
                store_mins(&mut staged.mins[r], group.mins);
            }
        }
        turn(&staged, panel, g, n_groups);
    }
}

/// Writes a group of rows to its places in the panel.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn turn(staged: &Staged, panel: &mut Panel, g: usize, n_groups: usize) {
    for (k, rows) in staged.codes.iter().enumerate() {
        let rows: [__m512i; 16] = std::array::from_fn(|r| load_64(&rows[r].0));
        let quads = transpose(&rows);
        let first = k / 4 * 8 + k % 4;
        for (b, quads) in [first, first + 4].into_iter().zip(quads.as_chunks::<8>().0) {
            let out = &mut panel.codes[(b * n_groups + g) * 8..][..8];
            for (out, quad) in out.iter_mut().zip(quads) {
                store_lane(out, *quad);
            }
        }
    }
    for b in 0..GROUP_BLOCKS {
        let to = b * n_groups + g;
        panel.scales[to] = std::array::from_fn(|r| staged.scales[r][b]);
        if panel.has_mins {
            panel.min_scales[to] = std::array::from_fn(|r| staged.min_scales[r][b]);
            panel.mins[to] = std::array::from_fn(|r| staged.mins[r][b]);
        }
    }
}

/// Lane `i` of register `j` becomes lane `j` of register `i`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn transpose(r: &[__m512i; 16]) -> [__m512i; 16] {
    let mut pairs = *r;
    for i in (0..16).step_by(2) {
        pairs[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    // quads[4i + j], lane l of 128 bits: element 4l + j of rows 4i to 4i + 3.
    let mut quads = pairs;
    for i in (0..16).step_by(4) {
        quads[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        quads[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        quads[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        quads[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    let mut out = quads;
    for j in 0..4 {
        let low_even = _mm512_shuffle_i32x4::<0b10_00_10_00>(quads[j], quads[4 + j]);
        let low_odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(quads[j], quads[4 + j]);
        let high_even = _mm512_shuffle_i32x4::<0b10_00_10_00>(quads[8 + j], quads[12 + j]);
        let high_odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(quads[8 + j], quads[12 + j]);
        out[j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(low_even, high_even);
        out[8 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(low_even, high_even);
        out[4 + j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(low_odd, high_odd);
        out[12 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(low_odd, high_odd);
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn dot_panel(panel: &Panel, columns: &[&[Group]], out: &mut [[f32; PANEL_ROWS]]) {
    let job = Job { weights: &[], row_bytes: 0, columns };
    match (columns.len(), panel.has_mins) {
        (1, false) => panel_of::<1, false>(panel, job.columns(), out),
        (2, false) => panel_of::<2, false>(panel, job.columns(), out),
        (3 | 4, false) => panel_of::<4, false>(panel, job.columns(), out),
        (_, false) => panel_of::<MAX_COLUMNS, false>(panel, job.columns(), out),
        (1, true) => panel_of::<1, true>(panel, job.columns(), out),
        (2, true) => panel_of::<2, true>(panel, job.columns(), out),
        (3 | 4, true) => panel_of::<4, true>(panel, job.columns(), out),
        (_, true) => panel_of::<MAX_COLUMNS, true>(panel, job.columns(), out),
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn panel_of<const COLUMNS: usize, const MINS: bool>(
    panel: &Panel,
    columns: [&[Group]; COLUMNS],
    out: &mut [[f32; PANEL_ROWS]],
) {
    let n_groups = columns[0].len();
    let mut partial = [[_mm512_setzero_ps(); COLUMNS]; GROUP_BLOCKS];
    for (b, partial) in partial.iter_mut().enumerate() {
        let blocks = b * n_groups..(b + 1) * n_groups;
        let codes = panel.codes[blocks.start * 8..blocks.end * 8].as_chunks::<8>().0;
        let scales = &panel.scales[blocks.clone()];
        let first = slot(b) * 8;
        let mut sums = [_mm512_setzero_ps(); COLUMNS];
        for (g, (codes, scales)) in codes.iter().zip(scales).enumerate() {
            let mut integers = [_mm512_setzero_si512(); COLUMNS];
            for c in 0..COLUMNS {
                let sums = _mm512_set1_epi32(pair(columns[c][g].sums[b]));
                integers[c] = _mm512_madd_epi16(sums, _mm512_set1_epi16(-panel.offset));
            }
            for (j, codes) in codes.iter().enumerate() {
                let codes = load_64(&codes.0);
                for c in 0..COLUMNS {
                    let quad = columns[c][g].codes.as_chunks::<4>().0[first + j];
                    let quad = i32::from_le_bytes(quad.map(|code| code as u8));
                    integers[c] = _mm512_dpbusd_epi32(integers[c], codes, _mm512_set1_epi32(quad));
                }
            }
            let scales = load_floats(scales);
            for c in 0..COLUMNS {
                let scale = _mm512_set1_ps(columns[c][g].scales[b]);
                let integers = _mm512_cvtepi32_ps(integers[c]);
                sums[c] = _mm512_fmadd_ps(integers, _mm512_mul_ps(scales, scale), sums[c]);
                if MINS {
                    let mins = load_sums(&panel.mins[blocks.start + g]);
                    let pairs = _mm512_set1_epi32(pair(columns[c][g].sums[b]));
                    let integers = _mm512_cvtepi32_ps(_mm512_madd_epi16(pairs, mins));
                    let min_scales = load_floats(&panel.min_scales[blocks.start + g]);
                    let scale = _mm512_mul_ps(min_scales, scale);
                    sums[c] = _mm512_fnmadd_ps(integers, scale, sums[c]);
                }
            }
        }
        *partial = sums;
    }
    for n in [8, 4, 2, 1] {
        let (low, high) = partial.split_at_mut(n);
        for (low, high) in low.iter_mut().flatten().zip(high.iter().flatten()) {
            *low = _mm512_add_ps(*low, *high);
        }
    }
    for (out, sum) in out.iter_mut().zip(partial[0]) {
        store_floats(out, sum);
    }
}

/// Two sums in one lane.
#[inline]
fn pair([low, high]: [i16; 2]) -> i32 {
    i32::from(low as u16) | i32::from(high) << 16
}

// ---- floats

/// Rows that the float kernel keeps in registers beside `COLUMNS` columns.
const fn rows_beside(columns: usize) -> usize {
    match columns {
        1 | 2 => 4,
        4 => 2,
        _ => 1,
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
pub(super) fn dot_float(
    format: FloatFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[f32]],
    out: &mut [f32],
) {
    let job = Job { weights, row_bytes, columns };
    match format {
        FloatFormat::F32 => float_rows(&job, |b: &[u8; 64]| _mm512_castsi512_ps(load_64(b)), out),
        FloatFormat::F16 => float_rows(&job, |b: &[u8; 32]| _mm512_cvtph_ps(load_32(b)), out),
        FloatFormat::Bf16 => {
            let decode = |b: &[u8; 32]| {
                let wide = _mm512_cvtepu16_epi32(load_32(b));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
            };
            float_rows(&job, decode, out);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn float_rows<const BYTES: usize>(
    job: &Job<'_, f32>,
    decode: impl Fn(&[u8; BYTES]) -> __m512 + Copy,
    out: &mut [f32],
) {
    match job.columns.len() {
        1 => float_blocks::<BYTES, 1, { rows_beside(1) }>(job, decode, out),
        2 => float_blocks::<BYTES, 2, { rows_beside(2) }>(job, decode, out),
        3 | 4 => float_blocks::<BYTES, 4, { rows_beside(4) }>(job, decode, out),
        _ => float_blocks::<BYTES, MAX_COLUMNS, { rows_beside(MAX_COLUMNS) }>(job, decode, out),
    }
}

/// Blocks of `ROWS` rows, and the rows that are left one by one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn float_blocks<const BYTES: usize, const COLUMNS: usize, const ROWS: usize>(
    job: &Job<'_, f32>,
    decode: impl Fn(&[u8; BYTES]) -> __m512 + Copy,
    out: &mut [f32],
) {
    let n_rows = job.weights.len() / job.row_bytes;
    let mut r = 0;
    while r + ROWS <= n_rows {
        float_block::<BYTES, COLUMNS, ROWS>(job, r, decode, out);
        r += ROWS;
    }
    for r in r..n_rows {
        float_block::<BYTES, COLUMNS, 1>(job, r, decode, out);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")]
fn float_block<const BYTES: usize, const COLUMNS: usize, const ROWS: usize>(
    job: &Job<'_, f32>,
    first_row: usize,
    decode: impl Fn(&[u8; BYTES]) -> __m512,
    out: &mut [f32],
) {
    let columns = job.columns::<COLUMNS>();
    let rows: [&[u8]; ROWS] =
        std::array::from_fn(|r| &job.weights[(first_row + r) * job.row_bytes..][..job.row_bytes]);
    let mut sums = [[[_mm512_setzero_ps(); 2]; COLUMNS]; ROWS];
    let chunks = rows.map(|row| row.as_chunks::<BYTES>().0);
    let values = columns.map(|column| column.as_chunks::<16>().0);
    let n_chunks = columns[0].len() / 16;
    assert!(
        chunks.iter().all(|c| c.len() == n_chunks) && values.iter().all(|v| v.len() == n_chunks)
    );
    for i in 0..n_chunks / 2 {
        for i in [2 * i, 2 * i + 1] {
            let weights: [__m512; ROWS] = std::array::from_fn(|r| decode(&chunks[r][i]));
            for c in 0..COLUMNS {
                let values = load_floats(&values[c][i]);
                for r in 0..ROWS {
                    sums[r][c][i % 2] = _mm512_fmadd_ps(weights[r], values, sums[r][c][i % 2]);
                }
            }
        }
    }
    // What is left of a row: at most one whole chunk and a part of one.
    for i in n_chunks / 2 * 2..columns[0].len().div_ceil(16) {
        for r in 0..ROWS {
            let weights = decode(&filled(&rows[r][i * BYTES..]));
            for c in 0..COLUMNS {
                let values = load_floats(&filled(&columns[c][i * 16..]));
                sums[r][c][i % 2] = _mm512_fmadd_ps(weights, values, sums[r][c][i % 2]);
            }
        }
    }
    let n_rows = job.weights.len() / job.row_bytes;
    for (r, sums) in sums.iter().enumerate() {
        for (c, [even, odd]) in sums[..job.columns.len()].iter().enumerate() {
            out[c * n_rows + first_row + r] = sum_lanes(_mm512_add_ps(*even, *odd));
        }
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
