//! Root-mean-square norms and rotations: token by token, channel by channel.

use backend::{Direction, Rotation, Run};

use crate::memory::Matrix;
use crate::parts::{PARALLEL_VALUES, Parts};
use crate::vector;

/// `1 / sqrt(mean(x^2) + eps)`.
pub(crate) fn rms_scale(isa: crate::isa::Available, x: &[f32], eps: f32) -> f32 {
    let mean = f64::from(vector::sum_of_squares(isa, x)) / x.len() as f64;
    (1.0 / (mean + f64::from(eps)).sqrt()) as f32
}

/// Tokens of one item of work.
pub(crate) fn tokens_per_chunk(n: usize, width: usize, n_threads: usize) -> usize {
    if n * width < PARALLEL_VALUES { n.max(1) } else { n.div_ceil(4 * n_threads) }
}

pub(crate) fn rms_norm(cpu: &mut Parts<'_>, out: &mut Matrix, x: &Matrix, gain: &[f32], eps: f32) {
    assert_eq!((out.n_rows(), out.width()), (x.n_rows(), x.width()), "output shape");
    assert_eq!(gain.len(), x.width(), "gain width");
    let (isa, width) = (cpu.isa, x.width());
    let chunk = width * tokens_per_chunk(x.n_rows(), width, cpu.pool.n_threads());
    let chunks = out.values_mut().chunks_mut(chunk).zip(x.values().chunks(chunk));
    cpu.pool.for_each(cpu.workers, chunks, |_, (out, x)| {
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            vector::scale_with_gain(isa, out, x, rms_scale(isa, x, eps), gain);
        }
    });
}

pub(crate) fn rms_norm_heads(cpu: &mut Parts<'_>, x: &mut Matrix, head_dim: usize, eps: f32) {
    assert!(x.width().is_multiple_of(head_dim), "a row is whole heads");
    let (isa, width) = (cpu.isa, x.width());
    let chunk = width * tokens_per_chunk(x.n_rows(), width, cpu.pool.n_threads());
    cpu.pool.for_each(cpu.workers, x.values_mut().chunks_mut(chunk), |_, chunk| {
        for head in chunk.chunks_exact_mut(head_dim) {
            let scale = rms_scale(isa, head, eps);
            vector::scale(isa, head, scale);
        }
    });
}

pub(crate) fn rope_tail(
    cpu: &mut Parts<'_>,
    x: &mut Matrix,
    head_dim: usize,
    rotation: &Rotation,
    direction: Direction,
    runs: &[Run],
) {
    assert!(x.width().is_multiple_of(head_dim), "a row is whole heads");
    let width = x.width();
    let n_pairs = rotation.rope_dim() / 2;
    for run in runs {
        let rows = &mut x.values_mut()[run.first_row * width..][..run.n_rows * width];
        let per_chunk = tokens_per_chunk(run.n_rows, width, cpu.pool.n_threads());
        let chunks = rows.chunks_mut(per_chunk * width).enumerate();
        cpu.pool.for_each(cpu.workers, chunks, |worker, (i, rows)| {
            let angles = &mut worker.rows;
            for (t, row) in rows.chunks_exact_mut(width).enumerate() {
                let position = run.first_position + i * per_chunk + t;
                angles.clear();
                for i in 0..n_pairs {
                    let (cos, sin) = rotation.cos_sin(i, position);
                    let sin = if direction == Direction::Forward { sin } else { -sin };
                    angles.extend([cos, sin]);
                }
                for head in row.chunks_exact_mut(head_dim) {
                    rotate(&mut head[head_dim - 2 * n_pairs..], angles);
                }
            }
        });
    }
}

/// Rotates adjacent channels by `(cos, sin)` pairs.
fn rotate(channels: &mut [f32], angles: &[f32]) {
    let pairs = channels.as_chunks_mut::<2>().0.iter_mut().zip(angles.as_chunks::<2>().0);
    for ([a, b], [cos, sin]) in pairs {
        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
    }
}
