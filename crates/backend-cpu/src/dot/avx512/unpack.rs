//! Groups of each format: unsigned codes in slots or quads, scales and minimums by block.

use std::arch::x86_64::*;

use gguf::blocks::small_floats::e8m0_to_f32;
use gguf::blocks::{iq2_xxs, mxfp4, q2_k, q4_k, q8_0};

use super::{
    Unpacked, at, f16_at, halves, join, load_16, load_32, load_64, load_floats, load_integers,
};
use crate::activation::GROUP_BLOCKS;
use crate::dot::IntegerFormat;

pub(super) const Q8_0_OFFSET: i16 = 128;
pub(super) const IQ2_XXS_OFFSET: i16 = 64;
pub(super) const MXFP4_OFFSET: i16 = 12;

/// Turns slots of two blocks into quads of all.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn quads_of_slots(slots: &[__m512i; 8]) -> [__m512i; 8] {
    let mut quads = [_mm512_setzero_si512(); 8];
    let [a, b, c, d, e, f, g, h] = *slots;
    let (first, second) = (turn([a, b, c, d]), turn([e, f, g, h]));
    for k in 0..4 {
        quads[k] = _mm512_shuffle_i32x4::<0b10_00_10_00>(first[k], second[k]);
        quads[k + 4] = _mm512_shuffle_i32x4::<0b11_01_11_01>(first[k], second[k]);
    }
    quads
}

