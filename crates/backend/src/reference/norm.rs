//! Root-mean-square norms.

use super::memory::{Matrix, Weight};

/// `x / sqrt(mean(x^2) + eps)`, times `gain` if there is one, in place.
pub(super) fn rms_norm_row(x: &mut [f32], gain: Option<&[f32]>, eps: f32) {
    let mean = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (mean + f64::from(eps)).sqrt();
    for (i, value) in x.iter_mut().enumerate() {
        let gain = gain.map_or(1.0, |gain| f64::from(gain[i]));
        *value = (f64::from(*value) * scale * gain) as f32;
    }
}

pub(super) fn rms_norm(out: &mut Matrix, x: &Matrix, gain: &Weight, eps: f32) {
    assert_eq!((out.n_rows(), out.width()), (x.n_rows(), x.width()));
    let gain = gain.decode();
    assert_eq!(gain.len(), x.width());
    for t in 0..x.n_rows() {
        out.row_mut(t).copy_from_slice(x.row(t));
        rms_norm_row(out.row_mut(t), Some(&gain), eps);
    }
}

pub(super) fn rms_norm_heads(x: &mut Matrix, head_dim: usize, eps: f32) {
    assert!(x.width().is_multiple_of(head_dim));
    for t in 0..x.n_rows() {
        for head in x.row_mut(t).chunks_exact_mut(head_dim) {
            rms_norm_row(head, None, eps);
        }
    }
}
