//! Matrix products and the embedding.

use crate::buffers::Buffer;
use crate::encode::{Binding, Context};
use crate::memory::{Tensor, TokenIds};
use crate::pipelines::{Kernel, Part, Variant};
use crate::profile::DeviceProfile;
use crate::weights::{Format, GROUP, Weight};
use crate::{norm, packed};

/// Tokens up to which a weight is streamed past the tokens instead of tiled.
pub(crate) const MATVEC_TOKENS: usize = 8;
/// Rows of a weight in a tile.
pub(crate) const TILE_ROWS: usize = 64;
/// Tokens in a tile of a dense product.
const TILE_TOKENS: usize = 64;
/// Threads of a workgroup where teams share rows.
pub(crate) const WORKGROUP: usize = 256;
/// First binding of a product's weight, behind the output and the activations.
pub(crate) const WEIGHT_BINDING: u32 = 2;

/// Threads that share a row of `n_groups` groups: about one group each, in few steps so that there
/// are few pipelines.
pub(crate) fn team(n_groups: usize) -> usize {
    match n_groups {
        0..32 => 4,
        32..128 => 32,
        128..256 => 128,
        _ => 256,
    }
}

/// Whether kernels may read activations as vectors of four from any group on.
pub(crate) fn is_aligned(columns: usize, x_width: usize) -> bool {
    columns.is_multiple_of(GROUP) && x_width.is_multiple_of(4)
}

/// How activations are read.
pub(crate) fn activations(aligned: bool) -> Part {
    if aligned {
        include_str!("shaders/activations_aligned.wgsl").into()
    } else {
        include_str!("shaders/activations_any.wgsl").into()
    }
}

/// Constants and text of sums over teams; `sums` values are summed at once.
pub(crate) fn reduction(
    profile: &DeviceProfile,
    team: usize,
    sums: usize,
) -> (Vec<(&'static str, u32)>, Part) {
    let mut constants =
        vec![("WORKGROUP", WORKGROUP as u32), ("TEAM", team as u32), ("SUMS", sums as u32)];
    let text = match profile.subgroup_size {
        Some(size) => {
            constants.push(("SUBGROUP", size));
            include_str!("shaders/reduce/subgroup.wgsl")
        }
        None => include_str!("shaders/reduce/workgroup.wgsl"),
    };
    (constants, text.into())
}

/// Whether kernels may read activations rounded to int8.
pub(crate) fn is_packable(columns: usize, x_width: usize) -> bool {
    columns.is_multiple_of(GROUP) && x_width.is_multiple_of(GROUP)
}

/// Names of the weights that a kernel streams, as its text has them.
const SEGMENTS: [&str; 8] = ["wa", "wb", "wc", "wd", "we", "wf", "wg", "wh"];
/// Bindings of the first output and of the activations, in f32 and rounded.
const SHARED_BINDINGS: u32 = 4;

/// Rows of which two at a time would leave processors of a large device idle: a router's.
const FEW_ROWS: usize = 256;

/// What a kernel streams past a few tokens.
#[derive(Clone, Copy)]
pub(crate) struct Streamed<'a> {
    /// Formats of the weights.
    pub(crate) formats: &'a [Format],
    /// Groups of a row of any of them.
    pub(crate) n_groups: usize,
    /// Rows of all of them.
    pub(crate) n_rows: usize,
    pub(crate) n_tokens: usize,
    /// How activations may be read.
    pub(crate) aligned: bool,
    pub(crate) packable: bool,
    /// Whether the output is rounded as well.
    pub(crate) packs_out: bool,
    /// Whether the one token's activations are normed on the way, and how many there are.
    pub(crate) norms: Option<usize>,
}

