//! Groups of each format: unsigned codes in slots or quads, scales and minimums by block.

use std::arch::x86_64::*;

use gguf::blocks::small_floats::e8m0_to_f32;
use gguf::blocks::{iq2_xxs, mxfp4, q2_k, q4_k, q8_0};

use super::{
    Unpacked, at, f16_at, f16_halves, halves, join, load_16, load_32, load_64, load_floats,
};
use crate::activation::GROUP_BLOCKS;
use crate::dot::IntegerFormat;

pub(super) const Q8_0_OFFSET: i16 = 128;
pub(super) const IQ2_XXS_OFFSET: i16 = 64;
pub(super) const MXFP4_OFFSET: i16 = 12;

/// Within each of two blocks: byte `k` of four runs of eight becomes byte `4k ..`.
static QUADS_OF_BLOCKS: [u8; 64] = {
    let mut ids = [0; 64];
    let mut i = 0;
    while i < 64 {
        ids[i] = (i / 32 * 32 + i % 4 * 8 + i % 32 / 4) as u8;
        i += 1;
    }
    ids
};

/// Turns slots of two blocks into quads of all.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn quads_of_slots(slots: &[__m512i; 8]) -> [__m512i; 8] {
    let ids = load_64(&QUADS_OF_BLOCKS);
    let mut quads = [_mm512_setzero_si512(); 8];
    for k in 0..8 {
        quads[k] = _mm512_permutexvar_epi8(ids, slots[k]);
    }
    let [a, b, c, d, e, f, g, h] = quads;
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

/// The weights of two `Q2_K` blocks as they are: 2-bit values in quads, and by block of 32.
pub(super) struct Q2K {
    pub(super) values: [__m512i; 8],
    /// Of the first and last 16 weights, 16 bits each.
    pub(super) scales: __m512i,
    pub(super) mins: __m512i,
    pub(super) d: __m512,
    pub(super) d_min: __m512,
}

/// Where eight bytes with the quads `2p` and `2p + 1` of a block are among two times 64; four
/// blocks, which share their bytes, have them.
static Q2_K_BYTES: [[u8; 64]; 4] = {
    let mut bytes = [[0; 64]; 4];
    let mut i = 0;
    while i < 256 {
        let (p, lane) = (i / 64, i % 64);
        bytes[p][lane] = (lane / 16 * 32 + lane % 4 * 8 + 2 * p + lane % 8 / 4) as u8;
        i += 1;
    }
    bytes
};
/// Where the bits of the quads `2p`, or `2p + 1`, are in eight such bytes.
static Q2_K_SHIFTS: [[u8; 64]; 2] = {
    let mut shifts = [[0; 64]; 2];
    let mut i = 0;
    while i < 128 {
        let (odd, lane) = (i / 64, i % 64);
        shifts[odd][lane] = (32 * odd + lane % 4 * 8 + lane % 16 / 4 * 2) as u8;
        i += 1;
    }
    shifts
};
/// Where the four products of a weight's scale are.
static Q2_K_PRODUCTS: [u8; 64] = {
    let mut products = [0; 64];
    let mut i = 0;
    while i < 64 {
        products[i] = (4 * (i / 4 * 2 + i % 4 / 2)) as u8;
        i += 1;
    }
    products
};

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn read_q2_k(bytes: &[u8; IntegerFormat::Q2K.group_bytes()]) -> Q2K {
    let blocks = bytes.as_chunks::<{ q2_k::BYTES }>().0;
    let q = |s: usize| load_64(at(&blocks[s], q2_k::Q_OFFSET));
    let (q_0, q_1) = (q(0), q(1));
    let mut values = [_mm512_setzero_si512(); 8];
    for p in 0..4 {
        let bytes = _mm512_permutex2var_epi8(q_0, load_64(&Q2_K_BYTES[p]), q_1);
        for odd in 0..2 {
            let value = _mm512_multishift_epi64_epi8(load_64(&Q2_K_SHIFTS[odd]), bytes);
            values[2 * p + odd] = _mm512_and_si512(value, _mm512_set1_epi8(3));
        }
    }
    let scales = |s: usize| load_16(at(&blocks[s], q2_k::SCALES_OFFSET));
    let bytes = _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(scales(0)), scales(1));
    let words = _mm512_cvtepu8_epi16(bytes);
    let d = |s: usize| i32::from_le_bytes(*at(&blocks[s], q2_k::D_OFFSET));
    let d = _mm512_castps128_ps512(_mm_cvtph_ps(_mm_set_epi32(0, 0, d(1), d(0))));
    let of_blocks = _mm512_set_epi32(2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0);
    Q2K {
        values,
        scales: _mm512_and_si512(words, _mm512_set1_epi16(15)),
        mins: _mm512_srli_epi16::<4>(words),
        d: _mm512_permutexvar_ps(of_blocks, d),
        d_min: _mm512_permutexvar_ps(_mm512_add_epi32(of_blocks, _mm512_set1_epi32(1)), d),
    }
}

