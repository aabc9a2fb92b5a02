//! Matrix products.
//!
//! Threads share the rows of weights: a chunk of rows is one item of work, multiplied with all
//! columns at once. Activations are rounded once per input, token by token.

use crate::activation::{Group, Quantized};
use crate::dot::{
    self, FloatFormat, FloatScratch, IntegerFormat, MAX_COLUMNS, PACKED_COLUMNS, Packed, Registers,
    quantize_row,
};
use crate::isa::Available;
use crate::memory::{Matrix, TokenIds};
use crate::parts::{PARALLEL_VALUES, Parts};
use crate::pool::{Tile, Tiles};
use crate::weight::{Format, Weight};

/// Columns from which it is worth packing rows.
pub(crate) const MANY_COLUMNS: usize = 4;
/// Rows that are packed together: they stay in a core's own cache, with some columns beside them.
pub(crate) const PACKED_ROWS: usize = 128;
/// Columns that meet float rows together, once decoded.
pub(crate) const FLOAT_COLUMNS: usize = 32;
/// Chunks of rows are multiples of this many.
const ROW_STEP: usize = 16;
/// Weight bytes of a chunk of rows: large enough to hide the hand-out, small enough to balance.
const CHUNK_BYTES: usize = 256 << 10;

/// Rows of one item of work, of `n_rows` of `row_bytes` bytes for `n_columns` columns.
pub(crate) fn chunk_rows(
    n_rows: usize,
    row_bytes: usize,
    n_columns: usize,
    n_threads: usize,
) -> usize {
    if n_columns >= MANY_COLUMNS {
        let by_balance = (n_rows / (4 * n_threads)).next_multiple_of(ROW_STEP);
        return by_balance.clamp(ROW_STEP, PACKED_ROWS);
    }
    let by_size = CHUNK_BYTES / row_bytes;
    let by_balance = n_rows / (4 * n_threads);
    by_size.min(by_balance).next_multiple_of(ROW_STEP).max(ROW_STEP)
}

/// Scratch of one thread for products.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    packed: Packed,
    sums: Registers,
    floats: FloatScratch,
    /// `[columns, rows]` of one call.
    out: Vec<f32>,
}

/// Some rows of an integer weight.
#[derive(Clone, Copy)]
pub(crate) struct IntegerRows<'a> {
    pub(crate) format: IntegerFormat,
    pub(crate) bytes: &'a [u8],
    pub(crate) row_bytes: usize,
}

impl IntegerRows<'_> {
    /// Multiplies with `n_columns` columns; `emit` gets a column, a first row and the results of
    /// some rows from there.
    pub(crate) fn multiply<'x>(
        self,
        isa: Available,
        scratch: &mut Scratch,
        n_columns: usize,
        column: impl Fn(usize) -> &'x [Group],
        mut emit: impl FnMut(usize, usize, &[f32]),
    ) {
        if n_columns >= MANY_COLUMNS {
            let chunks = self.bytes.chunks(PACKED_ROWS * self.row_bytes).enumerate();
            for (i, bytes) in chunks {
                let Scratch { packed, sums, out, .. } = scratch;
                dot::pack(isa, self.format, bytes, self.row_bytes, packed);
                let n_rows = bytes.len() / self.row_bytes;
                out.resize(out.len().max(PACKED_COLUMNS * n_rows), 0.0);
                for_column_blocks::<_, PACKED_COLUMNS>(
                    n_columns,
                    &column,
                    |first, columns, next| {
                        let out = &mut out[..columns.len() * n_rows];
                        dot::dot_packed(isa, packed, sums, columns, next, out);
                        for (c, out) in out.chunks_exact(n_rows).enumerate() {
                            emit(first + c, i * PACKED_ROWS, out);
                        }
                    },
                );
            }
            return;
        }
        let n_rows = self.bytes.len() / self.row_bytes;
        scratch.out.resize(scratch.out.len().max(MAX_COLUMNS * n_rows), 0.0);
        for_column_blocks::<_, MAX_COLUMNS>(n_columns, &column, |first, columns, _| {
            let out = &mut scratch.out[..columns.len() * n_rows];
            dot::dot_integer(isa, self.format, self.bytes, self.row_bytes, columns, out);
            for (c, out) in out.chunks_exact(n_rows).enumerate() {
                emit(first + c, 0, out);
            }
        });
    }
}

/// Some rows of a float weight.
#[derive(Clone, Copy)]
pub(crate) struct FloatRows<'a> {
    pub(crate) format: FloatFormat,
    pub(crate) bytes: &'a [u8],
    pub(crate) row_bytes: usize,
}

