//! Rows of floats.

use std::arch::x86_64::*;

use super::rows::sum_lanes;
use super::{Job, filled, load_32, load_64, load_floats, prefetch};
use crate::dot::FloatFormat;

/// Most columns of a float kernel.
const FLOAT_COLUMNS: usize = 4;

/// Rows that it keeps in registers beside `COLUMNS` columns.
const fn rows_beside(columns: usize) -> usize {
    if columns <= 2 { 4 } else { 3 }
}

#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
pub(in crate::dot) fn dot_float(
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
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
fn float_rows<const BYTES: usize>(
    job: &Job<'_, f32>,
    decode: impl Fn(&[u8; BYTES]) -> __m512 + Copy,
    out: &mut [f32],
) {
    let n_rows = job.weights.len() / job.row_bytes;
    let parts = job.columns.chunks(FLOAT_COLUMNS);
    for (columns, out) in parts.zip(out.chunks_mut(FLOAT_COLUMNS * n_rows)) {
        let job = Job { columns, ..*job };
        match columns.len() {
            1 => float_blocks::<BYTES, 1, { rows_beside(1) }>(&job, decode, out),
            2 => float_blocks::<BYTES, 2, { rows_beside(2) }>(&job, decode, out),
            _ => float_blocks::<BYTES, FLOAT_COLUMNS, { rows_beside(FLOAT_COLUMNS) }>(
                &job, decode, out,
            ),
        }
    }
}

/// Blocks of `ROWS` rows, and the rows that are left one by one.
#[inline]
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
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
#[target_feature(enable = "avx512dq,avx512vl,avx512vbmi,avx512vnni")]
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
            for row in &chunks {
                // The same place of the next block: what is nearer is read with this one.
                prefetch(&row[i], ROWS * job.row_bytes);
            }
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
