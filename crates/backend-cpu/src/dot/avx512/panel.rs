//! Panels of 16 rows: unpacked, turned around, and multiplied with any number of columns.

use std::arch::x86_64::*;

use super::unpack::{
    IQ2_XXS_OFFSET, MXFP4_OFFSET, Q8_0_OFFSET, unpack_iq2_xxs, unpack_mxfp4, unpack_q2_k,
    unpack_q4_k, unpack_q8_0,
};
use super::{
    Job, Unpacked, filled, load_64, load_floats, load_sums, store_floats, store_lane, store_mins,
};
use crate::activation::{GROUP_BLOCKS, Group, slot};
use crate::dot::{IntegerFormat, Lane, MAX_COLUMNS, PANEL_ROWS, Panel};

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn pack_panel(
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
        IntegerFormat::Q8_0 => pack_rows::<_, false>(|b| unpack_q8_0(b), weights, row_bytes, panel),
        IntegerFormat::Q2K => pack_rows::<_, false>(|b| unpack_q2_k(b), weights, row_bytes, panel),
        IntegerFormat::Q4K => pack_rows::<_, false>(|b| unpack_q4_k(b), weights, row_bytes, panel),
        IntegerFormat::Iq2Xxs => {
            pack_rows::<_, true>(|b| unpack_iq2_xxs(b), weights, row_bytes, panel);
        }
        IntegerFormat::Mxfp4 => {
            pack_rows::<_, false>(|b| unpack_mxfp4(b), weights, row_bytes, panel);
        }
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
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn pack_rows<const BYTES: usize, const OCTETS: bool>(
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
        turn::<OCTETS>(&staged, panel, g);
    }
}

/// Writes a group of rows to its places in the panel.
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn turn<const OCTETS: bool>(staged: &Staged, panel: &mut Panel, g: usize) {
    for (k, rows) in staged.codes.iter().enumerate() {
        let rows: [__m512i; 16] = std::array::from_fn(|r| load_64(&rows[r].0));
        let quads = transpose(&rows);
        for (i, quad) in quads.into_iter().enumerate() {
            let (b, place) = if OCTETS {
                (i / 4 * 4 + k % 2 * 2 + i / 2 % 2, k / 2 * 2 + i % 2)
            } else {
                (k / 4 * 8 + k % 4 + i / 8 * 4, i % 8)
            };
            store_lane(&mut panel.codes[(g * GROUP_BLOCKS + b) * 8 + place], quad);
        }
    }
    for b in 0..GROUP_BLOCKS {
        let to = g * GROUP_BLOCKS + b;
        panel.scales[to] = std::array::from_fn(|r| staged.scales[r][b]);
        if panel.has_mins {
            panel.min_scales[to] = std::array::from_fn(|r| staged.min_scales[r][b]);
            panel.mins[to] = std::array::from_fn(|r| staged.mins[r][b]);
        }
    }
}

/// Lane `i` of register `j` becomes lane `j` of register `i`.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
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

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn dot_panel(
    panel: &Panel,
    columns: &[&[Group]],
    out: &mut [[f32; PANEL_ROWS]],
) {
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
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn panel_of<const COLUMNS: usize, const MINS: bool>(
    panel: &Panel,
    columns: [&[Group]; COLUMNS],
    out: &mut [[f32; PANEL_ROWS]],
) {
    let mut partial = [[_mm512_setzero_ps(); COLUMNS]; GROUP_BLOCKS];
    // Group by group, so that a group of all columns stays in the nearest cache.
    for g in 0..columns[0].len() {
        for (b, sums) in partial.iter_mut().enumerate() {
            let at = g * GROUP_BLOCKS + b;
            *sums =
                panel_block::<COLUMNS, MINS>(panel, at, columns.map(|column| &column[g]), b, *sums);
        }
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

/// Adds block `b` of a group, `at` of the panel, to partial sum `b`.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn panel_block<const COLUMNS: usize, const MINS: bool>(
    panel: &Panel,
    at: usize,
    columns: [&Group; COLUMNS],
    b: usize,
    mut sums: [__m512; COLUMNS],
) -> [__m512; COLUMNS] {
    let codes = &panel.codes.as_chunks::<8>().0[at];
    let offset = _mm512_set1_epi16(-panel.offset);
    let mut integers = columns.map(|column| {
        if MINS {
            // Formats with minimums have no offset.
            return _mm512_setzero_si512();
        }
        _mm512_madd_epi16(_mm512_set1_epi32(pair(column.sums[b])), offset)
    });
    for (j, codes) in codes.iter().enumerate() {
        let codes = load_64(&codes.0);
        for c in 0..COLUMNS {
            let quad = columns[c].codes.as_chunks::<4>().0[slot(b) * 8 + j];
            let quad = i32::from_le_bytes(quad.map(|code| code as u8));
            integers[c] = _mm512_dpbusd_epi32(integers[c], codes, _mm512_set1_epi32(quad));
        }
    }
    let scales = load_floats(&panel.scales[at]);
    for c in 0..COLUMNS {
        let scale = _mm512_set1_ps(columns[c].scales[b]);
        let integers = _mm512_cvtepi32_ps(integers[c]);
        sums[c] = _mm512_fmadd_ps(integers, _mm512_mul_ps(scales, scale), sums[c]);
        if MINS {
            let pairs = _mm512_set1_epi32(pair(columns[c].sums[b]));
            let integers = _mm512_madd_epi16(pairs, load_sums(&panel.mins[at]));
            let scale = _mm512_mul_ps(load_floats(&panel.min_scales[at]), scale);
            sums[c] = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(integers), scale, sums[c]);
        }
    }
    sums
}

/// Two sums in one lane.
#[inline]
fn pair([low, high]: [i16; 2]) -> i32 {
    i32::from(low as u16) | i32::from(high) << 16
}