impl Streamed<'_> {
    fn variant(&self) -> Variant {
        // Four bits a format, none of which is 15.
        let formats = self.formats.iter().fold(u32::MAX, |all, format| all << 4 | *format as u32);
        let flags = [self.aligned, self.packable, self.packs_out];
        let flags = flags.into_iter().fold(0, |all, flag| 2 * all + u32::from(flag));
        let columns = self.norms.unwrap_or(0) as u32;
        // A team follows from the groups.
        let (groups, tokens) = (self.n_groups as u32, self.token_sums() as u32);
        let (rows, n_formats) = (self.rows() as u32, self.formats.len() as u32);
        Variant::new("matvec", &[formats, n_formats, groups, tokens, rows, flags, columns])
    }

    /// Whether any weight meets int8 activations.
    fn packs(&self, profile: &DeviceProfile) -> bool {
        profile.packed_dot && self.packable && self.formats.iter().any(|format| format.packs())
    }

    /// Tokens that the kernel has sums for.
    fn token_sums(&self) -> usize {
        match self.n_tokens {
            0..=1 => 1,
            2..=4 => 4,
            _ => MATVEC_TOKENS,
        }
    }

    /// Rows that a team makes at once: more reads under way where sums allow, unless a device would
    /// have idle processors.
    fn rows(&self) -> usize {
        match (self.norms, self.n_tokens) {
            // Fewer workgroups that norm.
            (Some(_), _) => 4,
            (None, 0..=1) if self.packs_out || self.n_rows > FEW_ROWS => 2,
            (None, _) => 1,
        }
    }

    fn team(&self) -> usize {
        if self.packs_out { PACKING_TEAM } else { team(self.n_groups) }
    }

    /// Rows of a weight that a workgroup makes.
    fn block_rows(&self) -> usize {
        WORKGROUP / self.team() * self.rows()
    }
}

/// Threads that share a row where a workgroup makes a whole block of outputs, to be rounded.
const PACKING_TEAM: usize = 32;

/// The products of several weights with the same few tokens.
pub(crate) fn matvec_kernel(profile: &DeviceProfile, streamed: &Streamed<'_>) -> Kernel {
    let sums = streamed.rows() * streamed.token_sums();
    let (mut constants, reduction) = reduction(profile, streamed.team(), sums);
    constants.push(("TOKENS", streamed.token_sums() as u32));
    constants.push(("ROWS", streamed.rows() as u32));
    constants.push(("GROUPS", streamed.n_groups as u32));
    let packed = streamed.packs(profile);
    let mut parts = vec![activations(streamed.aligned), reduction];
    if packed {
        parts.push(include_str!("shaders/packed/dot.wgsl").into());
    }
    if let Some(columns) = streamed.norms {
        constants.push(("COLUMNS", columns as u32));
        parts.push(include_str!("shaders/packed/round.wgsl").into());
        parts.push(include_str!("shaders/activations_normed.wgsl").into());
    } else {
        if packed {
            parts.push(include_str!("shaders/activations_packed.wgsl").into());
        }
        parts.push(include_str!("shaders/activations_ready.wgsl").into());
        if streamed.aligned {
            parts.push(include_str!("shaders/activations_fours.wgsl").into());
        }
    }
    parts.push(include_str!("shaders/matvec.wgsl").into());
    let mut binding = SHARED_BINDINGS;
    for (i, name) in SEGMENTS.into_iter().enumerate() {
        let Some(format) = streamed.formats.get(i) else {
            parts.push(Part::weight(include_str!("shaders/matvec_none.wgsl"), name, 0));
            continue;
        };
        let out_binding = if i == 0 { 0 } else { binding };
        binding += u32::from(i > 0);
        parts.push(Part::weight(include_str!("shaders/matvec_out.wgsl"), name, out_binding));
        parts.push(format.part(name, binding));
        binding += format.n_bindings();
        if let Some(eights) = format.eights_part(name).filter(|_| streamed.aligned) {
            parts.push(eights);
            parts.push(Part::weight(include_str!("shaders/matvec_rows_eights.wgsl"), name, 0));
        } else {
            parts.push(format.product_part(name, packed));
            parts.push(Part::weight(include_str!("shaders/matvec_rows.wgsl"), name, 0));
        }
        if streamed.packs_out {
            parts.push(include_str!("shaders/packed/round.wgsl").into());
            parts.push(Part::weight(include_str!("shaders/matvec_pack.wgsl"), name, binding));
        } else {
            parts.push(Part::weight(include_str!("shaders/matvec_store.wgsl"), name, 0));
        }
    }
    Kernel { name: "matvec", constants, parts }
}

/// Tiles of products on matrix units (see `matmul_matrices.wgsl`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MatrixTiles {
    /// Rows and columns of a matrix.
    side: u32,
    /// Subgroups that share a tile's tokens, 1 or 2.
    token_subgroups: u32,
    /// F16 values of an activation: two in front of weights that are floats, which are held to the
    /// precision of f32.
    planes: u32,
}

