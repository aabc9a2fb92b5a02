//! Making KV: raw rows and compressed rows. All that one decoded token leaves is one kernel.

use backend::kv_row::{KvKind, KvLayout, KvRounding};
use backend::{CompressParams, CompressorState, Rotation, Run};

use crate::encode::{Binding, Context, OFFSET_BYTES};
use crate::linear::{WORKGROUP, reduction};
use crate::memory::{KvRows, Tensor};
use crate::pipelines::{Kernel, Part};
use crate::profile::DeviceProfile;
use crate::weights::Weight;

/// Threads of a workgroup that stores a row.
const STORE_WORKGROUP: u32 = 128;

/// Constants and texts of packing a row of this layout.
pub(crate) fn packing(layout: &KvLayout) -> (Vec<(&'static str, u32)>, Vec<Part>) {
    let mut constants = vec![("WIDTH", layout.width as u32)];
    let mut parts = match (layout.rounding, layout.kind) {
        (KvRounding::Off, _) => vec![include_str!("shaders/kv/pack_plain.wgsl").into()],
        (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
            constants.push(("ROPE_DIM", rope_dim as u32));
            vec![
                include_str!("shaders/kv/round.wgsl").into(),
                include_str!("shaders/kv/pack_attention.wgsl").into(),
            ]
        }
        (KvRounding::Applied, KvKind::Index) => {
            constants.push(hadamard_scale(layout.width));
            vec![
                include_str!("shaders/kv/round.wgsl").into(),
                include_str!("shaders/kv/index_codes.wgsl").into(),
                include_str!("shaders/kv/pack_index.wgsl").into(),
            ]
        }
    };
    parts.push(include_str!("shaders/kv/rows.wgsl").into());
    (constants, parts)
}

/// The factor that makes the transform orthonormal, rounded as [`backend::kv_row::hadamard`] does.
pub(crate) fn hadamard_scale(width: usize) -> (&'static str, u32) {
    ("HADAMARD_SCALE_BITS", (1.0 / (width as f32).sqrt()).to_bits())
}

pub(crate) fn store_kernel(layout: &KvLayout) -> Kernel {
    let (mut constants, mut parts) = packing(layout);
    constants.push(("WORKGROUP", STORE_WORKGROUP));
    parts.push(include_str!("shaders/store_kv.wgsl").into());
    Kernel { name: "store_kv", constants, parts }
}

pub(crate) fn store_kv(context: &mut Context, window: &mut KvRows, kv: &Tensor, run: Run) {
    assert!(run.n_rows <= window.capacity, "a run fits the ring");
    assert_eq!(kv.width, window.layout.width, "row width");
    assert!(run.first_row + run.n_rows <= kv.n_rows, "rows in use");
    if !context.sees(&window.buffer, window.buffer.bytes()) {
        return;
    }
    let kernel = store_kernel(&window.layout);
    let bindings = [Binding::Write(&window.buffer), Binding::Read(&kv.buffer)];
    let parameters = [run.first_row, run.first_position, window.capacity].map(|word| word as u32);
    context.dispatch(&kernel, &bindings, &parameters, [run.n_rows as u32, 1, 1]);
}

/// Weights and constants of one compressor.
pub(crate) struct Compressor<'a> {
    pub(crate) ape: &'a Weight,
    pub(crate) gain: &'a Weight,
    pub(crate) rotation: &'a Rotation,
    pub(crate) params: &'a CompressParams,
}

pub(crate) fn compress_kernel(profile: &DeviceProfile, layout: &KvLayout, overlap: bool) -> Kernel {
    let (mut constants, mut parts) = packing(layout);
    let (more, reduction) = reduction(profile, WORKGROUP, 1);
    constants.extend(more);
    constants.push(("OVERLAP", u32::from(overlap)));
    parts.push(reduction);
    parts.push(include_str!("shaders/kv/turn.wgsl").into());
    parts.push(include_str!("shaders/kv/pool.wgsl").into());
    parts.push(include_str!("shaders/compress.wgsl").into());
    Kernel { name: "compress", constants, parts }
}

pub(crate) fn remember_kernel() -> Kernel {
    let parts = vec![include_str!("shaders/compress_remember.wgsl").into()];
    Kernel { name: "compress_remember", constants: Vec::new(), parts }
}

