//! Storing what decoded tokens leave for later ones: one kernel for each token.
//!
//! Its workgroups have different tasks (see `shaders/store_all.wgsl`), which are the ops of
//! [`crate::kv`] and the rounding of index queries. Longer runs take those ops one by one.

use backend::kv_row::{KvKind, KvRounding};
use backend::{
    CompressParams, CompressedPlace, CompressorInputs, Direction, KvInputs, KvPlace, Rotation, Run,
};

use crate::Gpu;
use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::kv::{self, Compressor, bound_from, hadamard_scale};
use crate::linear::{MATVEC_TOKENS, WORKGROUP, reduction};
use crate::memory::Tensor;
use crate::norm;
use crate::pipelines::{Kernel, Part, Variant};
use crate::profile::DeviceProfile;

/// Bindings of the raw row, and of a compressor.
const RAW_BINDINGS: u32 = 5;
const COMPRESSOR_BINDINGS: u32 = 7;
/// Of index queries.
const QUERY_BINDINGS: u32 = 2;
/// Workgroups in front of those that keep inputs.
const FIRST_BLOCK: usize = 3;

const NO_COMPRESSOR: &[&str] = &[include_str!("shaders/store_compressed_none.wgsl")];
const NO_INDEX: &[&str] = &[
    include_str!("shaders/store_compressed_none.wgsl"),
    include_str!("shaders/store_query_none.wgsl"),
];
const COMPRESSOR: &[&str] = &[
    include_str!("shaders/kv/rows.wgsl"),
    include_str!("shaders/kv/pack_attention.wgsl"),
    include_str!("shaders/kv/turn.wgsl"),
    include_str!("shaders/kv/pool.wgsl"),
    include_str!("shaders/store_compressed.wgsl"),
];
const INDEX: &[&str] = &[
    include_str!("shaders/kv/rows.wgsl"),
    include_str!("shaders/kv/index_codes.wgsl"),
    include_str!("shaders/kv/pack_index.wgsl"),
    include_str!("shaders/kv/turn.wgsl"),
    include_str!("shaders/kv/pool.wgsl"),
    include_str!("shaders/store_compressed.wgsl"),
    include_str!("shaders/store_query_none.wgsl"),
];
const INDEX_AND_QUERIES: &[&str] = &[
    include_str!("shaders/kv/rows.wgsl"),
    include_str!("shaders/kv/index_codes.wgsl"),
    include_str!("shaders/kv/pack_index.wgsl"),
    include_str!("shaders/kv/turn.wgsl"),
    include_str!("shaders/kv/pool.wgsl"),
    include_str!("shaders/store_compressed.wgsl"),
    include_str!("shaders/store_query.wgsl"),
];

/// What a kernel stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Channels of a row, and the rotated ones among them.
    pub(crate) width: usize,
    pub(crate) rope_dim: usize,
    /// Whether windows overlap, on layers that compress.
    pub(crate) overlap: Option<bool>,
    /// Channels of an index row, on layers that choose.
    pub(crate) index_width: Option<usize>,
    /// Whether index queries are rounded.
    pub(crate) queries: bool,
}

impl Stored {
    fn variant(&self) -> Variant {
        let overlap = match self.overlap {
            None => 0,
            Some(overlap) => 1 + u32::from(overlap),
        };
        let (width, rope_dim) = (self.width as u32, self.rope_dim as u32);
        let index_width = self.index_width.unwrap_or(0) as u32;
        let queries = u32::from(self.queries);
        Variant::new("store_all", &[width, rope_dim, overlap, index_width, queries])
    }

    fn n_bindings(&self) -> u32 {
        RAW_BINDINGS
            + COMPRESSOR_BINDINGS * u32::from(self.overlap.is_some())
            + COMPRESSOR_BINDINGS * u32::from(self.index_width.is_some())
            + QUERY_BINDINGS * u32::from(self.queries)
    }
}