impl MatrixTiles {
    /// Those of a dense product, or, with `narrow`, of experts that few tokens go to each; `None`
    /// where the device has no matrix units, or a weight or its input does not suit them.
    pub(crate) fn of(
        profile: &DeviceProfile,
        formats: &[Format],
        aligned: bool,
        narrow: bool,
    ) -> Option<Self> {
        let suits = aligned && formats.iter().all(|format| format.halves());
        let side = profile.matrix_size.filter(|_| suits)?;
        // Small matrices make tiles that one subgroup's threads fill.
        let token_subgroups = if narrow || side < 16 { 1 } else { 2 };
        let planes = 1 + u32::from(formats.contains(&Format::F16));
        Some(Self { side, token_subgroups, planes })
    }

    pub(crate) fn rows(self) -> usize {
        8 * self.side as usize
    }

    pub(crate) fn tokens(self) -> usize {
        (4 * self.side * self.token_subgroups) as usize
    }

    pub(crate) fn planes(self) -> u32 {
        self.planes
    }

    /// Constants and the parts beside those with the format, with `tile_at`, and with the entry.
    pub(crate) fn parts(self) -> (Vec<(&'static str, u32)>, [Part; 2]) {
        let constants = vec![("TOKEN_SUBGROUPS", self.token_subgroups), ("PLANES", self.planes)];
        let matrices = match self.side {
            16 => include_str!("shaders/matrices/side_16.wgsl"),
            _ => include_str!("shaders/matrices/side_8.wgsl"),
        };
        let product = include_str!("shaders/matmul_matrices.wgsl").into();
        (constants, [matrices.into(), product])
    }
}

/// The product with many tokens on matrix units.
pub(crate) fn matrix_kernel(tiles: MatrixTiles, format: Format) -> Kernel {
    let (constants, [matrices, product]) = tiles.parts();
    let [stored, begin] = format.tile_parts("weight", WEIGHT_BINDING);
    let parts = vec![
        include_str!("shaders/matmul_dense.wgsl").into(),
        matrices,
        stored,
        begin,
        product,
        include_str!("shaders/matrices/dense.wgsl").into(),
    ];
    Kernel { name: "matmul_matrices", constants, parts }
}

/// The product with many tokens.
pub(crate) fn matmul_kernel(format: Format, aligned: bool) -> Kernel {
    let parts = vec![
        include_str!("shaders/matmul_dense.wgsl").into(),
        activations(aligned),
        format.part("weight", WEIGHT_BINDING),
        include_str!("shaders/matmul.wgsl").into(),
    ];
    Kernel { name: "matmul", constants: vec![("TOKENS", TILE_TOKENS as u32)], parts }
}

/// Output and activations, then the arrays of a weight.
pub(crate) fn product_bindings<'a>(
    out: &'a Buffer,
    x: &'a Buffer,
    weight: &'a Weight,
) -> Vec<Binding<'a>> {
    let mut bindings = vec![Binding::Write(out), Binding::Read(x)];
    bindings.extend(weight.buffers().iter().map(Binding::Read));
    bindings
}

/// Rows on the device: a buffer and the width of its rows.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) buffer: &'a Buffer,
    pub(crate) width: usize,
}

impl<'a> From<&'a Tensor> for Rows<'a> {
    fn from(x: &'a Tensor) -> Self {
        Self { buffer: &x.buffer, width: x.width }
    }
}

pub(crate) fn grouped_matmul(
    context: &mut Context,
    out: &mut Tensor,
    x: &Tensor,
    weight: &Weight,
    n_parts: usize,
) {
    assert_eq!(out.n_rows, x.n_rows, "rows in use");
    product(context, Rows::from(&*out), x.into(), weight, n_parts, x.n_rows);
}