/// Weights' integers: a 2-bit value and its scale become a product by look-up.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn unpack_q2_k(bytes: &[u8; IntegerFormat::Q2K.group_bytes()]) -> Unpacked {
    let Q2K { values, mins, d, d_min, .. } = read_q2_k(bytes);
    let blocks = bytes.as_chunks::<{ q2_k::BYTES }>().0;
    // The four products of a scale with 0 to 3, in bytes.
    let products = |s: usize| {
        let scales = load_16(at(&blocks[s], q2_k::SCALES_OFFSET));
        let scales = _mm512_cvtepu8_epi32(_mm_and_si128(scales, _mm_set1_epi8(15)));
        _mm512_mullo_epi32(scales, _mm512_set1_epi32(0x0302_0100))
    };
    let (products_0, products_1) = (products(0), products(1));
    let own = load_64(&Q2_K_PRODUCTS);
    let mut codes = [_mm512_setzero_si512(); 8];
    for k in 0..8 {
        let ids = _mm512_or_si512(own, values[k]);
        codes[k] = _mm512_permutex2var_epi8(products_0, ids, products_1);
    }
    Unpacked { codes, scales: d, min_scales: d_min, mins }
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

/// By sign id: the signs of coordinates `4 * half ..`, each at its bit of [`IQ2_XXS_SIGN_BITS`].
const fn iq2_xxs_signs(half: usize) -> [[u8; 64]; 2] {
    let mut signs = [[0; 64]; 2];
    let mut id = 0;
    while id < 128 {
        let mut i = 0;
        while i < 4 {
            let sign = iq2_xxs::signs(id as u8) >> (4 * half + i) & 1;
            signs[id / 64][id % 64] |= sign << IQ2_XXS_SIGN_BITS[i];
            i += 1;
        }
        id += 1;
    }
    signs
}

/// Weights of coordinate `i` or `4 + i`, shifted to be unsigned, by a byte whose bits have the
/// digit and the sign at their places. The other bits of the byte do not matter.
const fn iq2_xxs_values(i: usize) -> [u8; 64] {
    let mut values = [0; 64];
    let mut id = 0;
    while id < 64 {
        let magnitude = [8, 25, 43, 0][id >> IQ2_XXS_DIGIT_BITS[i] & 3];
        let is_negative = id >> IQ2_XXS_SIGN_BITS[i] & 1 == 1;
        values[id] = if is_negative { 64 - magnitude } else { 64 + magnitude };
        id += 1;
    }
    values
}

/// The lower bit of coordinate `i`'s digit, that of the last one after a shift by two.
const IQ2_XXS_DIGIT_BITS: [usize; 4] = [0, 2, 4, 4];
/// The bit of coordinate `i`'s sign.
const IQ2_XXS_SIGN_BITS: [usize; 4] = [2, 4, 0, 1];

static IQ2_XXS_DIGITS: [[[u8; 64]; 4]; 2] = [iq2_xxs_digits(0), iq2_xxs_digits(1)];
static IQ2_XXS_SIGNS: [[[u8; 64]; 2]; 2] = [iq2_xxs_signs(0), iq2_xxs_signs(1)];
static IQ2_XXS_VALUES: [[u8; 64]; 4] =
    [iq2_xxs_values(0), iq2_xxs_values(1), iq2_xxs_values(2), iq2_xxs_values(3)];
/// Where the four sign ids of each of two blocks are.
static IQ2_XXS_SIGN_SHIFTS: [u8; 64] = {
    let mut shifts = [0; 64];
    let mut i = 0;
    while i < 64 {
        shifts[i] = (i % 8 / 4 * 32 + i % 4 * 7) as u8;
        i += 1;
    }
    shifts
};

/// Looks up 64 bytes in a table of 256; `high` are those whose top bit is set.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn look_up(table: &[[u8; 64]; 4], ids: __m512i, high: __mmask64) -> __m512i {
    let low = _mm512_permutex2var_epi8(load_64(&table[0]), ids, load_64(&table[1]));
    let above = _mm512_permutex2var_epi8(load_64(&table[2]), ids, load_64(&table[3]));
    _mm512_mask_blend_epi8(high, low, above)
}

/// In quads, which have the same coordinate of the four points of each block: ids become digits by
/// look-up, sign ids signs, and the two together weights.
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
    let sign_ids = _mm512_multishift_epi64_epi8(load_64(&IQ2_XXS_SIGN_SHIFTS), words);
    let high = _mm512_movepi8_mask(ids);
    let mut codes = [_mm512_setzero_si512(); 8];
    for half in 0..2 {
        let [low, above] = &IQ2_XXS_SIGNS[half];
        let signs = _mm512_permutex2var_epi8(load_64(low), sign_ids, load_64(above));
        let mut digits = look_up(&IQ2_XXS_DIGITS[half], ids, high);
        for i in 0..4 {
            if i == 3 {
                digits = _mm512_srli_epi16::<2>(digits);
            }
            let sign_bit = _mm512_set1_epi8(1 << IQ2_XXS_SIGN_BITS[i]);
            let ids = _mm512_ternarylogic_epi32::<0xca>(sign_bit, signs, digits);
            codes[4 * half + i] = _mm512_permutexvar_epi8(ids, load_64(&IQ2_XXS_VALUES[i]));
        }
    }
    // A quarter of one half more than the scale.
    let factors = _mm512_cvtepi32_ps(_mm512_srli_epi32::<28>(words));
    let factors = _mm512_fmadd_ps(factors, _mm512_set1_ps(0.25), _mm512_set1_ps(0.125));
    let d = |s: usize| i16::from_le_bytes(*at(&blocks[s], iq2_xxs::D_OFFSET));
    Unpacked {
        codes,
        scales: _mm512_mul_ps(f16_halves(d(0), d(1)), factors),
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
