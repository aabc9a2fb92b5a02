//! Many columns: rows are unpacked once, to quads, and meet columns in tiles that live in registers.

use std::arch::x86_64::*;

use super::unpack::{
    IQ2_XXS_OFFSET, MXFP4_OFFSET, Q8_0_OFFSET, quads_of_slots, unpack_iq2_xxs, unpack_mxfp4,
    unpack_q2_k, unpack_q4_k, unpack_q8_0,
};
use super::{
    AHEAD_BYTES, Unpacked, filled, load_64, load_codes, load_floats, load_sums, prefetch,
    store_floats, store_lane, store_mins,
};
use crate::activation::Group;
use crate::dot::{
    IntegerFormat, Lanes, PACKED_COLUMNS, Packed, PackedGroup, PackedMinimums, Registers,
};

/// Rows of a tile: with [`PACKED_COLUMNS`] columns, 24 registers of sums.
const TILE_ROWS: usize = 4;
/// Groups that a tile takes before the next tile comes: those of its columns stay in the nearest
/// cache.
const NEAR_GROUPS: usize = 4;

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn pack(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    packed: &mut Packed,
) {
    packed.offset = match format {
        IntegerFormat::Q8_0 => Q8_0_OFFSET,
        IntegerFormat::Q2K | IntegerFormat::Q4K => 0,
        IntegerFormat::Iq2Xxs => IQ2_XXS_OFFSET,
        IntegerFormat::Mxfp4 => MXFP4_OFFSET,
    };
    match format {
        IntegerFormat::Q8_0 => pack_rows(|b| in_quads(unpack_q8_0(b)), weights, row_bytes, packed),
        IntegerFormat::Q2K => pack_rows(|b| unpack_q2_k(b), weights, row_bytes, packed),
        IntegerFormat::Q4K => pack_rows(|b| in_quads(unpack_q4_k(b)), weights, row_bytes, packed),
        IntegerFormat::Iq2Xxs => pack_rows(|b| unpack_iq2_xxs(b), weights, row_bytes, packed),
        IntegerFormat::Mxfp4 => {
            pack_rows(|b| in_quads(unpack_mxfp4(b)), weights, row_bytes, packed);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn in_quads(mut slots: Unpacked) -> Unpacked {
    slots.codes = quads_of_slots(&slots.codes);
    slots
}

#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn pack_rows<const BYTES: usize>(
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    weights: &[u8],
    row_bytes: usize,
    packed: &mut Packed,
) {
    let (n_groups, has_mins) = (packed.n_groups, packed.has_mins);
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        let to = r * n_groups..(r + 1) * n_groups;
        let minimums = &mut packed.minimums[if has_mins { to.clone() } else { 0..0 }];
        for (g, out) in packed.groups[to].iter_mut().enumerate() {
            let rest = &row[g * BYTES..];
            let last;
            let bytes = if let Some(bytes) = rest.first_chunk() {
                bytes
            } else {
                last = filled(rest);
                &last
            };
            prefetch(bytes, AHEAD_BYTES);
            let group = unpack(bytes);
            for k in 0..8 {
                store_lane(&mut out.codes[k], group.codes[k]);
            }
            store_floats(&mut out.scales.0, group.scales);
            if has_mins {
                store_floats(&mut minimums[g].scales.0, group.min_scales);
                store_mins(&mut minimums[g].mins, group.mins);
            }
        }
    }
}

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn dot_packed(
    packed: &Packed,
    sums: &mut Registers,
    columns: &[&[Group]],
    next: &[&[Group]],
    out: &mut [f32],
) {
    const { assert!(PACKED_COLUMNS == 6) };
    match (columns, packed.has_mins) {
        (&[a], false) => tiles::<1, false>(packed, sums, [a], next, out),
        (&[a, b], false) => tiles::<2, false>(packed, sums, [a, b], next, out),
        (&[a, b, c], false) => tiles::<3, false>(packed, sums, [a, b, c], next, out),
        (&[a, b, c, d], false) => tiles::<4, false>(packed, sums, [a, b, c, d], next, out),
        (&[a, b, c, d, e], false) => tiles::<5, false>(packed, sums, [a, b, c, d, e], next, out),
        (&[a, b, c, d, e, f], false) => {
            tiles::<6, false>(packed, sums, [a, b, c, d, e, f], next, out);
        }
        (&[a], true) => tiles::<1, true>(packed, sums, [a], next, out),
        (&[a, b], true) => tiles::<2, true>(packed, sums, [a, b], next, out),
        (&[a, b, c], true) => tiles::<3, true>(packed, sums, [a, b, c], next, out),
        (&[a, b, c, d], true) => tiles::<4, true>(packed, sums, [a, b, c, d], next, out),
        (&[a, b, c, d, e], true) => tiles::<5, true>(packed, sums, [a, b, c, d, e], next, out),
        (&[a, b, c, d, e, f], true) => {
            tiles::<6, true>(packed, sums, [a, b, c, d, e, f], next, out);
        }
        _ => unreachable!("the caller counted the columns"),
    }
}

/// Tiles of [`TILE_ROWS`] rows, the last one filled up with its last row.
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn tiles<const COLUMNS: usize, const MINS: bool>(
    packed: &Packed,
    sums: &mut Registers,
    columns: [&[Group]; COLUMNS],
    next: &[&[Group]],
    out: &mut [f32],
) {
    let mut next = next.iter().copied().flatten();
    let (n_rows, n_groups) = (packed.n_rows, packed.n_groups);
    let n_tiles = n_rows.div_ceil(TILE_ROWS);
    let sums = sums.some(n_tiles * COLUMNS * TILE_ROWS).as_chunks_mut::<TILE_ROWS>().0;
    let sums = sums.as_chunks_mut::<COLUMNS>().0;
    let offset = _mm512_set1_epi16(-packed.offset);
    for first in (0..n_groups).step_by(NEAR_GROUPS) {
        let groups = first..n_groups.min(first + NEAR_GROUPS);
        for (tile, sums) in sums.iter_mut().enumerate() {
            let rows: [usize; TILE_ROWS] =
                std::array::from_fn(|r| (tile * TILE_ROWS + r).min(n_rows - 1) * n_groups);
            if first == 0 {
                sums.fill([Lanes([0.0; 16]); TILE_ROWS]);
            }
            for g in groups.clone() {
                if let Some(group) = next.next() {
                    prefetch_group(group);
                }
                let weights = rows.map(|row| &packed.groups[row + g]);
                let columns = columns.map(|column| &column[g]);
                let minimums = MINS.then(|| rows.map(|row| &packed.minimums[row + g]));
                add_tile(weights, minimums, columns, offset, sums);
            }
        }
    }
    for (tile, sums) in sums.iter().enumerate() {
        let first = tile * TILE_ROWS;
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(n_rows)) {
            let [a, b, c, d] = sums;
            let (a, b) = (load_floats(&a.0), load_floats(&b.0));
            let (c, d) = (load_floats(&c.0), load_floats(&d.0));
            let totals = sum_lanes_of_four(a, b, c, d);
            for (out, total) in out[first..].iter_mut().zip(totals) {
                *out = total;
            }
        }
    }
}

