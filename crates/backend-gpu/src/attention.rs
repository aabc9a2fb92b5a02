//! Attention with one shared K = V row per position, a raw window, compressed rows and sinks.
//!
//! Few tokens have kernels of their own ([`attend_raw`]), which norm and rotate queries on the way,
//! decode rows once for eight heads, and leave rounded activations to the product behind.

use backend::kv_row::{KvKind, KvLayout, KvRounding};
use backend::{AttendParams, Attended, Direction, RawAttendParams, Rotation, Run};

use crate::Gpu;
use crate::attention_matrices;
use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::linear::{MATVEC_TOKENS, WORKGROUP, reduction};
use crate::memory::Tensor;
use crate::norm;
use crate::packed::BLOCK;
use crate::pipelines::{Kernel, Part, Variant};
use crate::profile::DeviceProfile;

/// Threads that are a head.
const TEAM: usize = 32;
/// Heads of a workgroup.
const HEADS: usize = WORKGROUP / TEAM;
/// Rows decoded at once: what fits workgroup memory of 32 KiB beside the partial sums, and a
/// thread's registers.
const TILE_ROWS: usize = 8;
/// Workgroups that keep a large device busy.
const BUSY_WORKGROUPS: usize = 256;
/// Rows below which a share is not worth combining.
const SHARE_ROWS: usize = 32;

/// Workgroups that few tokens are split over, and shares of a token at most: latency decides there.
const MANY_WORKGROUPS: usize = 512;
const MAX_SPLITS: usize = 128;
/// Where rows are many, workgroups are up to so many instead, of no fewer tiles than these: what
/// partial sums cost then is little beside the rows.
const LONG_WORKGROUPS: usize = 1024;
const LONG_TILES: usize = 8;
/// Channels of a head that a workgroup puts together, and its threads.
const COMBINE_CHANNELS: usize = 128;
const COMBINE_WORKGROUP: usize = 256;

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

