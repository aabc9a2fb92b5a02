//! Matrix products and the embedding.

use super::memory::{Matrix, Weight};

/// Sum of products in f64.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

pub(super) fn embed(out: &mut Matrix, tokens: &[u32], table: &Weight) {
    assert_eq!(out.n_rows(), tokens.len());
    assert!(out.width().is_multiple_of(table.columns()), "an output row is whole streams");
    for (t, token) in tokens.iter().enumerate() {
        let embedding = table.row(*token as usize);
        for stream in out.row_mut(t).chunks_exact_mut(embedding.len()) {
            stream.copy_from_slice(&embedding);
        }
    }
}

/// `out` group `g` = `x` group `g` times row group `g`; one group is the plain product.
pub(super) fn grouped_matmul(out: &mut Matrix, x: &Matrix, weight: &Weight, n_groups: usize) {
    assert_eq!(out.n_rows(), x.n_rows());
    assert_eq!(x.width(), n_groups * weight.columns());
    assert_eq!(out.width(), weight.n_rows());
    let rows_per_group = weight.n_rows() / n_groups;
    for j in 0..weight.n_rows() {
        let row = weight.row(j);
        let first = j / rows_per_group * row.len();
        for t in 0..x.n_rows() {
            out.row_mut(t)[j] = dot(&row, &x.row(t)[first..][..row.len()]) as f32;
        }
    }
}