/// Several products of one input: as many as fit in one kernel where the tokens are few.
pub(crate) fn matmuls(context: &mut Context, outs: &mut [(&mut Tensor, &Weight)], x: &Tensor) {
    let mut rest: Vec<(Rows<'_>, &Weight)> = Vec::new();
    for (out, weight) in outs.iter() {
        assert_eq!(out.n_rows, x.n_rows, "rows in use");
        rest.push((Rows::from(&**out), weight));
    }
    if x.n_rows > MATVEC_TOKENS {
        for (out, weight) in rest {
            product(context, out, x.into(), weight, 1, x.n_rows);
        }
        return;
    }
    let room = context.device.profile.storage_buffers - SHARED_BINDINGS;
    // Kernels with sums for several tokens are long already; drivers take minutes for eight times
    // as much.
    let most = if x.n_rows == 1 { SEGMENTS.len() } else { 1 };
    while !rest.is_empty() {
        let mut bindings = 0;
        let fits = rest.iter().take(most).take_while(|(_, weight)| {
            bindings += 1 + weight.format().n_bindings();
            bindings <= room
        });
        let n = fits.count().max(1);
        stream(context, &rest[..n], &Streaming::new(x.into(), 1, x.n_rows));
        rest.drain(..n);
    }
}

/// The norm of one token's activations in front of products, and the products: in one kernel where
/// some of them take rounded activations anyway.
pub(crate) fn norm_matmuls(
    context: &mut Context,
    outs: &mut [(&mut Tensor, &Weight)],
    normed: &mut Tensor,
    x: &Tensor,
    gain: &Weight,
    eps: f32,
) {
    let profile = &context.device.profile;
    let n_bindings: u32 = outs.iter().map(|(_, weight)| 1 + weight.format().n_bindings()).sum();
    let fuses = profile.packed_dot
        && x.n_rows == 1
        && is_packable(x.width, x.width)
        && x.width <= packed::BLOCK * WORKGROUP
        && outs.len() <= SEGMENTS.len()
        && outs.iter().any(|(_, weight)| weight.format().packs())
        && outs.iter().all(|(_, weight)| weight.format().packs() || weight.format().is_plain())
        && SHARED_BINDINGS + n_bindings <= profile.storage_buffers;
    if !fuses {
        norm::rms_norm(context, normed, x, gain, eps);
        return matmuls(context, outs, normed);
    }
    assert_eq!(gain.n_values(), x.width, "gain");
    let mut rows: Vec<(Rows<'_>, &Weight)> = Vec::new();
    for (out, weight) in outs.iter() {
        assert_eq!(out.n_rows, x.n_rows, "rows in use");
        rows.push((Rows::from(&**out), weight));
    }
    let gain = gain.values(context).clone();
    let norm = Some((&gain, eps));
    stream(context, &rows, &Streaming { norm, ..Streaming::new(x.into(), 1, 1) });
}

/// What weights are streamed past.
struct Streaming<'a> {
    x: Rows<'a>,
    n_parts: usize,
    n_tokens: usize,
    packs_out: bool,
    /// Gain and epsilon of a norm on the way.
    norm: Option<(&'a Buffer, f32)>,
}

impl<'a> Streaming<'a> {
    fn new(x: Rows<'a>, n_parts: usize, n_tokens: usize) -> Self {
        Self { x, n_parts, n_tokens, packs_out: false, norm: None }
    }
}

/// Streams weights past at most [`MATVEC_TOKENS`] tokens.
fn stream(context: &mut Context, outs: &[(Rows<'_>, &Weight)], streaming: &Streaming<'_>) {
    let Streaming { x, n_parts, n_tokens, packs_out, norm } = *streaming;
    let (_, first) = outs[0];
    let (columns, n_groups) = (first.columns(), first.groups());
    for (out, weight) in outs {
        assert_eq!(x.width, n_parts * weight.columns(), "columns");
        assert_eq!(out.width, weight.n_rows(), "rows of the weight");
    }
    let formats: Vec<Format> = outs.iter().map(|(_, weight)| weight.format()).collect();
    let streamed = Streamed {
        formats: &formats,
        n_groups,
        n_rows: outs.iter().map(|(out, _)| out.width).sum(),
        n_tokens,
        aligned: is_aligned(columns, x.width),
        packable: is_packable(columns, x.width),
        packs_out,
        norms: norm.map(|_| columns),
    };
    let profile = &context.device.profile;
    let rounds = streamed.packs(profile) && norm.is_none();
    let packed = rounds.then(|| context.packed(x.buffer, n_tokens * x.width));
    let (quants, scales) = match (&packed, norm) {
        (Some(packed), _) => (&packed.quants, &packed.scales),
        (None, Some((gain, _))) => (gain, gain),
        (None, None) => (x.buffer, x.buffer),
    };
    let mut bindings = vec![
        Binding::Write(outs[0].0.buffer),
        Binding::Read(x.buffer),
        Binding::Read(quants),
        Binding::Read(scales),
    ];
    for (i, (out, weight)) in outs.iter().enumerate() {
        if i > 0 {
            bindings.push(Binding::Write(out.buffer));
        }
        bindings.extend(weight.buffers().iter().map(Binding::Read));
    }
    let out_packed = packs_out.then(|| context.packed_room(outs[0].0.buffer));
    if let Some(packed) = &out_packed {
        bindings.extend([Binding::Write(&packed.quants), Binding::Write(&packed.scales)]);
    }
    let rows_per_part = if n_parts == 1 { u32::MAX as usize } else { first.n_rows() / n_parts };
    let mut parameters = vec![n_tokens, columns, rows_per_part, x.width];
    parameters.extend((0..SEGMENTS.len()).map(|i| outs.get(i).map_or(0, |(out, _)| out.width)));
    let mut parameters: Vec<u32> = parameters.into_iter().map(|word| word as u32).collect();
    parameters.push(norm.map_or(0.0, |(_, eps)| eps).to_bits());
    let block_rows = streamed.block_rows();
    let n_blocks: usize = outs.iter().map(|(out, _)| out.width.div_ceil(block_rows)).sum();
    let variant = streamed.variant();
    let kernel = (variant, |profile: &DeviceProfile| matvec_kernel(profile, &streamed));
    context.dispatch_variant(kernel, &bindings, &parameters, [n_blocks as u32, 1, 1]);
    if packs_out {
        let (out, _) = outs[0];
        context.packed_is_current(out.buffer, n_tokens * out.width);
    }
}

/// `out` part `g` = `x` part `g` times row part `g`; one part is the plain product.
pub(crate) fn product(
    context: &mut Context,
    out: Rows<'_>,
    x: Rows<'_>,
    weight: &Weight,
    n_parts: usize,
    n_tokens: usize,
) {
    assert_eq!(x.width, n_parts * weight.columns(), "columns");
    assert_eq!(out.width, weight.n_rows(), "rows of the weight");
    assert!(weight.n_rows().is_multiple_of(n_parts), "parts are equal");
    if n_tokens <= MATVEC_TOKENS {
        // The low-rank projection is the input of the next product.
        let packs_out = context.device.profile.packed_dot
            && n_parts > 1
            && n_tokens == 1
            && weight.n_rows().is_multiple_of(GROUP);
        let streaming = Streaming { packs_out, ..Streaming::new(x, n_parts, n_tokens) };
        stream(context, &[(out, weight)], &streaming);
        return;
    }
    let aligned = is_aligned(weight.columns(), x.width);
    let (columns, n_groups) = (weight.columns(), weight.groups());
    let rows_per_part = weight.n_rows() / n_parts;
    let format = weight.format();
    let matrices = MatrixTiles::of(&context.device.profile, &[format], aligned, false);
    let (kernel, halves, tile) = match matrices {
        Some(tiles) => (
            matrix_kernel(tiles, format),
            Some(context.halves(x.buffer, n_tokens, x.width, tiles.planes())),
            [tiles.rows(), tiles.tokens()],
        ),
        None => (matmul_kernel(format, aligned), None, [TILE_ROWS, TILE_TOKENS]),
    };
    let bindings = product_bindings(out.buffer, halves.as_ref().unwrap_or(x.buffer), weight);
    let parameters = [rows_per_part, n_tokens, columns, n_groups, x.width, out.width];
    let grid =
        [rows_per_part.div_ceil(tile[0]) as u32, n_tokens.div_ceil(tile[1]) as u32, n_parts as u32];
    context.dispatch(&kernel, &bindings, &parameters.map(|word| word as u32), grid);
}

/// The embedding of a table of this format.
pub(crate) fn embed_kernel(format: Format) -> Kernel {
    let parts =
        vec![format.part("weight", WEIGHT_BINDING), include_str!("shaders/embed.wgsl").into()];
    Kernel { name: "embed", constants: Vec::new(), parts }
}

pub(crate) fn embed(context: &mut Context, out: &mut Tensor, tokens: &TokenIds, table: &Weight) {
    assert_eq!(out.n_rows, tokens.n_tokens, "rows in use");
    assert!(out.width.is_multiple_of(table.columns()), "streams are whole");
    let kernel = embed_kernel(table.format());
    let bindings = product_bindings(&out.buffer, &tokens.buffer, table);
    let n_streams = out.width / table.columns();
    let parameters = [n_streams, table.columns(), table.groups()].map(|word| word as u32);
    let grid = [table.groups().div_ceil(32) as u32, tokens.n_tokens as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters, grid);
}