/// Constants and text of decoding rows to the tile.
fn loading(layout: &KvLayout, reads: Reads) -> (Vec<(&'static str, u32)>, Part) {
    let mut constants = vec![
        ("WIDTH", layout.width as u32),
        ("COMPRESSED", u32::from(reads != Reads::Window)),
        ("SELECTED", u32::from(reads == Reads::Selected)),
    ];
    let load = match (layout.rounding, layout.kind) {
        (KvRounding::Off, _) => include_str!("shaders/kv/load_plain_attention.wgsl"),
        (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
            constants.push(("ROPE_DIM", rope_dim as u32));
            include_str!("shaders/kv/load_attention.wgsl")
        }
        (KvRounding::Applied, KvKind::Index) => panic!("nobody attends to index rows"),
    };
    (constants, load.into())
}

pub(crate) fn attend_kernel(profile: &DeviceProfile, layout: &KvLayout, reads: Reads) -> Kernel {
    let (mut constants, reduction) = reduction(profile, TEAM, TILE_ROWS);
    let (more, load) = loading(layout, reads);
    constants.extend(more);
    let parts = vec![load, reduction, include_str!("shaders/attend.wgsl").into()];
    Kernel { name: "attend", constants, parts }
}

pub(crate) fn raw_kernel(profile: &DeviceProfile, layout: &KvLayout, reads: Reads) -> Kernel {
    let (mut constants, reduction) = reduction(profile, TEAM, TILE_ROWS + 1);
    let (more, load) = loading(layout, reads);
    constants.extend(more);
    let parts = vec![load, reduction, include_str!("shaders/attend_raw.wgsl").into()];
    Kernel { name: "attend_raw", constants, parts }
}

/// Channels that a workgroup puts together.
fn combined_channels(width: usize) -> usize {
    if width.is_multiple_of(COMBINE_CHANNELS) { COMBINE_CHANNELS } else { width }
}

pub(crate) fn raw_combine_kernel(profile: &DeviceProfile, width: usize) -> Kernel {
    let constants = vec![
        ("WIDTH", width as u32),
        ("PART", combined_channels(width) as u32),
        ("WORKGROUP", COMBINE_WORKGROUP as u32),
        ("MAX_SPLITS", MAX_SPLITS as u32),
    ];
    let rounding: [&str; 2] = if profile.packed_dot {
        [
            include_str!("shaders/packed/round.wgsl"),
            include_str!("shaders/packed/round_values.wgsl"),
        ]
    } else {
        ["", include_str!("shaders/packed/round_values_none.wgsl")]
    };
    let mut parts: Vec<Part> =
        rounding.into_iter().filter(|text| !text.is_empty()).map(Part::from).collect();
    parts.push(include_str!("shaders/attend_raw_combine.wgsl").into());
    Kernel { name: "attend_raw_combine", constants, parts }
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

/// Shares that `n_tiles` tiles of a token are split into, of which each takes `workgroups`.
fn raw_splits(workgroups: usize, n_tiles: usize) -> usize {
    let many = MANY_WORKGROUPS.div_ceil(workgroups);
    let long = n_tiles.div_ceil(LONG_TILES).min(LONG_WORKGROUPS.div_ceil(workgroups));
    let wanted = many.max(long).min(MAX_SPLITS);
    n_tiles.div_ceil(n_tiles.div_ceil(wanted))
}

/// Compressed rows that a run reads.
struct RowsRead {
    reads: Reads,
    /// Tokens per row.
    ratio: usize,
    /// Room for the rows of a token, where they are chosen.
    top_k: usize,
    /// Rows of the last token.
    n_compressed: usize,
}

/// `None` if kernels do not see the rows: the device has failed, and knows it.
fn rows_read(context: &Context, attended: &Attended<'_, Gpu>, run: Run) -> Option<RowsRead> {
    let Some(compressed) = &attended.compressed else {
        return Some(RowsRead { reads: Reads::Window, ratio: 1, top_k: 0, n_compressed: 0 });
    };
    let (rows, ratio) = (compressed.rows, compressed.ratio);
    assert_eq!(rows.layout, attended.window.layout, "layouts");
    let visible = (run.first_position + run.n_rows) / ratio;
    if !context.sees(&rows.buffer, rows.stored_bytes(visible)) {
        return None;
    }
    Some(match compressed.selection {
        None => {
            assert!(visible <= rows.capacity, "rows exist");
            RowsRead { reads: Reads::Visible, ratio, top_k: 0, n_compressed: visible }
        }
        Some(chosen) => {
            assert!(run.first_row + run.n_rows <= chosen.capacity, "choices exist");
            let (top_k, n_compressed) = (chosen.top_k, visible.min(chosen.top_k));
            RowsRead { reads: Reads::Selected, ratio, top_k, n_compressed }
        }
    })
}

fn check(
    out: &Tensor,
    queries: &Tensor,
    attended: &Attended<'_, Gpu>,
    params: &AttendParams,
    run: Run,
) {
    let window = attended.window;
    assert_eq!(queries.width, params.n_heads * window.layout.width, "queries");
    assert_eq!(out.width, queries.width, "heads");
    assert!(run.first_row + run.n_rows <= queries.n_rows.min(out.n_rows), "rows in use");
    let n_seen = run.first_position.min(params.window - 1) + run.n_rows;
    assert!(n_seen <= window.capacity, "the ring holds the run");
    assert_eq!(attended.sinks.n_values(), params.n_heads, "sinks");
}

pub(crate) fn attend(
    context: &mut Context,
    out: &mut Tensor,
    queries: &Tensor,
    attended: &Attended<'_, Gpu>,
    params: &AttendParams,
    run: Run,
) {
    let window = attended.window;
    let head_dim = window.layout.width;
    check(out, queries, attended, params, run);
    let Some(rows) = rows_read(context, attended, run) else {
        return;
    };
    let RowsRead { reads, ratio, top_k, n_compressed } = rows;
    let last_position = run.first_position + run.n_rows;
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
    let kernel = attend_kernel(&context.device.profile, &attended.window.layout, reads);
    let sinks = attended.sinks.values(context).clone();
    let [window, rows, selection] = row_bindings(attended);
    let bindings = [
        Binding::Write(out),
        Binding::Read(&queries.buffer),
        Binding::Read(&sinks),
        window,
        rows,
        selection,
    ];
    context.dispatch(&kernel, &bindings, parameters, grid);
}

/// The window, compressed rows and their choice.
fn row_bindings<'a>(attended: &Attended<'a, Gpu>) -> [Binding<'a>; 3] {
    let Attended { window, compressed, .. } = attended;
    // Kernels that do not read them get the window once more: a binding has to hold something.
    let rows = compressed.as_ref().map_or(&window.buffer, |compressed| &compressed.rows.buffer);
    let selection = compressed.as_ref().and_then(|compressed| compressed.selection);
    let selection = selection.map_or(&window.buffer, |selection| &selection.buffer);
    [&window.buffer, rows, selection].map(Binding::Read)
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

/// Whether the kernels for few tokens take rows of this layout.
fn takes_raw(layout: &KvLayout, n_rows: usize) -> bool {
    let width = layout.width;
    n_rows <= MATVEC_TOKENS
        && layout.rounding == KvRounding::Applied
        && width.is_multiple_of(BLOCK)
        && combined_channels(width) <= COMBINE_CHANNELS
}

pub(crate) fn attend_raw(
    context: &mut Context,
    out: &mut Tensor,
    queries: &mut Tensor,
    (runs, attended): (&[Run], &[Attended<'_, Gpu>]),
    rotation: &Rotation,
    params: &RawAttendParams,
) {
    let RawAttendParams { attend: own, head_dim, norm_eps } = params;
    let is_raw = |attended: &Attended<'_, Gpu>| {
        assert_eq!(attended.window.layout.width, *head_dim, "channels of a head");
        takes_raw(&attended.window.layout, queries.n_rows)
    };
    if !attended.iter().all(is_raw) {
        norm::rms_norm_heads(context, queries, *head_dim, *norm_eps);
        norm::rope_tail(context, queries, *head_dim, rotation, Direction::Forward, runs);
        for (run, attended) in runs.iter().zip(attended) {
            attend(context, out, queries, attended, own, *run);
        }
        norm::rope_tail(context, out, *head_dim, rotation, Direction::Inverse, runs);
        return;
    }
    let angles = norm::angles_of_rows(context, queries.n_rows, rotation, runs);
    for (run, attended) in runs.iter().zip(attended) {
        let raw = Raw { queries, angles: &angles, n_pairs: rotation.rope_dim() / 2, params };
        attend_raw_run(context, out, attended, &raw, *run);
    }
    if context.device.profile.packed_dot {
        context.packed_is_current(&out.buffer, out.n_rows * out.width);
    }
}

/// Queries as their product left them, and what becomes of them.
struct Raw<'a> {
    queries: &'a Tensor,
    angles: &'a Buffer,
    n_pairs: usize,
    params: &'a RawAttendParams,
}

fn attend_raw_run(
    context: &mut Context,
    out: &mut Tensor,
    attended: &Attended<'_, Gpu>,
    raw: &Raw<'_>,
    run: Run,
) {
    let RawAttendParams { attend: params, head_dim, norm_eps } = raw.params;
    check(out, raw.queries, attended, params, run);
    let Some(RowsRead { reads, ratio, top_k, n_compressed }) = rows_read(context, attended, run)
    else {
        return;
    };
    let n_rows = params.window.min(run.first_position + run.n_rows) + n_compressed;
    let head_groups = params.n_heads.div_ceil(HEADS);
    let n_splits = raw_splits(head_groups * run.n_rows, n_rows.div_ceil(TILE_ROWS));
    let n_partials = run.n_rows * params.n_heads * n_splits;
    let sums = context.scratch(Scratch::AttentionPartials, n_partials * head_dim);
    let weights = context.scratch(Scratch::AttentionWeights, n_partials * 2);
    let layout = attended.window.layout;
    let KvKind::Attention { rope_dim } = layout.kind else {
        panic!("nobody attends to index rows")
    };
    let numbers = [layout.width as u32, rope_dim as u32, reads as u32];
    let variant = Variant::new("attend_raw", &numbers);
    let kernel = (variant, |profile: &DeviceProfile| raw_kernel(profile, &layout, reads));
    let [window, rows, selection] = row_bindings(attended);
    let bindings = [
        Binding::Write(&sums),
        Binding::Write(&weights),
        Binding::Read(&raw.queries.buffer),
        Binding::Read(raw.angles),
        window,
        rows,
        selection,
    ];
    let parameters = [
        run.first_row as u32,
        run.first_position as u32,
        params.n_heads as u32,
        params.window as u32,
        attended.window.capacity as u32,
        ratio as u32,
        top_k as u32,
        n_splits as u32,
        (1.0 / (*head_dim as f64).sqrt() as f32).to_bits(),
        norm_eps.to_bits(),
        raw.n_pairs as u32,
    ];
    let grid = [head_groups as u32, run.n_rows as u32, n_splits as u32];
    context.dispatch_variant(kernel, &bindings, &parameters, grid);
    combine_raw(context, out, [&sums, &weights], attended, raw, (run, n_splits));
}

fn combine_raw(
    context: &mut Context,
    out: &mut Tensor,
    [sums, weights]: [&Buffer; 2],
    attended: &Attended<'_, Gpu>,
    raw: &Raw<'_>,
    (run, n_splits): (Run, usize),
) {
    let RawAttendParams { attend: params, head_dim, .. } = raw.params;
    let variant = Variant::new("attend_raw_combine", &[*head_dim as u32]);
    let kernel = (variant, |profile: &DeviceProfile| raw_combine_kernel(profile, *head_dim));
    let sinks = attended.sinks.values(context).clone();
    let packed = context.device.profile.packed_dot.then(|| context.packed_room(&out.buffer));
    let mut bindings = vec![
        Binding::Write(&out.buffer),
        Binding::Read(sums),
        Binding::Read(weights),
        Binding::Read(&sinks),
        Binding::Read(raw.angles),
    ];
    if let Some(packed) = &packed {
        bindings.extend([Binding::Write(&packed.quants), Binding::Write(&packed.scales)]);
    }
    let parameters = [run.first_row, params.n_heads, n_splits, raw.n_pairs].map(|word| word as u32);
    let n_parts = head_dim / combined_channels(*head_dim);
    let grid = [params.n_heads as u32, run.n_rows as u32, n_parts as u32];
    context.dispatch_variant(kernel, &bindings, &parameters, grid);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_all_tiles_and_fit_what_combines_them() {
        for workgroups in [1, 8, 64, 1000] {
            for n_tiles in [1, 2, 16, 80, 993, 31_266] {
                let n_splits = raw_splits(workgroups, n_tiles);
                assert!((1..=MAX_SPLITS.min(n_tiles)).contains(&n_splits));
                let share = n_tiles.div_ceil(n_splits);
                assert!(share * (n_splits - 1) < n_tiles, "{n_tiles} tiles: an empty share");
            }
        }
        assert_eq!(raw_splits(8, 80), 40);
        assert_eq!(raw_splits(8, 993), 125);
    }
}