/// Of four slots: register `j` has quad `j` or `4 + j` of four neighbouring blocks in each 128 bits.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn turn([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (low_0, high_0) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (low_1, high_1) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(low_0, low_1),
        _mm512_unpackhi_epi64(low_0, low_1),
        _mm512_unpacklo_epi64(high_0, high_1),
        _mm512_unpackhi_epi64(high_0, high_1),
    ]
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "a gather takes a pointer")]
pub(super) fn unpack_q8_0(bytes: &[u8; IntegerFormat::Q8_0.group_bytes()]) -> Unpacked {
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

/// Where quad 0 of each block is among the 32 words of two super-blocks.
static Q2_K_WORDS: [i32; 16] = [0, 0, 0, 0, 8, 8, 8, 8, 16, 16, 16, 16, 24, 24, 24, 24];
/// Which two bits of a byte are a block's.
static Q2_K_SHIFTS: [i32; 16] = [0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6];
/// Where each block's four products are within its 128 bits.
static Q2_K_TABLES: [i32; 16] = {
    let mut tables = [0; 16];
    let mut b = 0;
    while b < 16 {
        tables[b] = 0x0404_0404 * (b as i32 % 4);
        b += 1;
    }
    tables
};

/// In quads: a weight's 2-bit value and its scale become a product by look-up.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn unpack_q2_k(bytes: &[u8; IntegerFormat::Q2K.group_bytes()]) -> Unpacked {
    let blocks = bytes.as_chunks::<{ q2_k::BYTES }>().0;
    let q = |s: usize| load_64(at(&blocks[s], q2_k::Q_OFFSET));
    // The four products of a scale with 0 to 3, in bytes.
    let products = |s: usize| {
        let scales = load_16(at(&blocks[s], q2_k::SCALES_OFFSET));
        let scales = _mm512_cvtepu8_epi32(_mm_and_si128(scales, _mm_set1_epi8(15)));
        _mm512_mullo_epi32(scales, _mm512_set1_epi32(0x0302_0100))
    };
    let (q_0, q_1) = (q(0), q(1));
    let (products_0, products_1) = (products(0), products(1));
    let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    let tables = [
        _mm512_permutex2var_epi32(products_0, even, products_1),
        _mm512_permutex2var_epi32(products_0, odd, products_1),
    ];
    let (words, shifts) = (load_integers(&Q2_K_WORDS), load_integers(&Q2_K_SHIFTS));
    let own = load_integers(&Q2_K_TABLES);
    let mut codes = [_mm512_setzero_si512(); 8];
    for (j, codes) in codes.iter_mut().enumerate() {
        let ids = _mm512_add_epi32(words, _mm512_set1_epi32(j as i32));
        let q = _mm512_srlv_epi32(_mm512_permutex2var_epi32(q_0, ids, q_1), shifts);
        let ids = _mm512_ternarylogic_epi32::<0xf8>(own, q, _mm512_set1_epi8(3));
        *codes = _mm512_shuffle_epi8(tables[j / 4], ids);
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
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn unpack_q4_k(bytes: &[u8; IntegerFormat::Q4K.group_bytes()]) -> Unpacked {
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

/// One byte of each point of the grid: coordinates `4 * half ..` as four 2-bit digits.
const fn iq2_xxs_digits(half: usize) -> [[u8; 64]; 4] {
    let mut digits = [[0; 64]; 4];
    let mut id = 0;
    while id < 256 {
        digits[id / 64][id % 64] = (iq2_xxs::CODES[id] >> (8 * half)) as u8;
        id += 1;
    }
    digits
}

/// Where the quads of octet `k` take their digits from: eight bits of each of two blocks.
const fn iq2_xxs_digit_shifts(k: usize) -> [u8; 64] {
    let mut shifts = [0; 64];
    let mut i = 0;
    while i < 64 {
        shifts[i] = (i % 8 / 4 * 32 + 8 * k + i % 4 * 2) as u8;
        i += 1;
    }
    shifts
}

/// Where quad `k` takes its signs from, to get them into bit 2: seven of an octet's sign id, and
/// its parity, which lies above the four ids.
const fn iq2_xxs_sign_shifts(k: usize) -> [u8; 64] {
    let mut shifts = [0; 64];
    let mut i = 0;
    while i < 64 {
        let j = k % 2 * 4 + i % 4;
        let bit = if j < 7 { k / 2 * 7 + j } else { 28 + k / 2 };
        shifts[i] = ((i % 8 / 4 * 32 + bit + 64 - 2) % 64) as u8;
        i += 1;
    }
    shifts
}

static IQ2_XXS_DIGITS: [[[u8; 64]; 4]; 2] = [iq2_xxs_digits(0), iq2_xxs_digits(1)];
static IQ2_XXS_DIGIT_SHIFTS: [[u8; 64]; 4] = {
    let mut shifts = [[0; 64]; 4];
    let mut k = 0;
    while k < 4 {
        shifts[k] = iq2_xxs_digit_shifts(k);
        k += 1;
    }
    shifts
};
static IQ2_XXS_SIGN_SHIFTS: [[u8; 64]; 8] = {
    let mut shifts = [[0; 64]; 8];
    let mut k = 0;
    while k < 8 {
        shifts[k] = iq2_xxs_sign_shifts(k);
        k += 1;
    }
    shifts
};
/// Weights by digit in bits 0 and 1 and sign in bit 2, shifted to be unsigned.
static IQ2_XXS_VALUES: [u8; 64] = {
    let mut values = [0; 64];
    let mut i = 0;
    while i < 64 {
        let magnitude = [8, 25, 43, 0][i % 4];
        values[i] = if i / 4 % 2 == 0 { 64 + magnitude } else { 64 - magnitude };
        i += 1;
    }
    values
};

/// Looks up 64 bytes in a table of 256.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn look_up(table: &[[u8; 64]; 4], ids: __m512i) -> __m512i {
    let low = _mm512_permutex2var_epi8(load_64(&table[0]), ids, load_64(&table[1]));
    let high = _mm512_permutex2var_epi8(load_64(&table[2]), ids, load_64(&table[3]));
    _mm512_mask_blend_epi8(_mm512_movepi8_mask(ids), low, high)
}

/// The eighth sign of each octet makes the number of minus signs even: bit `28 + k` of each lane
/// becomes the parity of bits `7k .. 7k + 7`, in place of the scale.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn with_parities(words: __m512i) -> __m512i {
    const FIRST_OF_SEVEN: i32 = 1 | 1 << 7 | 1 << 14 | 1 << 21;
    // Moves bit 7k to 28 + k; what else it makes stays below or leaves the lane, without carries.
    const GATHER: i32 = 1 << 28 | 1 << 22 | 1 << 16 | 1 << 10;
    let two = _mm512_xor_si512(words, _mm512_srli_epi32::<1>(words));
    let four = _mm512_xor_si512(two, _mm512_srli_epi32::<2>(two));
    let (two, one) = (_mm512_srli_epi32::<4>(two), _mm512_srli_epi32::<6>(words));
    let parities = _mm512_ternarylogic_epi32::<0x96>(four, two, one);
    let parities = _mm512_and_si512(parities, _mm512_set1_epi32(FIRST_OF_SEVEN));
    let gathered = _mm512_mullo_epi32(parities, _mm512_set1_epi32(GATHER));
    _mm512_ternarylogic_epi32::<0xca>(_mm512_set1_epi32(0x0fff_ffff), words, gathered)
}

/// In quads: ids become digits by look-up, digits and signs become weights by another.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn unpack_iq2_xxs(bytes: &[u8; IntegerFormat::Iq2Xxs.group_bytes()]) -> Unpacked {
    let blocks = bytes.as_chunks::<{ iq2_xxs::BYTES }>().0;
    let words = |s: usize| load_64(at(&blocks[s], iq2_xxs::WORDS_OFFSET));
    let (first, second) = (words(0), words(1));
    let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    let odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    let ids = _mm512_permutex2var_epi32(first, even, second);
    let words = _mm512_permutex2var_epi32(first, odd, second);
    let digits = [look_up(&IQ2_XXS_DIGITS[0], ids), look_up(&IQ2_XXS_DIGITS[1], ids)];
    let signs = with_parities(words);
    let values = load_64(&IQ2_XXS_VALUES);
    let sign_bit = _mm512_set1_epi8(4);
    let mut codes = [_mm512_setzero_si512(); 8];
    for (k, codes) in codes.iter_mut().enumerate() {
        let shifts = load_64(&IQ2_XXS_DIGIT_SHIFTS[k / 2]);
        let digits = _mm512_multishift_epi64_epi8(shifts, digits[k % 2]);
        let signs = _mm512_multishift_epi64_epi8(load_64(&IQ2_XXS_SIGN_SHIFTS[k]), signs);
        let ids = _mm512_ternarylogic_epi32::<0xca>(sign_bit, signs, digits);
        *codes = _mm512_permutexvar_epi8(ids, values);
    }
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
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn unpack_mxfp4(bytes: &[u8; IntegerFormat::Mxfp4.group_bytes()]) -> Unpacked {
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
