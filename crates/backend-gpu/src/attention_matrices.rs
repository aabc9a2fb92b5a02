//! Attention of many tokens on matrix units: the heads of a token are the rows of a matrix.

use backend::kv_row::{KvKind, KvLayout, KvRounding};
use backend::{AttendParams, Attended, Run};

use crate::Gpu;
use crate::attention::Reads;
use crate::encode::{Binding, Context};
use crate::linear::MATVEC_TOKENS;
use crate::memory::Tensor;
use crate::pipelines::Kernel;
use crate::profile::DeviceProfile;

/// Heads of a workgroup, channels of a head, and sides of the matrices that the kernel is written for.
const HEADS: usize = 64;
const WIDTH: usize = 512;
const SIDE: u32 = 16;
/// Workgroup memory that the kernel takes: rows, scores, weights.
const WORKGROUP_BYTES: u32 = 47 << 10;

/// Whether the kernel is for this.
pub(crate) fn suits(
    profile: &DeviceProfile,
    layout: &KvLayout,
    n_heads: usize,
    n_tokens: usize,
) -> bool {
    n_tokens > MATVEC_TOKENS
        && profile.matrix_size == Some(SIDE)
        && profile.workgroup_bytes >= WORKGROUP_BYTES
        && layout.rounding == KvRounding::Applied
        && matches!(layout.kind, KvKind::Attention { .. })
        && layout.width == WIDTH
        && n_heads.is_multiple_of(HEADS)
}

pub(crate) fn kernel(layout: &KvLayout, reads: Reads) -> Kernel {
    let KvKind::Attention { rope_dim } = layout.kind else {
        panic!("nobody attends to index rows");
    };
    let constants = vec![
        ("ROPE_DIM", rope_dim as u32),
        ("COMPRESSED", u32::from(reads != Reads::Window)),
        ("SELECTED", u32::from(reads == Reads::Selected)),
    ];
    let parts = vec![
        include_str!("shaders/kv/load_attention_halves.wgsl").into(),
        include_str!("shaders/attend_matrices.wgsl").into(),
    ];
    Kernel { name: "attend_matrices", constants, parts }
}

/// Records it; `reads` and `top_k` are what `attended` says.
pub(crate) fn attend(
    context: &mut Context,
    out: &Tensor,
    queries: &Tensor,
    attended: &Attended<'_, Gpu>,
    (reads, top_k): (Reads, usize),
    params: &AttendParams,
    run: Run,
) {
    let Attended { window, compressed, .. } = attended;
    let halves = context.halves(&queries.buffer, queries.n_rows, queries.width, 1);
    let sinks = attended.sinks.values(context).clone();
    // Kernels that do not read them get the window once more: a binding has to hold something.
    let rows = compressed.as_ref().map_or(&window.buffer, |compressed| &compressed.rows.buffer);
    let selection = compressed.as_ref().and_then(|compressed| compressed.selection);
    let selection = selection.map_or(&window.buffer, |selection| &selection.buffer);
    let bindings = [
        Binding::Write(&out.buffer),
        Binding::Read(&halves),
        Binding::Read(&sinks),
        Binding::Read(&window.buffer),
        Binding::Read(rows),
        Binding::Read(selection),
    ];
    let ratio = compressed.as_ref().map_or(1, |compressed| compressed.ratio);
    let parameters = [
        run.first_row as u32,
        run.first_position as u32,
        params.n_heads as u32,
        params.window as u32,
        window.capacity as u32,
        ratio as u32,
        top_k as u32,
        (1.0 / (WIDTH as f64).sqrt() as f32).to_bits(),
    ];
    let grid = [(params.n_heads / HEADS) as u32, run.n_rows as u32, 1];
    context.dispatch(&kernel(&window.layout, reads), &bindings, &parameters, grid);
}