/// Asks for what a tile reads of a group.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn prefetch_group(group: &Group) {
    for quads in group.quads.as_chunks::<64>().0 {
        _mm_prefetch::<_MM_HINT_T1>(quads.as_ptr());
    }
    _mm_prefetch::<_MM_HINT_T1>(group.scales.as_ptr().cast());
    _mm_prefetch::<_MM_HINT_T1>(group.sums.as_ptr().cast());
}

/// Adds a group of each row times the same group of each column; only formats without an offset
/// have `minimums`.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn add_tile<const COLUMNS: usize>(
    weights: [&PackedGroup; TILE_ROWS],
    minimums: Option<[&PackedMinimums; TILE_ROWS]>,
    columns: [&Group; COLUMNS],
    offset: __m512i,
    sums: &mut [[Lanes; TILE_ROWS]; COLUMNS],
) {
    // Loops, not maps: what passes through a closure may pass through memory.
    let mut integers = [[_mm512_setzero_si512(); TILE_ROWS]; COLUMNS];
    if minimums.is_none() {
        for c in 0..COLUMNS {
            let excess = _mm512_madd_epi16(load_sums(&columns[c].sums), offset);
            integers[c] = [excess; TILE_ROWS];
        }
    }
    for k in 0..8 {
        let mut codes_of = [_mm512_setzero_si512(); TILE_ROWS];
        for r in 0..TILE_ROWS {
            codes_of[r] = load_64(&weights[r].codes[k].0);
        }
        for c in 0..COLUMNS {
            let codes = load_codes(&columns[c].quads, k);
            for r in 0..TILE_ROWS {
                integers[c][r] = _mm512_dpbusd_epi32(integers[c][r], codes_of[r], codes);
            }
        }
    }
    for c in 0..COLUMNS {
        let scales = load_floats(&columns[c].scales);
        for r in 0..TILE_ROWS {
            let scale = _mm512_mul_ps(load_floats(&weights[r].scales.0), scales);
            // Not a masked load: those wait for the store before them to reach the cache.
            let sum = load_floats(&sums[c][r].0);
            let mut sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers[c][r]), scale, sum);
            if let Some(minimums) = minimums {
                let codes = load_sums(&columns[c].sums);
                let integers = _mm512_madd_epi16(codes, load_sums(&minimums[r].mins));
                let scale = _mm512_mul_ps(load_floats(&minimums[r].scales.0), scales);
                sum = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(integers), scale, sum);
            }
            store_floats(&mut sums[c][r].0, sum);
        }
    }
}

/// The upper half of each of two registers, added to its lower half.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn halve(x: __m512, y: __m512) -> __m512 {
    let low = _mm512_shuffle_f32x4::<0b01_00_01_00>(x, y);
    let high = _mm512_shuffle_f32x4::<0b11_10_11_10>(x, y);
    _mm512_add_ps(low, high)
}

/// Adds the 16 lanes of each register pairwise: halves onto each other until one is left.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(super) fn sum_lanes_of_four(a: __m512, b: __m512, c: __m512, d: __m512) -> [f32; 4] {
    let (ab, cd) = (halve(a, b), halve(c, d));
    let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd);
    let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd);
    // 128 bits of each input.
    let x = _mm512_add_ps(even, odd);
    let x = _mm512_add_ps(x, _mm512_permute_ps::<0b01_00_11_10>(x));
    let x = _mm512_add_ps(x, _mm512_permute_ps::<0b10_11_00_01>(x));
    let mut out = [0.0; 16];
    store_floats(&mut out, x);
    [out[0], out[4], out[8], out[12]]
}