impl FloatRows<'_> {
    /// As [`IntegerRows::multiply`].
    pub(crate) fn multiply<'x>(
        self,
        isa: Available,
        scratch: &mut Scratch,
        n_columns: usize,
        column: impl Fn(usize) -> &'x [f32],
        mut emit: impl FnMut(usize, usize, &[f32]),
    ) {
        if n_columns >= MANY_COLUMNS && dot::has_float_tiles(isa, column(0).len()) {
            for (i, bytes) in self.bytes.chunks(PACKED_ROWS * self.row_bytes).enumerate() {
                let Scratch { floats, out, .. } = scratch;
                let n_rows = bytes.len() / self.row_bytes;
                out.resize(out.len().max(FLOAT_COLUMNS * n_rows), 0.0);
                for_column_blocks::<_, FLOAT_COLUMNS>(n_columns, &column, |first, columns, _| {
                    let out = &mut out[..columns.len() * n_rows];
                    dot::dot_floats(isa, self.format, bytes, self.row_bytes, floats, columns, out);
                    for (c, out) in out.chunks_exact(n_rows).enumerate() {
                        emit(first + c, i * PACKED_ROWS, out);
                    }
                });
            }
            return;
        }
        let n_rows = self.bytes.len() / self.row_bytes;
        scratch.out.resize(scratch.out.len().max(MAX_COLUMNS * n_rows), 0.0);
        for_column_blocks::<_, MAX_COLUMNS>(n_columns, &column, |first, columns, _| {
            let out = &mut scratch.out[..columns.len() * n_rows];
            dot::dot_float(isa, self.format, self.bytes, self.row_bytes, columns, out);
            for (c, out) in out.chunks_exact(n_rows).enumerate() {
                emit(first + c, 0, out);
            }
        });
    }
}

/// Calls `each` with a first column, up to `N` columns from there, about equally many each time, and
/// those that come next.
fn for_column_blocks<'x, X: 'x, const N: usize>(
    n_columns: usize,
    column: &impl Fn(usize) -> &'x [X],
    mut each: impl FnMut(usize, &[&'x [X]], &[&'x [X]]),
) {
    let n_blocks = n_columns.div_ceil(N);
    let first_of = |block: usize| block * n_columns / n_blocks;
    let block = |block: usize| -> ([&'x [X]; N], usize) {
        let first = first_of(block);
        let n = first_of(block + 1) - first;
        (std::array::from_fn(|c| column(first + c.min(n - 1))), n)
    };
    let (mut columns, mut n) = block(0);
    for i in 0..n_blocks {
        let (next, n_next) = if i + 1 < n_blocks { block(i + 1) } else { (columns, 0) };
        each(first_of(i), &columns[..n], &next[..n_next]);
        (columns, n) = (next, n_next);
    }
}

/// Rounds `n_rows` rows of `width` values, on all threads if there are many.
pub(crate) fn quantize<'x>(
    cpu: &mut Parts<'_>,
    n_rows: usize,
    width: usize,
    row: impl Fn(usize) -> &'x [f32] + Sync,
) {
    let isa = cpu.isa;
    let rows = cpu.quantized.rows_mut(n_rows, width).enumerate();
    if n_rows * width < PARALLEL_VALUES {
        rows.for_each(|(i, groups)| quantize_row(isa, row(i), groups));
    } else {
        cpu.pool.for_each(cpu.workers, rows, |_, (i, groups)| quantize_row(isa, row(i), groups));
    }
}

/// `outs[i].0 = x @ outs[i].1^T`.
pub(crate) fn matmuls(cpu: &mut Parts<'_>, outs: &mut [(&mut Matrix, &Weight)], x: &Matrix) {
    for (out, weight) in outs.iter() {
        assert_eq!(out.n_rows(), x.n_rows(), "rows of input and output");
        assert_eq!((weight.columns(), weight.n_rows()), (x.width(), out.width()), "matrix shape");
    }
    if outs.iter().any(|(_, weight)| matches!(weight.format(), Format::Integer(_))) {
        quantize(cpu, x.n_rows(), x.width(), |t| x.row(t));
    }
    let (isa, quantized) = (cpu.isa, &*cpu.quantized);
    let n_threads = cpu.pool.n_threads();
    let chunks = outs.iter_mut().flat_map(|(out, weight)| {
        let (width, n) = (out.width(), out.n_rows());
        let chunk = chunk_rows(width, weight.row_bytes(), n, n_threads);
        Tiles::new(out.values_mut(), width, chunk).map(move |tile| (tile, *weight))
    });
    cpu.pool.for_each(cpu.workers, chunks, |worker, (tile, weight)| {
        let input = Input { x, quantized, n_groups: 1, group: 0 };
        multiply_tile(isa, &mut worker.scratch, weight, tile, &input);
    });
}