pub(crate) fn compress(
    context: &mut Context,
    rows: &mut KvRows,
    state: &mut CompressorState<Tensor>,
    values: &Tensor,
    scores: &Tensor,
    compressor: &Compressor<'_>,
    run: Run,
) {
    let CompressParams { ratio, overlap, .. } = *compressor.params;
    let width = rows.layout.width * if overlap { 2 } else { 1 };
    let n_slots = state.values.n_rows;
    assert!(n_slots.is_multiple_of(ratio) && n_slots >= width / rows.layout.width * ratio);
    assert!(run.first_row + run.n_rows <= values.n_rows.min(scores.n_rows), "rows in use");
    for x in [&state.values, &state.scores, values, scores] {
        assert_eq!(x.width, width, "input width");
    }
    assert_eq!(compressor.ape.n_values(), ratio * width, "position bias");
    assert_eq!(compressor.gain.n_values(), rows.layout.width, "gain");
    pool(context, rows, state, values, scores, compressor, run);
    remember(context, state, values, scores, compressor, run);
}

/// Stores the rows of the windows that close in the run.
fn pool(
    context: &mut Context,
    rows: &KvRows,
    state: &CompressorState<Tensor>,
    values: &Tensor,
    scores: &Tensor,
    compressor: &Compressor<'_>,
    run: Run,
) {
    let CompressParams { ratio, overlap, norm_eps, n_stored_rows } = *compressor.params;
    let first = (run.first_position / ratio).max(n_stored_rows);
    let windows = first..(run.first_position + run.n_rows) / ratio;
    if windows.is_empty() {
        return;
    }
    assert!(windows.end <= rows.capacity, "rows exist");
    let positions: Vec<usize> = windows.clone().map(|window| window * ratio).collect();
    let angles = context.angles(compressor.rotation, &positions);
    let ape = compressor.ape.values(context).clone();
    let gain = compressor.gain.values(context).clone();
    let kernel = compress_kernel(&context.device.profile, &rows.layout, overlap);
    let bound_from = bound_from(context, rows, windows.start);
    let bindings = [
        Binding::WriteFrom(&rows.buffer, rows.stored_bytes(bound_from)),
        Binding::Read(&state.values.buffer),
        Binding::Read(&state.scores.buffer),
        Binding::Read(&values.buffer),
        Binding::Read(&scores.buffer),
        Binding::Read(&ape),
        Binding::Read(&gain),
        Binding::Read(&angles),
    ];
    let parameters = [
        run.first_row as u32,
        run.first_position as u32,
        windows.start as u32,
        bound_from as u32,
        ratio as u32,
        state.values.n_rows as u32,
        compressor.rotation.rope_dim() as u32 / 2,
        norm_eps.to_bits(),
    ];
    context.dispatch(&kernel, &bindings, &parameters, [windows.len() as u32, 1, 1]);
}

/// Where the binding of rows begins that are written from `first` on.
///
/// Rows that are more than a kernel sees are seen from near the first one that is written; this
/// many rows begin where a binding may.
pub(crate) fn bound_from(context: &Context, rows: &KvRows, first: usize) -> usize {
    if rows.buffer.bytes() > context.device.profile.binding_bytes {
        first - first % (OFFSET_BYTES / 4) as usize
    } else {
        0
    }
}

/// Keeps the inputs that later windows need: the last ones, one for each slot at most.
fn remember(
    context: &mut Context,
    state: &CompressorState<Tensor>,
    values: &Tensor,
    scores: &Tensor,
    compressor: &Compressor<'_>,
    run: Run,
) {
    let n_slots = state.values.n_rows;
    let n_dropped = run.n_rows.saturating_sub(n_slots);
    let ape = compressor.ape.values(context).clone();
    let bindings = [
        Binding::Write(&state.values.buffer),
        Binding::Write(&state.scores.buffer),
        Binding::Read(&values.buffer),
        Binding::Read(&scores.buffer),
        Binding::Read(&ape),
    ];
    let parameters = [
        run.first_row + n_dropped,
        run.first_position + n_dropped,
        values.width,
        compressor.params.ratio,
        n_slots,
    ];
    let grid = [values.width.div_ceil(128) as u32, (run.n_rows - n_dropped) as u32, 1];
    context.dispatch(&remember_kernel(), &bindings, &parameters.map(|word| word as u32), grid);
}
