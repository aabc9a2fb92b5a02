//! Attention with one shared K = V row per position, a raw window, compressed rows and sinks.

use backend::kv_row::{KvKind, KvLayout, KvRounding};
use backend::{AttendParams, Attended, Run};

use crate::Gpu;
use crate::attention_matrices;
use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::linear::{WORKGROUP, reduction};
use crate::memory::Tensor;
use crate::pipelines::Kernel;
use crate::profile::DeviceProfile;

/// Threads that are a head.
const TEAM: usize = 32;
/// Heads of a workgroup.
const HEADS: usize = WORKGROUP / TEAM;
/// Rows decoded at once: what fits workgroup memory of 32 KiB beside the partial sums.
const TILE_ROWS: usize = 8;
/// Workgroups that keep a large device busy.
const BUSY_WORKGROUPS: usize = 256;
/// Rows below which a share is not worth combining.
const SHARE_ROWS: usize = 32;

/// Which compressed rows a kernel reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// None.
    Window,
    /// All that are visible.
    Visible,
    /// Those of a selection.
    Selected,
}

pub(crate) fn attend_kernel(profile: &DeviceProfile, layout: &KvLayout, reads: Reads) -> Kernel {
    let (mut constants, reduction) = reduction(profile, TEAM, TILE_ROWS);
    constants.extend([
        ("WIDTH", layout.width as u32),
        ("COMPRESSED", u32::from(reads != Reads::Window)),
        ("SELECTED", u32::from(reads == Reads::Selected)),
    ]);
    let load = match (layout.rounding, layout.kind) {
        (KvRounding::Off, _) => include_str!("shaders/kv/load_plain_attention.wgsl"),
        (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
            constants.push(("ROPE_DIM", rope_dim as u32));
            include_str!("shaders/kv/load_attention.wgsl")
        }
        (KvRounding::Applied, KvKind::Index) => panic!("nobody attends to index rows"),
    };
    let parts = vec![load.into(), reduction, include_str!("shaders/attend.wgsl").into()];
    Kernel { name: "attend", constants, parts }
}

pub(crate) fn combine_kernel(width: usize) -> Kernel {
    let parts = vec![include_str!("shaders/attend_combine.wgsl").into()];
    Kernel { name: "attend_combine", constants: vec![("WIDTH", width as u32)], parts }
}

/// Shares that the rows of a token are split into: enough to keep a device busy.
fn n_splits(n_heads: usize, n_tokens: usize, n_rows: usize) -> usize {
    let wanted = BUSY_WORKGROUPS.div_ceil(n_heads.div_ceil(HEADS) * n_tokens);
    wanted.min(n_rows / SHARE_ROWS).max(1)
}

pub(crate) fn attend(
    context: &mut Context,
    out: &mut Tensor,
    queries: &Tensor,
    attended: &Attended<'_, Gpu>,
    params: &AttendParams,
    run: Run,
) {
    let Attended { window, compressed, .. } = attended;
    let head_dim = window.layout.width;
    assert_eq!(queries.width, params.n_heads * head_dim, "queries");
    assert_eq!(out.width, queries.width, "heads");
    assert!(run.first_row + run.n_rows <= queries.n_rows.min(out.n_rows), "rows in use");
    let n_seen = run.first_position.min(params.window - 1) + run.n_rows;
    assert!(n_seen <= window.capacity, "the ring holds the run");
    assert_eq!(attended.sinks.n_values(), params.n_heads, "sinks");
    let last_position = run.first_position + run.n_rows;
    let (reads, ratio, top_k, n_compressed) = match compressed {
        None => (Reads::Window, 1, 0, 0),
        Some(compressed) => {
            assert_eq!(compressed.rows.layout, window.layout, "layouts");
            let visible = last_position / compressed.ratio;
            let rows = &compressed.rows;
            if !context.sees(&rows.buffer, rows.stored_bytes(visible)) {
                return;
            }
            match compressed.selection {
                None => {
                    assert!(visible <= compressed.rows.capacity, "rows exist");
                    (Reads::Visible, compressed.ratio, 0, visible)
                }
                Some(chosen) => {
                    assert!(run.first_row + run.n_rows <= chosen.capacity, "choices exist");
                    let n = visible.min(chosen.top_k);
                    (Reads::Selected, compressed.ratio, chosen.top_k, n)
                }
            }
        }
    };
    if attention_matrices::suits(
        &context.device.profile,
        &window.layout,
        params.n_heads,
        run.n_rows,
    ) {
        attention_matrices::attend(context, out, queries, attended, (reads, top_k), params, run);
        return;
    }
    let n_rows = params.window.min(last_position) + n_compressed;
    let n_splits = n_splits(params.n_heads, run.n_rows, n_rows);
    let partials = (n_splits > 1).then(|| {
        let n_words = run.n_rows * params.n_heads * n_splits * (2 + head_dim);
        context.scratch(Scratch::AttentionPartials, n_words)
    });
    let parameters = [
        run.first_row as u32,
        run.first_position as u32,
        params.n_heads as u32,
        params.window as u32,
        window.capacity as u32,
        ratio as u32,
        top_k as u32,
        n_splits as u32,
        (1.0 / (head_dim as f64).sqrt() as f32).to_bits(),
    ];
    let target = partials.as_ref().unwrap_or(&out.buffer);
    let grid = [params.n_heads.div_ceil(HEADS) as u32, run.n_rows as u32, n_splits as u32];
    record_attend(context, target, queries, attended, reads, (&parameters, grid));
    if let Some(partials) = partials {
        combine(context, out, &partials, attended, params, (run, n_splits));
    }
}

fn record_attend(
    context: &mut Context,
    out: &Buffer,
    queries: &Tensor,
    attended: &Attended<'_, Gpu>,
    reads: Reads,
    (parameters, grid): (&[u32], [u32; 3]),
) {
    let Attended { window, compressed, .. } = attended;
    let kernel = attend_kernel(&context.device.profile, &window.layout, reads);
    let sinks = attended.sinks.values(context).clone();
    let mut bindings = vec![
        Binding::Write(out),
        Binding::Read(&queries.buffer),
        Binding::Read(&sinks),
        Binding::Read(&window.buffer),
    ];
    // Kernels that do not read them get the window once more: a binding has to hold something.
    let rows = compressed.as_ref().map_or(&window.buffer, |compressed| &compressed.rows.buffer);
    let selection = compressed.as_ref().and_then(|compressed| compressed.selection);
    let selection = selection.map_or(&window.buffer, |selection| &selection.buffer);
    bindings.extend([Binding::Read(rows), Binding::Read(selection)]);
    context.dispatch(&kernel, &bindings, parameters, grid);
}

fn combine(
    context: &mut Context,
    out: &Tensor,
    partials: &Buffer,
    attended: &Attended<'_, Gpu>,
    params: &AttendParams,
    (run, n_splits): (Run, usize),
) {
    let sinks = attended.sinks.values(context).clone();
    let bindings = [Binding::Write(&out.buffer), Binding::Read(partials), Binding::Read(&sinks)];
    let parameters = [run.first_row, params.n_heads, n_splits].map(|word| word as u32);
    let grid = [params.n_heads as u32, run.n_rows as u32, 1];
    context.dispatch(&combine_kernel(attended.window.layout.width), &bindings, &parameters, grid);
}