pub(crate) fn store_all_kernel(profile: &DeviceProfile, stored: &Stored) -> Kernel {
    let (mut constants, reduction) = reduction(profile, WORKGROUP, 1);
    let (width, rope_dim) = (stored.width as u32, stored.rope_dim as u32);
    constants.extend([("WIDTH", width), ("ROPE_DIM", rope_dim)]);
    let mut parts: Vec<Part> = vec![
        reduction,
        include_str!("shaders/kv/round.wgsl").into(),
        include_str!("shaders/kv/e2m1.wgsl").into(),
        include_str!("shaders/kv/rows.wgsl").into(),
        include_str!("shaders/kv/pack_attention.wgsl").into(),
        include_str!("shaders/kv/turn.wgsl").into(),
        include_str!("shaders/store_all.wgsl").into(),
    ];
    let mut binding = RAW_BINDINGS;
    let mut instance = |texts, name, n_bindings| {
        parts.push(Part::Instance { texts, name, binding });
        binding += n_bindings;
    };
    let overlap = u32::from(stored.overlap == Some(true));
    if stored.overlap.is_some() {
        constants.extend([
            ("compressed_WIDTH", width),
            ("compressed_ROPE_DIM", rope_dim),
            ("compressed_OVERLAP", overlap),
        ]);
        instance(COMPRESSOR, "compressed", COMPRESSOR_BINDINGS);
    } else {
        instance(NO_COMPRESSOR, "compressed", 0);
    }
    if let Some(index_width) = stored.index_width {
        let (_, scale) = hadamard_scale(index_width);
        constants.extend([
            ("index_WIDTH", index_width as u32),
            ("index_HADAMARD_SCALE_BITS", scale),
            ("index_OVERLAP", overlap),
        ]);
        instance(if stored.queries { INDEX_AND_QUERIES } else { INDEX }, "index", 0);
    } else {
        instance(NO_INDEX, "index", 0);
    }
    Kernel { name: "store_all", constants, parts }
}

/// What the kernel stores, if it takes these rows.
fn stored(
    profile: &DeviceProfile,
    inputs: &KvInputs<'_, Gpu>,
    places: &[KvPlace<'_, Gpu>],
    runs: &[Run],
) -> Option<Stored> {
    let first = places.first()?;
    let layout = first.window.layout;
    let KvKind::Attention { rope_dim } = layout.kind else {
        return None;
    };
    let stored = Stored {
        width: layout.width,
        rope_dim,
        overlap: first.compressed.as_ref().map(|place| place.params.overlap),
        index_width: inputs.index.as_ref().map(|index| index.index_dim),
        queries: inputs.index.as_ref().is_some_and(|index| index.queries.is_some()),
    };
    let one_kind = |place: &KvPlace<'_, Gpu>| {
        place.window.layout == layout
            && place.compressed.is_some() == inputs.compressor.is_some()
            && place.index.is_some() == inputs.index.is_some()
            && [&place.compressed, &place.index].into_iter().flatten().all(|compressed| {
                compressed.rows.layout.rounding == KvRounding::Applied
                    && compressed.params.norm_eps.to_bits() == inputs.norm_eps.to_bits()
                    && Some(compressed.params.overlap) == stored.overlap
            })
    };
    let fits = layout.rounding == KvRounding::Applied
        && inputs.rotation.rope_dim() == rope_dim
        && places.len() <= MATVEC_TOKENS
        && places.iter().all(one_kind)
        && runs.iter().all(|run| run.n_rows == 1)
        && stored.n_bindings() <= profile.storage_buffers;
    fits.then_some(stored)
}

