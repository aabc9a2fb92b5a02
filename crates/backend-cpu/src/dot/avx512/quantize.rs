//! Activations rounded to eight bits: the definition in [`crate::activation`], a group at a time.

use std::arch::x86_64::*;

use super::unpack::quads_of_slots;
use super::{join, load_floats, store_floats, store_mins};
use crate::activation::{BLOCK_LEN, GROUP_BLOCKS, GROUP_LEN, Group, MIN_MAGNITUDE, ROUND};

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn quantize_row(x: &[f32], groups: &mut [Group]) {
    let (whole, rest) = x.as_chunks::<GROUP_LEN>();
    for (x, group) in whole.iter().zip(&mut *groups) {
        quantize_group(x, group);
    }
    if !rest.is_empty() {
        quantize_group(&super::filled(rest), &mut groups[whole.len()]);
    }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn quantize_group(x: &[f32; GROUP_LEN], group: &mut Group) {
    let blocks = x.as_chunks::<BLOCK_LEN>().0;
    let halves = |b: usize| {
        let [low, high] = blocks[b].as_chunks::<16>().0 else { unreachable!("a block has 32") };
        [load_floats(low), load_floats(high)]
    };
    let mut largest = [_mm512_setzero_si512(); GROUP_BLOCKS];
    for (b, largest) in largest.iter_mut().enumerate() {
        // Magnitudes compare as integers, and so NaN is the largest.
        let [low, high] = halves(b).map(|x| _mm512_castps_si512(_mm512_abs_ps(x)));
        *largest = _mm512_max_epu32(low, high);
    }
    let largest = _mm512_castsi512_ps(largest_lanes(&largest));
    // Not less, so that NaN counts.
    let counts = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(largest, _mm512_set1_ps(MIN_MAGNITUDE));
    let range = _mm512_set1_ps(127.0);
    store_floats(&mut group.scales, _mm512_maskz_div_ps(counts, largest, range));
    let mut inverses = [0.0; GROUP_BLOCKS];
    store_floats(&mut inverses, _mm512_maskz_div_ps(counts, range, largest));

    let codes_of = |b: usize| {
        let [low, high] = halves(b).map(|x| {
            let rounded = _mm512_mul_ps(x, _mm512_set1_ps(inverses[b]));
            let rounded = _mm512_add_ps(rounded, _mm512_set1_ps(ROUND));
            _mm512_cvtepi32_epi8(_mm512_castps_si512(rounded))
        });
        _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(low), high)
    };
    let mut slots = [_mm512_setzero_si512(); 8];
    for (k, slot) in slots.iter_mut().enumerate() {
        let first = k / 4 * 8 + k % 4;
        *slot = join(codes_of(first), codes_of(first + 4));
        store_codes(&mut group.codes, k, *slot);
    }
    let quads = quads_of_slots(&slots);
    // By quad of a block: those of its first 16 codes, then those of its last.
    let halves = [_mm512_set1_epi32(0x0000_0101), _mm512_set1_epi32(0x0101_0000)];
    let mut sums = [_mm512_setzero_si512(); 2];
    for (k, quads) in quads.iter().enumerate() {
        store_codes(&mut group.quads, k, *quads);
        for (sums, half) in sums.iter_mut().zip(halves) {
            *sums = _mm512_dpbusd_epi32(*sums, half, *quads);
        }
    }
    // Sums of the first halves in the low 16 bits of each lane, of the second in the high ones.
    let high = _mm512_slli_epi32::<16>(sums[1]);
    store_mins(&mut group.sums, _mm512_mask_blend_epi16(0xaaaa_aaaa, sums[0], high));
}

/// The largest lane of each register, in order.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn largest_lanes(r: &[__m512i; GROUP_BLOCKS]) -> __m512i {
    let pairs = |a, b| _mm512_max_epu32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let quads = |a, b| _mm512_max_epu32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let eights = |a, b| {
        let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(a, b);
        _mm512_max_epu32(even, _mm512_shuffle_i32x4::<0b11_01_11_01>(a, b))
    };
    let four = |i: usize| quads(pairs(r[i], r[i + 1]), pairs(r[i + 2], r[i + 3]));
    eights(eights(four(0), four(4)), eights(four(8), four(12)))
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
#[expect(unsafe_code, reason = "stores take pointers")]
fn store_codes(codes: &mut [i8; GROUP_LEN], k: usize, value: __m512i) {
    let codes = &mut codes.as_chunks_mut::<64>().0[k];
    // SAFETY: 64 bytes are writable.
    unsafe { _mm512_storeu_si512(codes.as_mut_ptr().cast(), value) }
}
