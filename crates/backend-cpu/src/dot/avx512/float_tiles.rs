//! Rows of floats times many columns: tiles of sums in registers, part by part of the rows.
//!
//! The 32 partial sums of a product are two registers; a tile takes the even chunks of 16 weights
//! first and the odd ones then, so that a tile has one register for a product. Rows and columns are
//! copied to where a tile reads them from one end to the other: rows of a matrix are a power of two
//! apart, and so would meet in the same few lines of the nearest cache.

use std::arch::x86_64::*;

use super::packed::sum_lanes_of_four;
use super::{load_32, load_64, load_floats, store_floats};
use crate::dot::{FloatFormat, FloatScratch, Lanes};

const TILE_ROWS: usize = 6;
const TILE_COLUMNS: usize = 4;
/// Weights of each row, and values of each column, that are taken before the next: those of a
/// tile's rows stay in the nearest cache while all columns pass.
const NEAR: usize = 512;
/// Chunks of 16 of one kind, even or odd, in such a part.
const HALF: usize = NEAR / 16 / 2;

/// Sums of a tile: `[even or odd chunks][column][row]`.
type Tile = [[[Lanes; TILE_ROWS]; TILE_COLUMNS]; 2];

/// Registers of scratch that [`dot_floats`] wants at most.
pub(in crate::dot) const fn float_scratch_registers(n_rows: usize, n_columns: usize) -> usize {
    let (row_tiles, column_tiles) = (n_rows.div_ceil(TILE_ROWS), n_columns.div_ceil(TILE_COLUMNS));
    let near = 2 * HALF * (row_tiles * TILE_ROWS + column_tiles * TILE_COLUMNS);
    near + row_tiles * column_tiles * 2 * TILE_COLUMNS * TILE_ROWS
}

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
    let (size, width) = (format.weight_bytes(), row_bytes / format.weight_bytes());
    let (row_tiles, column_tiles) =
        (n_rows.div_ceil(TILE_ROWS), columns.len().div_ceil(TILE_COLUMNS));
    let FloatScratch { rows: near_rows, columns: near_columns, sums } = scratch;
    let sums = sums.some(row_tiles * column_tiles * 2 * TILE_COLUMNS * TILE_ROWS);
    let sums = sums.as_chunks_mut::<TILE_ROWS>().0.as_chunks_mut::<TILE_COLUMNS>().0;
    let sums: &mut [Tile] = sums.as_chunks_mut::<2>().0;
    let near_rows = near_rows.some(row_tiles * 2 * HALF * TILE_ROWS);
    let near_rows = near_rows.as_chunks_mut::<TILE_ROWS>().0;
    let near_columns = near_columns.some(column_tiles * 2 * HALF * TILE_COLUMNS);
    let near_columns = near_columns.as_chunks_mut::<TILE_COLUMNS>().0;
    for first in (0..width).step_by(NEAR) {
        let part = first..width.min(first + NEAR);
        for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
            let bytes = &row[part.start * size..part.end * size];
            place(format, bytes, r % TILE_ROWS, &mut near_rows[r / TILE_ROWS * 2 * HALF..]);
        }
        for (c, column) in columns.iter().enumerate() {
            let to = &mut near_columns[c / TILE_COLUMNS * 2 * HALF..];
            for (i, values) in column[part.clone()].as_chunks::<16>().0.iter().enumerate() {
                to[i % 2 * HALF + i / 2][c % TILE_COLUMNS] = Lanes(*values);
            }
        }
        let n = part.len() / 16;
        for (rows, sums) in
            near_rows.chunks_exact(2 * HALF).zip(sums.chunks_exact_mut(column_tiles))
        {
            for (columns, sums) in near_columns.chunks_exact(2 * HALF).zip(sums) {
                for (half, sums) in sums.iter_mut().enumerate() {
                    if first == 0 {
                        sums.fill([Lanes([0.0; 16]); TILE_ROWS]);
                    }
                    let range = half * HALF..half * HALF + (n + 1 - half) / 2;
                    add_tile(&rows[range.clone()], &columns[range], sums);
                }
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        let (row, column) = (i / column_tiles * TILE_ROWS, i % column_tiles * TILE_COLUMNS);
        for r in 0..TILE_ROWS.min(n_rows - row) {
            let totals = totals(sums, r);
            for (out, total) in out.chunks_exact_mut(n_rows).skip(column).zip(totals) {
                out[row + r] = total;
            }
        }
    }
}

/// Decodes a part of a row, row `r` of a tile, to where the tile reads it.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn place(format: FloatFormat, bytes: &[u8], r: usize, out: &mut [[Lanes; TILE_ROWS]]) {
    let mut put = |i: usize, value| store_floats(&mut out[i % 2 * HALF + i / 2][r].0, value);
    match format {
        FloatFormat::F32 => {
            for (i, bytes) in bytes.as_chunks::<64>().0.iter().enumerate() {
                put(i, _mm512_castsi512_ps(load_64(bytes)));
            }
        }
        FloatFormat::F16 => {
            for (i, bytes) in bytes.as_chunks::<32>().0.iter().enumerate() {
                put(i, _mm512_cvtph_ps(load_32(bytes)));
            }
        }
        FloatFormat::Bf16 => {
            for (i, bytes) in bytes.as_chunks::<32>().0.iter().enumerate() {
                let wide = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(load_32(bytes)));
                put(i, _mm512_castsi512_ps(wide));
            }
        }
    }
}

/// Adds chunks of 16 products.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn add_tile(
    rows: &[[Lanes; TILE_ROWS]],
    columns: &[[Lanes; TILE_COLUMNS]],
    tile: &mut [[Lanes; TILE_ROWS]; TILE_COLUMNS],
) {
    let mut sums = [[_mm512_setzero_ps(); TILE_ROWS]; TILE_COLUMNS];
    for c in 0..TILE_COLUMNS {
        for r in 0..TILE_ROWS {
            sums[c][r] = load_floats(&tile[c][r].0);
        }
    }
    for (rows, columns) in rows.iter().zip(columns) {
        let mut values = [_mm512_setzero_ps(); TILE_COLUMNS];
        for c in 0..TILE_COLUMNS {
            values[c] = load_floats(&columns[c].0);
        }
        for r in 0..TILE_ROWS {
            let weights = load_floats(&rows[r].0);
            for c in 0..TILE_COLUMNS {
                sums[c][r] = _mm512_fmadd_ps(weights, values[c], sums[c][r]);
            }
        }
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