pub(crate) fn store_all(
    context: &mut Context,
    inputs: &mut KvInputs<'_, Gpu>,
    places: &mut [KvPlace<'_, Gpu>],
    runs: &[Run],
) {
    let Some(stored) = stored(&context.device.profile, inputs, places, runs) else {
        return store_one_by_one(context, inputs, places, runs);
    };
    let angles = norm::angles_of_rows(context, inputs.kv.n_rows, inputs.rotation, runs);
    let rounded = inputs
        .index
        .as_ref()
        .and_then(|index| index.queries.as_ref())
        .map(|queries| context.scratch(Scratch::IndexQueries, queries.n_rows * queries.width));
    for (place, run) in places.iter().zip(runs) {
        let angles = (&angles, rounded.as_ref());
        store_token(context, inputs, (place, *run), &stored, angles);
    }
    if let (Some(rounded), Some(index)) = (rounded, &inputs.index)
        && let Some(queries) = &index.queries
    {
        context.rounded_queries = Some((queries.buffer.id(), rounded));
    }
}

/// The ops that a token's kernel stands for.
fn store_one_by_one(
    context: &mut Context,
    inputs: &mut KvInputs<'_, Gpu>,
    places: &mut [KvPlace<'_, Gpu>],
    runs: &[Run],
) {
    let KvInputs { kv, normed, gain, norm_eps, head_dim, rotation, compressor, index } = inputs;
    norm::rms_norm(context, normed, kv, gain, *norm_eps);
    norm::rope_tail(context, normed, *head_dim, rotation, Direction::Forward, runs);
    for (place, run) in places.iter_mut().zip(runs) {
        let KvPlace { window, compressed, index: index_place } = place;
        kv::store_kv(context, window, normed, *run);
        let index = index.as_ref().map(|index| &index.compressor);
        for (inputs, place) in [(compressor.as_ref(), compressed), (index, index_place)] {
            if let (Some(inputs), Some(place)) = (inputs, place) {
                let CompressorInputs { values, scores, ape, gain } = inputs;
                let CompressedPlace { rows, state, params } = place;
                let compressor = Compressor { ape, gain, rotation, params };
                kv::compress(context, rows, state, values, scores, &compressor, *run);
            }
        }
    }
    if let Some(index) = index
        && let Some(queries) = &mut index.queries
    {
        let forward = Direction::Forward;
        norm::rope_tail(context, queries, index.index_dim, rotation, forward, runs);
    }
}

/// Rows of a compressor that a token may close, and the buffers around them.
struct Closing {
    closes: bool,
    /// Where the row goes, counted from the first one that is bound.
    row: usize,
    n_slots: usize,
    /// Workgroups that keep inputs.
    n_blocks: usize,
}

fn store_token(
    context: &mut Context,
    inputs: &KvInputs<'_, Gpu>,
    (place, run): (&KvPlace<'_, Gpu>, Run),
    stored: &Stored,
    (angles, rounded): (&Buffer, Option<&Buffer>),
) {
    let window = &*place.window;
    assert_eq!(inputs.kv.width, window.layout.width, "row width");
    assert!(run.first_row < inputs.kv.n_rows, "rows in use");
    assert_eq!(inputs.gain.n_values(), window.layout.width, "gain");
    if !context.sees(&window.buffer, window.buffer.bytes()) {
        return;
    }
    let gain = inputs.gain.values(context).clone();
    let ratio = place.compressed.as_ref().map_or(1, |compressed| compressed.params.ratio);
    let row_angles = match &place.compressed {
        Some(compressed) if closes(&compressed.params, run.first_position) => {
            closing_angles(context, inputs.rotation, run.first_position, ratio)
        }
        _ => angles.clone(),
    };
    let mut vectors = Vec::new();
    let index = inputs.index.as_ref().map(|index| &index.compressor);
    let compressors = [(&inputs.compressor.as_ref(), &place.compressed), (&index, &place.index)];
    for (inputs, _) in compressors {
        vectors.push(inputs.map(|inputs| {
            [inputs.ape.values(context).clone(), inputs.gain.values(context).clone()]
        }));
    }
    let mut bindings = vec![
        Binding::Write(&window.buffer),
        Binding::Read(&inputs.kv.buffer),
        Binding::Read(&gain),
        Binding::Read(angles),
        Binding::Read(&row_angles),
    ];
    let mut closing = Vec::new();
    for ((inputs, place), vectors) in compressors.into_iter().zip(&vectors) {
        closing.push(match (inputs, place, vectors) {
            (Some(inputs), Some(place), Some(vectors)) => {
                bind_compressor(context, &mut bindings, inputs, place, vectors, run)
            }
            _ => Closing { closes: false, row: 0, n_slots: 1, n_blocks: 0 },
        });
    }
    let mut n_index_heads = 0;
    if let (Some(rounded), Some(index)) = (rounded, &inputs.index)
        && let Some(queries) = &index.queries
    {
        assert!(run.first_row < queries.n_rows, "rows in use");
        n_index_heads = queries.width / index.index_dim;
        bindings.extend([Binding::Write(&queries.buffer), Binding::Write(rounded)]);
    }
    let parameters = [
        run.first_row as u32,
        run.first_position as u32,
        window.capacity as u32,
        ratio as u32,
        inputs.rotation.rope_dim() as u32 / 2,
        inputs.norm_eps.to_bits(),
        u32::from(closing[0].closes),
        closing[0].row as u32,
        closing[1].row as u32,
        closing[0].n_slots as u32,
        closing[1].n_slots as u32,
        closing[0].n_blocks as u32,
        closing[1].n_blocks as u32,
        n_index_heads as u32,
    ];
    let n_tasks = FIRST_BLOCK + closing[0].n_blocks + closing[1].n_blocks + n_index_heads;
    let build = |profile: &DeviceProfile| store_all_kernel(profile, stored);
    let kernel = (stored.variant(), build);
    context.dispatch_variant(kernel, &bindings, &parameters, [n_tasks as u32, 1, 1]);
}

/// Whether the token at `position` closes a window whose row is not stored.
fn closes(params: &CompressParams, position: usize) -> bool {
    (position + 1).is_multiple_of(params.ratio) && position / params.ratio >= params.n_stored_rows
}

fn closing_angles(
    context: &mut Context,
    rotation: &Rotation,
    position: usize,
    ratio: usize,
) -> Buffer {
    context.angles(rotation, &[position - position % ratio])
}

fn bind_compressor<'a>(
    context: &Context,
    bindings: &mut Vec<Binding<'a>>,
    inputs: &'a CompressorInputs<'_, Gpu>,
    place: &'a CompressedPlace<'_, Gpu>,
    [ape, gain]: &'a [Buffer; 2],
    run: Run,
) -> Closing {
    let CompressParams { ratio, overlap, .. } = place.params;
    let (rows, state) = (&*place.rows, &*place.state);
    let width = rows.layout.width * (1 + usize::from(overlap));
    let n_slots = state.values.n_rows;
    assert!(n_slots.is_multiple_of(ratio) && n_slots >= width / rows.layout.width * ratio);
    for x in [&state.values, &state.scores, inputs.values, inputs.scores] {
        assert_eq!(x.width, width, "input width");
    }
    let is_in_use = |x: &Tensor| run.first_row < x.n_rows;
    assert!(is_in_use(inputs.values) && is_in_use(inputs.scores), "rows in use");
    assert_eq!(inputs.ape.n_values(), ratio * width, "position bias");
    assert_eq!(inputs.gain.n_values(), rows.layout.width, "gain");
    let closes = closes(&place.params, run.first_position);
    let row = run.first_position / ratio;
    assert!(!closes || row < rows.capacity, "rows exist");
    let bound_from = if closes { bound_from(context, rows, row) } else { 0 };
    bindings.extend([
        Binding::WriteFrom(&rows.buffer, rows.stored_bytes(bound_from)),
        Binding::Write(&state.values.buffer),
        Binding::Write(&state.scores.buffer),
        Binding::Read(&inputs.values.buffer),
        Binding::Read(&inputs.scores.buffer),
        Binding::Read(ape),
        Binding::Read(gain),
    ]);
    Closing { closes, row: row - bound_from.min(row), n_slots, n_blocks: width.div_ceil(WORKGROUP) }
}