/// `out` group `g` = `x` group `g` times row group `g` (c.7).
pub(crate) fn grouped_matmul(
    cpu: &mut Parts<'_>,
    out: &mut Matrix,
    x: &Matrix,
    weight: &Weight,
    n_groups: usize,
) {
    assert_eq!(out.n_rows(), x.n_rows(), "rows of input and output");
    assert_eq!(x.width(), n_groups * weight.columns(), "input width");
    assert_eq!(out.width(), weight.n_rows(), "output width");
    assert!(weight.n_rows().is_multiple_of(n_groups), "groups of rows are whole");
    let columns = weight.columns();
    if matches!(weight.format(), Format::Integer(_)) {
        quantize(cpu, x.n_rows() * n_groups, columns, |i| {
            &x.row(i / n_groups)[i % n_groups * columns..][..columns]
        });
    }
    let (isa, quantized) = (cpu.isa, &*cpu.quantized);
    let (width, n) = (out.width(), out.n_rows());
    let rows_per_group = width / n_groups;
    let wanted = chunk_rows(rows_per_group, weight.row_bytes(), n, cpu.pool.n_threads());
    // A chunk must not cross groups.
    let fits = |chunk: &usize| rows_per_group.is_multiple_of(*chunk);
    let chunk = (1..=wanted / ROW_STEP).rev().map(|steps| steps * ROW_STEP).find(fits);
    let tiles = Tiles::new(out.values_mut(), width, chunk.unwrap_or(rows_per_group));
    cpu.pool.for_each(cpu.workers, tiles, |worker, tile| {
        let group = tile.columns().start / rows_per_group;
        let input = Input { x, quantized, n_groups, group };
        multiply_tile(isa, &mut worker.scratch, weight, tile, &input);
    });
}

/// One group of an input's columns, in both forms.
struct Input<'a> {
    x: &'a Matrix,
    /// Row `t * n_groups + group`, if the weight wants integers.
    quantized: &'a Quantized,
    n_groups: usize,
    group: usize,
}

/// The rows of `weight` that make the columns of `tile`, times all tokens.
fn multiply_tile(
    isa: Available,
    scratch: &mut Scratch,
    weight: &Weight,
    mut tile: Tile<'_>,
    input: &Input<'_>,
) {
    let rows = tile.columns();
    let n = input.x.n_rows();
    let (bytes, row_bytes) = (weight.rows(rows.start, rows.len()), weight.row_bytes());
    let emit = |t: usize, first: usize, values: &[f32]| {
        tile.row_mut(t)[first..first + values.len()].copy_from_slice(values);
    };
    match weight.format() {
        Format::Integer(format) => {
            let column = |t: usize| input.quantized.row(t * input.n_groups + input.group);
            IntegerRows { format, bytes, row_bytes }.multiply(isa, scratch, n, column, emit);
        }
        Format::Float(format) => {
            let columns = weight.columns();
            let column = |t: usize| &input.x.row(t)[input.group * columns..][..columns];
            FloatRows { format, bytes, row_bytes }.multiply(isa, scratch, n, column, emit);
        }
        Format::Ids => panic!("a table of ids is no matrix"),
    }
}

/// `out = x @ weight^T` with few rows of floats, for the op that called: `out` is `[n, rows]`.
pub(crate) fn project(cpu: &mut Parts<'_>, out: &mut [f32], x: &Matrix, weight: &Weight) {
    let (n, n_rows, row_bytes) = (x.n_rows(), weight.n_rows(), weight.row_bytes());
    assert_eq!(weight.columns(), x.width(), "projection width");
    assert_eq!(out.len(), n * n_rows, "projection output");
    let Format::Float(format) = weight.format() else {
        panic!("small projections are floats");
    };
    let isa = cpu.isa;
    if n >= 4 * cpu.pool.n_threads() {
        // Many tokens: an item reads all rows for some tokens.
        let per_item = n.div_ceil(4 * cpu.pool.n_threads()).clamp(MAX_COLUMNS, FLOAT_COLUMNS);
        let chunks = out.chunks_mut(per_item * n_rows).enumerate();
        cpu.pool.for_each(cpu.workers, chunks, |worker, (i, out)| {
            let rows = FloatRows { format, bytes: weight.rows(0, n_rows), row_bytes };
            let column = |t: usize| x.row(per_item * i + t);
            let n = out.len() / n_rows;
            rows.multiply(isa, &mut worker.scratch, n, column, |t, r, values| {
                out[t * n_rows + r..][..values.len()].copy_from_slice(values);
            });
        });
    } else {
        // An item reads some rows for all tokens.
        let chunk = (n_rows / (4 * cpu.pool.n_threads())).next_multiple_of(4).max(4);
        cpu.pool.for_each(cpu.workers, Tiles::new(out, n_rows, chunk), |worker, mut tile| {
            let rows = tile.columns();
            let bytes = weight.rows(rows.start, rows.len());
            let rows = FloatRows { format, bytes, row_bytes };
            rows.multiply(
                isa,
                &mut worker.scratch,
                n,
                |t| x.row(t),
                |t, r, values| {
                    tile.row_mut(t)[r..r + values.len()].copy_from_slice(values);
                },
            );
        });
    }
}

/// `out[t][j] = table[token_t]` for every stream `j`.
pub(crate) fn embed(out: &mut Matrix, tokens: &TokenIds, table: &Weight) {
    assert_eq!(out.n_rows(), tokens.0.len(), "a row per token");
    let columns = table.columns();
    assert!(out.width().is_multiple_of(columns), "an output row is whole streams");
    for (t, token) in tokens.0.iter().enumerate() {
        let (first, rest) = out.row_mut(t).split_at_mut(columns);
        table.decode_row(*token as usize, first);
        for stream in rest.chunks_exact_mut(columns) {
            stream.copy_from_slice(first);
        }
    }
}
