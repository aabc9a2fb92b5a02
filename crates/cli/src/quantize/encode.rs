//! Encodes rows on all cores.
//!
//! Every block is a pure function of its own weights and importances, so how rows are divided among
//! threads cannot be seen in the result.

use std::num::NonZero;
use std::ops::Range;
use std::thread;

use anyhow::bail;
use engine::InputSquares;
use gguf::TensorType;

/// Weights encoded at a time, about, by all threads together.
pub(crate) const PIECE_LEN: usize = 1 << 22;

/// Magnitude from which a value rounds to infinity in F16.
const F16_OVERFLOW: f32 = 65_520.0;

/// The largest code of `Q8_0`, so the factor between a block's largest weight and its F16 scale.
const Q8_0_MAX_CODE: f32 = 127.0;

/// How the rows of one tensor are encoded.
pub(crate) struct RowEncoder {
    kind: TensorType,
    columns: usize,
    /// Rows that share one matrix of the importances: those of an expert, or all.
    rows_per_matrix: usize,
    /// Mean squares of inputs by matrix; nothing where there were none.
    importance: Vec<Option<Vec<f32>>>,
    n_threads: usize,
}

impl RowEncoder {
    /// An encoder of rows of `columns` weights to which all columns are alike.
    pub(crate) fn new(kind: TensorType, columns: usize, n_threads: usize) -> Self {
        Self { kind, columns, rows_per_matrix: usize::MAX, importance: vec![None], n_threads }
    }

    /// Weighs columns by their inputs. `n_rows` rows are divided among the matrices of `squares`.
    ///
    /// # Panics
    /// If the rows do not divide into the matrices, or the columns differ.
    pub(crate) fn weighted_by(mut self, squares: &InputSquares, n_rows: usize) -> Self {
        let n_matrices = squares.counts.len();
        assert!(n_rows.is_multiple_of(n_matrices) && squares.columns == self.columns);
        self.rows_per_matrix = n_rows / n_matrices;
        self.importance = (0..n_matrices).map(|index| squares.means(index)).collect();
        self
    }

    /// Rows that make a piece.
    pub(crate) fn rows_per_piece(&self) -> usize {
        (PIECE_LEN / self.columns).max(1)
    }

    /// Encodes `n_rows` rows, the first of which is row `first` of the tensor. `read` decodes row
    /// after row, given its number in the tensor. The result is in several parts that follow each
    /// other.
    ///
    /// # Errors
    /// If a weight is not finite, or too large for the type.
    pub(crate) fn encode(
        &self,
        first: usize,
        n_rows: usize,
        read: &(impl Fn(usize, &mut [f32]) + Sync),
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let rows_per_thread = n_rows.div_ceil(self.n_threads).max(1);
        let end = first + n_rows;
        thread::scope(|scope| {
            let threads: Vec<_> = (first..end)
                .step_by(rows_per_thread)
                .map(|first| {
                    let rows = first..(first + rows_per_thread).min(end);
                    scope.spawn(move || self.encode_share(rows, read))
                })
                .collect();
            let results = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            results.collect()
        })
    }

    fn encode_share(
        &self,
        rows: Range<usize>,
        read: &impl Fn(usize, &mut [f32]),
    ) -> anyhow::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(rows.len() * self.kind.row_bytes(self.columns));
        let mut weights = vec![0.0; self.columns];
        for row in rows {
            read(row, &mut weights);
            check_range(&weights, self.kind)?;
            let importance = self.importance[row / self.rows_per_matrix].as_deref();
            self.kind.encode_weighted(&weights, importance, &mut out)?;
        }
        Ok(out)
    }
}

/// Refuses weights that are no numbers or would become infinite. The types that are not listed
/// refuse what does not fit their scales themselves.
fn check_range(weights: &[f32], kind: TensorType) -> anyhow::Result<()> {
    let limit = match kind {
        TensorType::F16 => F16_OVERFLOW,
        TensorType::Q8_0 => F16_OVERFLOW * Q8_0_MAX_CODE,
        _ => f32::INFINITY,
    };
    match weights.iter().find(|weight| weight.is_nan() || weight.abs() >= limit) {
        Some(weight) if weight.is_finite() => bail!("the weight {weight} is too large for {kind}"),
        Some(weight) => bail!("a weight is {weight}; the file is damaged"),
        None => Ok(()),
    }
}

/// One thread per core, unless told otherwise.
pub(crate) fn n_threads(wanted: Option<usize>) -> usize {
    wanted.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode_all(encoder: &RowEncoder, weights: &[f32]) -> Vec<u8> {
        let read = |row: usize, out: &mut [f32]| {
            out.copy_from_slice(&weights[row * out.len()..][..out.len()]);
        };
        let n_rows = weights.len() / encoder.columns;
        encoder.encode(0, n_rows, &read).expect("finite weights").concat()
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let (columns, n_rows) = (256, 13);
        let weights: Vec<f32> =
            (0..columns * n_rows).map(|i| ((i * i) as f32 * 0.37).sin() * 0.1).collect();
        let squares = InputSquares {
            columns,
            sums: (0..columns).map(|c| 1.0 + (c as f32).cos()).collect(),
            counts: vec![2.0],
        };
        for kind in [TensorType::Iq2Xxs, TensorType::Q2K, TensorType::Q4K, TensorType::Mxfp4] {
            let encoded = |n_threads| {
                let encoder = RowEncoder::new(kind, columns, n_threads);
                let encoder = encoder.weighted_by(&squares, n_rows);
                encode_all(&encoder, &weights)
            };
            let expected = encoded(1);
            assert_eq!(expected.len(), n_rows * kind.row_bytes(columns));
            for n_threads in [2, 3, 8, 64] {
                assert_eq!(encoded(n_threads), expected, "{kind}, {n_threads} threads");
            }
        }
    }

    #[test]
    fn each_expert_has_its_own_importance() {
        let (columns, n_rows) = (256, 4);
        let weights: Vec<f32> =
            (0..columns * n_rows).map(|i| ((i % (2 * columns)) as f32).sin()).collect();
        let squares = InputSquares {
            columns,
            sums: (0..2 * columns).map(|c| if c < 10 { 100.0 } else { 1.0 }).collect(),
            counts: vec![1.0, 0.0],
        };
        let encoder = RowEncoder::new(TensorType::Q2K, columns, 2).weighted_by(&squares, n_rows);
        let bytes = encode_all(&encoder, &weights);
        let (first, second) = bytes.split_at(bytes.len() / 2);
        assert_ne!(first, second, "the same weights under other importances");
        let mut plain = Vec::new();
        let half = &weights[2 * columns..];
        TensorType::Q2K.encode_row(half, &mut plain).expect("finite weights");
        assert_eq!(second, plain, "an expert without inputs has no importance");
    }
}
