//! Made-up KV: a slot that looks as if tokens had been run, for measuring what comes after them.
//!
//! Rows hold normally distributed values, packed as real ones are, so reading them costs what it
//! costs in earnest, and so does the memory of everything that a slot of that many tokens has written to.
//! What a model says on top of them means nothing.

use backend::{Backend, KvLayout};

use crate::geometry::Geometry;
use crate::slot::{CompressedKv, Slot};

/// Distinct rows; a cache of any size sees them as different bytes at different places.
const N_DISTINCT: usize = 1024;

/// Fills the rows of `slot` up to `n_tokens`.
pub(crate) fn fill<B: Backend>(backend: &mut B, slot: &mut Slot<B>, n_tokens: usize) {
    let attention = made_up_rows(slot.attention_row);
    let index = made_up_rows(slot.index_row);
    let n_window_rows = slot.timeline.ring_rows().min(n_tokens);
    let left_the_ring = n_tokens > slot.timeline.ring_rows();
    let n_checkpoint_rows = if left_the_ring { slot.n_checkpoint_rows() } else { 0 };
    let widths = [slot.attention_row.width, slot.index_row.width];
    for layer in &mut slot.layers {
        write(backend, &mut layer.window, &attention, n_window_rows);
        if let Some(checkpoints) = &mut layer.checkpoints {
            write(backend, checkpoints, &attention, n_checkpoint_rows);
        }
        let parts = [(&mut layer.compressed, &attention), (&mut layer.index, &index)];
        for ((part, rows), width) in parts.into_iter().zip(widths) {
            if let Some(part) = part {
                write(backend, &mut part.rows, rows, n_tokens / part.ratio);
                write_inputs(backend, part, width, n_tokens);
            }
        }
    }
    slot.timeline.extend(&vec![0; n_tokens]);
}

/// Inputs of the windows that are open after `n_tokens` tokens or were not long before.
fn write_inputs<B: Backend>(
    backend: &mut B,
    part: &mut CompressedKv<B>,
    row_width: usize,
    n_tokens: usize,
) {
    let n_rows = part.n_inputs.min(n_tokens);
    let width = Geometry::compressor_width(part.ratio, row_width);
    let mut state = 1_u64;
    let values: Vec<f32> = (0..n_rows + width).map(|_| normal(&mut state)).collect();
    for row in 0..n_rows {
        for x in [&mut part.state.values, &mut part.state.scores] {
            backend.write(x, row, &values[row..row + width]);
        }
    }
}

/// [`N_DISTINCT`] rows of one layout.
struct MadeUpRows {
    row_bytes: usize,
    bytes: Vec<u8>,
}

fn made_up_rows(layout: KvLayout) -> MadeUpRows {
    let row_bytes = layout.row_bytes();
    let mut bytes = vec![0; N_DISTINCT * row_bytes];
    let mut state = 1_u64;
    let mut values = vec![0.0; layout.width];
    for row in bytes.chunks_exact_mut(row_bytes) {
        values.fill_with(|| normal(&mut state));
        layout.pack(&values, row);
    }
    MadeUpRows { row_bytes, bytes }
}

/// The sum of twelve uniform numbers has variance 1 and is close enough to normal here. The
/// generator is the 64-bit linear congruential one of Knuth's MMIX.
fn normal(state: &mut u64) -> f32 {
    let mut uniform = || {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 40) as f32 / (1 << 24) as f32
    };
    (0..12).map(|_| uniform()).sum::<f32>() - 6.0
}

fn write<B: Backend>(backend: &mut B, kv: &mut B::KvRows, rows: &MadeUpRows, n_rows: usize) {
    for first in (0..n_rows).step_by(N_DISTINCT) {
        let n = N_DISTINCT.min(n_rows - first);
        backend.write_kv_rows(kv, first, &rows.bytes[..n * rows.row_bytes]);
    }
}
