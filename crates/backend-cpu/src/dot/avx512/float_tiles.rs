//! Rows of floats times many columns: tiles of sums in registers, part by part of the rows.
//!
//! The 32 partial sums of a product are two registers; a tile takes the even chunks of 16 weights
//! first and the odd ones then, so that a tile has one register for a product.

use std::arch::x86_64::*;

use super::packed::sum_lanes_of_four;
use super::{load_32, load_floats, store_floats};
use crate::dot::{FloatFormat, FloatScratch, Lanes};

const TILE_ROWS: usize = 6;
const TILE_COLUMNS: usize = 4;
/// Weights of each row, and values of each column, that are taken before the next: tiles of them
/// stay in the nearest cache.
const NEAR: usize = 512;

/// Sums of a tile: `[even or odd chunks][column][row]`.
type Tile = [[[Lanes; TILE_ROWS]; TILE_COLUMNS]; 2];

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn dot_floats(
    format: FloatFormat,
    weights: &[u8],
    row_bytes: usize,
    scratch: &mut FloatScratch,
    columns: &[&[f32]],
    out: &mut [f32],
) {
    let n_rows = weights.len() / row_bytes;
    let width = row_bytes / format.weight_bytes();
    let row_tiles = n_rows.div_ceil(TILE_ROWS);
    let n_tiles = row_tiles * columns.len().div_ceil(TILE_COLUMNS);
    let FloatScratch { weights: near, sums } = scratch;
    let sums = sums.some(n_tiles * 2 * TILE_COLUMNS * TILE_ROWS);
    let sums = sums.as_chunks_mut::<TILE_ROWS>().0.as_chunks_mut::<TILE_COLUMNS>().0;
    let sums: &mut [Tile] = sums.as_chunks_mut::<2>().0;
    let place = |i: usize| (i / row_tiles * TILE_COLUMNS, i % row_tiles * TILE_ROWS);
    near.resize(near.len().max(n_rows * NEAR), 0.0);
    for first in (0..width).step_by(NEAR) {
        let part = first..width.min(first + NEAR);
        for (row, near) in weights.chunks_exact(row_bytes).zip(near.chunks_exact_mut(NEAR)) {
            let size = format.weight_bytes();
            decode(format, &row[part.start * size..part.end * size], near);
        }
        for (i, sums) in sums.iter_mut().enumerate() {
            let (column, row) = place(i);
            let columns: [&[f32]; TILE_COLUMNS] = std::array::from_fn(|c| {
                &columns[(column + c).min(columns.len() - 1)][part.clone()]
            });
            let rows: [&[f32]; TILE_ROWS] =
                std::array::from_fn(|r| &near[(row + r).min(n_rows - 1) * NEAR..][..part.len()]);
            for (half, sums) in sums.iter_mut().enumerate() {
                add_tile(rows, columns, half, first == 0, sums);
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let (column, row) = place(i);
        for r in 0..TILE_ROWS.min(n_rows - row) {
            let totals = totals(sums, r);
            for (out, total) in out.chunks_exact_mut(n_rows).skip(column).zip(totals) {
                out[row + r] = total;
            }
        }
    }
}

/// Decodes a part of a row.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn decode(format: FloatFormat, bytes: &[u8], out: &mut [f32]) {
    let chunks = out.as_chunks_mut::<16>().0.iter_mut();
    match format {
        FloatFormat::F32 => {
            for (out, four) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *out = f32::from_le_bytes(*four);
            }
        }
        FloatFormat::F16 => {
            for (out, bytes) in chunks.zip(bytes.as_chunks::<32>().0) {
                store_floats(out, _mm512_cvtph_ps(load_32(bytes)));
            }
        }
        FloatFormat::Bf16 => {
            for (out, bytes) in chunks.zip(bytes.as_chunks::<32>().0) {
                let wide = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(load_32(bytes)));
                store_floats(out, _mm512_castsi512_ps(wide));
            }
        }
    }
}

/// Adds every other chunk of 16 products, from chunk `half` on.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn add_tile(
    rows: [&[f32]; TILE_ROWS],
    columns: [&[f32]; TILE_COLUMNS],
    half: usize,
    is_first: bool,
    tile: &mut [[Lanes; TILE_ROWS]; TILE_COLUMNS],
) {
    // What is there before the first part means nothing.
    let kept = if is_first { 0 } else { 0xffff };
    let mut sums = [[_mm512_setzero_ps(); TILE_ROWS]; TILE_COLUMNS];
    for c in 0..TILE_COLUMNS {
        for r in 0..TILE_ROWS {
            sums[c][r] = _mm512_maskz_mov_ps(kept, load_floats(&tile[c][r].0));
        }
    }
    let rows = rows.map(|row| row.as_chunks::<16>().0);
    let columns = columns.map(|column| column.as_chunks::<16>().0);
    let n = rows[0].len();
    assert!(rows.iter().all(|row| row.len() == n));
    assert!(columns.iter().all(|column| column.len() == n));
    let mut i = half;
    while i < n {
        let mut values = [_mm512_setzero_ps(); TILE_COLUMNS];
        for c in 0..TILE_COLUMNS {
            values[c] = load_floats(&columns[c][i]);
        }
        for r in 0..TILE_ROWS {
            let weights = load_floats(&rows[r][i]);
            for c in 0..TILE_COLUMNS {
                sums[c][r] = _mm512_fmadd_ps(weights, values[c], sums[c][r]);
            }
        }
        i += 2;
    }
    for c in 0..TILE_COLUMNS {
        for r in 0..TILE_ROWS {
            store_floats(&mut tile[c][r].0, sums[c][r]);
        }
    }
}

/// The products of row `r` of a tile.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn totals([even, odd]: &Tile, r: usize) -> [f32; TILE_COLUMNS] {
    let mut sums = [_mm512_setzero_ps(); TILE_COLUMNS];
    for c in 0..TILE_COLUMNS {
        sums[c] = _mm512_add_ps(load_floats(&even[c][r].0), load_floats(&odd[c][r].0));
    }
    let [a, b, c, d] = sums;
    sum_lanes_of_four(a, b, c, d)
}
