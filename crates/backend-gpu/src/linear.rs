//! Matrix products and the embedding.

use crate::buffers::Buffer;
use crate::encode::{Binding, Context};
use crate::memory::{Tensor, TokenIds};
use crate::pipelines::{Kernel, Part};
use crate::profile::DeviceProfile;
use crate::weights::{Format, GROUP, Weight};

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

/// The product with a few tokens.
pub(crate) fn matvec_kernel(
    profile: &DeviceProfile,
    format: Format,
    n_groups: usize,
    n_tokens: usize,
    aligned: bool,
) -> Kernel {
    let sums = match n_tokens {
        0..=1 => 1,
        2..=4 => 4,
        _ => MATVEC_TOKENS,
    };
    let (constants, reduction) = reduction(profile, team(n_groups), sums);
    let parts = vec![
        activations(aligned),
        format.part("weight", WEIGHT_BINDING),
        reduction,
        include_str!("shaders/matvec.wgsl").into(),
    ];
    Kernel { name: "matvec", constants, parts }
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
    let aligned = is_aligned(weight.columns(), x.width);
    let (columns, n_groups) = (weight.columns(), weight.groups());
    let rows_per_part = weight.n_rows() / n_parts;
    let bindings = product_bindings(out.buffer, x.buffer, weight);
    if n_tokens <= MATVEC_TOKENS {
        let profile = &context.device.profile;
        let kernel = matvec_kernel(profile, weight.format(), n_groups, n_tokens, aligned);
        let n_rows = weight.n_rows();
        let parameters = [n_rows, n_tokens, columns, n_groups, rows_per_part, x.width, out.width];
        let rows_per_workgroup = WORKGROUP / team(n_groups);
        let grid = [n_rows.div_ceil(rows_per_workgroup) as u32, 1, 1];
        context.dispatch(&kernel, &bindings, &parameters.map(|word| word as u32), grid);
    } else {
        let kernel = matmul_kernel(weight.format(), aligned);
        let parameters = [rows_per_part, n_tokens, columns, n_groups, x.width, out.width];
        let grid = [
            rows_per_part.div_ceil(TILE_ROWS) as u32,
            n_tokens.div_ceil(TILE_TOKENS) as u32,
            n_parts as u32,
        ];
        context.dispatch(&kernel, &bindings, &parameters.map(|word| word as u32), grid);
    }
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
