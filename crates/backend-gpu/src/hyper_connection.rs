//! Hyper-connections: streams mixed by gates that each token computes for itself.

use backend::{HcParams, HcSite, HcWeights};

use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::linear::{
    MATVEC_TOKENS, WEIGHT_BINDING, WORKGROUP, activations, is_aligned, product_bindings, reduction,
};
use crate::memory::Tensor;
use crate::norm::rms_norm;
use crate::pipelines::{Kernel, Part};
use crate::profile::DeviceProfile;
use crate::weights::{Format, Weight};

/// Threads of a workgroup where each takes a channel.
const CHANNELS: usize = 256;

pub(crate) fn project_kernel(profile: &DeviceProfile, format: Format, aligned: bool) -> Kernel {
    let (constants, reduction) = reduction(profile, WORKGROUP, 1);
    let parts = vec![
        activations(aligned),
        format.part("weight", WEIGHT_BINDING),
        reduction,
        include_str!("shaders/hc_project.wgsl").into(),
    ];
    Kernel { name: "hc_project", constants, parts }
}

fn streams_constant(n_streams: usize) -> Vec<(&'static str, u32)> {
    vec![("N_STREAMS", n_streams as u32)]
}

pub(crate) fn mix_kernel(n_streams: usize) -> Kernel {
    let parts = vec![
        include_str!("shaders/hc_collapse.wgsl").into(),
        include_str!("shaders/hc_mix.wgsl").into(),
    ];
    Kernel { name: "hc_mix", constants: streams_constant(n_streams), parts }
}

pub(crate) fn head_kernel(n_streams: usize) -> Kernel {
    let parts = vec![
        include_str!("shaders/hc_collapse.wgsl").into(),
        include_str!("shaders/hc_head.wgsl").into(),
    ];
    Kernel { name: "hc_head", constants: streams_constant(n_streams), parts }
}

pub(crate) fn expand_kernel(n_streams: usize) -> Kernel {
    let parts = vec![include_str!("shaders/hc_expand.wgsl").into()];
    Kernel { name: "hc_expand", constants: streams_constant(n_streams), parts }
}

/// Products of the streams with the function's rows and with themselves.
fn project(context: &mut Context, streams: &Tensor, function: &Weight) -> Buffer {
    assert_eq!(streams.width, function.columns(), "streams");
    let n_rows = function.n_rows();
    let projections = context.scratch(Scratch::Projections, streams.capacity * (n_rows + 1));
    let aligned = is_aligned(function.columns(), streams.width);
    let kernel = project_kernel(&context.device.profile, function.format(), aligned);
    let bindings = product_bindings(&projections, &streams.buffer, function);
    let parameters = [n_rows, function.columns(), function.groups()].map(|word| word as u32);
    let grid = [n_rows as u32 + 1, streams.n_rows as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters, grid);
    projections
}

/// Projects, then collapses the streams; with `gates`, also computes those.
fn collapse(
    context: &mut Context,
    out: &Tensor,
    gates: Option<&Tensor>,
    streams: &Tensor,
    weights: &HcWeights<'_, Weight>,
    params: &HcParams,
) {
    let n_rows = weights.function.n_rows();
    assert_eq!(streams.width, params.n_streams * out.width, "streams");
    assert_eq!(out.n_rows, streams.n_rows, "rows in use");
    assert_eq!(weights.base.n_values(), n_rows, "base");
    let projections = project(context, streams, weights.function);
    let base = weights.base.values(context).clone();
    let scale = weights.scale.values(context).clone();
    let mut bindings = vec![
        Binding::Write(&out.buffer),
        Binding::Read(&streams.buffer),
        Binding::Read(&projections),
        Binding::Read(&base),
        Binding::Read(&scale),
    ];
    bindings.extend(gates.map(|gates| Binding::Write(&gates.buffer)));
    let kernel = match gates {
        Some(_) => mix_kernel(params.n_streams),
        None => head_kernel(params.n_streams),
    };
    let parameters = [
        out.width as u32,
        n_rows as u32,
        params.n_iterations as u32,
        params.eps.to_bits(),
        params.norm_eps.to_bits(),
    ];
    let grid = [out.width.div_ceil(CHANNELS) as u32, out.n_rows as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters, grid);
}

pub(crate) fn hc_mix(
    context: &mut Context,
    out: &mut Tensor,
    gates: &mut Tensor,
    streams: &Tensor,
    weights: &HcWeights<'_, Weight>,
    params: &HcParams,
) {
    assert_eq!((gates.width, gates.n_rows), (params.gates_width(), out.n_rows), "gates");
    assert_eq!(weights.function.n_rows(), params.n_streams + params.gates_width(), "function");
    assert_eq!(weights.scale.n_values(), 3, "scale");
    collapse(context, out, Some(gates), streams, weights, params);
}

pub(crate) fn hc_head(
    context: &mut Context,
    out: &mut Tensor,
    streams: &Tensor,
    weights: &HcWeights<'_, Weight>,
    params: &HcParams,
) {
    assert_eq!(weights.function.n_rows(), params.n_streams, "function");
    assert_eq!(weights.scale.n_values(), 1, "scale");
    collapse(context, out, None, streams, weights, params);
}

pub(crate) fn hc_expand(
    context: &mut Context,
    streams: &mut Tensor,
    y: &Tensor,
    gates: &Tensor,
    params: &HcParams,
) {
    expand(context, streams, y, gates, params);
}

fn expand(context: &mut Context, streams: &Tensor, y: &Tensor, gates: &Tensor, params: &HcParams) {
    assert_eq!(streams.width, params.n_streams * y.width, "streams");
    assert_eq!(gates.width, params.gates_width(), "gates");
    assert_eq!((y.n_rows, gates.n_rows), (streams.n_rows, streams.n_rows), "rows in use");
    let kernel = expand_kernel(params.n_streams);
    let bindings =
        [Binding::Write(&streams.buffer), Binding::Read(&y.buffer), Binding::Read(&gates.buffer)];
    let grid = [y.width.div_ceil(CHANNELS) as u32, y.n_rows as u32, 1];
    context.dispatch(&kernel, &bindings, &[y.width as u32], grid);
}

/// Streams of the kernels that go from one sublayer to the next in two dispatches.
const FUSED_STREAMS: usize = 4;
/// Channels of every stream that a workgroup of the first takes.
const SLICE: usize = 64;
/// Products of streams with each other: of 4 things, the unordered pairs.
const PAIRS: usize = FUSED_STREAMS * (FUSED_STREAMS + 1) / 2;
/// Threads that make a product of a slice.
const SLICE_TEAM: usize = 8;
/// First binding of the function, behind the sums, the streams, the output and the gates.
const FUNCTION_BINDING: u32 = 4;

/// Tokens whose slices a workgroup takes together.
fn slice_tokens(n_tokens: usize) -> usize {
    if n_tokens > MATVEC_TOKENS { 4 } else { 1 }
}

/// What entering a sublayer makes.
pub(crate) struct Entered<'a> {
    pub(crate) normed: &'a mut Tensor,
    pub(crate) mixed: &'a mut Tensor,
    pub(crate) gates: &'a mut Tensor,
}

/// The first kernel from a sublayer to the next: expands the streams with an output, or takes them as
/// they are, and sums what the second one needs.
pub(crate) fn slices_kernel(
    profile: &DeviceProfile,
    format: Format,
    expands: bool,
    n_tokens: usize,
) -> Kernel {
    let n_together = slice_tokens(n_tokens);
    let (mut constants, reduction) = reduction(profile, SLICE_TEAM, 2 * n_together);
    constants.push(("EXPANDS", u32::from(expands)));
    constants.push(("TOKENS", n_together as u32));
    let parts = vec![
        reduction,
        format.part("weight", FUNCTION_BINDING),
        include_str!("shaders/hc_slices.wgsl").into(),
    ];
    Kernel { name: "hc_slices", constants, parts }
}

/// The second: gates, and the normed input of the next sublayer of this width, also rounded to int8.
pub(crate) fn enter_kernel(width: usize, packs: bool) -> Kernel {
    let constants = vec![("N_SLICES", (width / SLICE) as u32)];
    let mut parts: Vec<Part> = vec![include_str!("shaders/hc_enter.wgsl").into()];
    if packs {
        parts.push(include_str!("shaders/packed/round.wgsl").into());
        parts.push(include_str!("shaders/hc_enter_pack.wgsl").into());
    } else {
        parts.push(include_str!("shaders/hc_enter_plain.wgsl").into());
    }
    Kernel { name: "hc_enter", constants, parts }
}

/// Streams to the input of the next sublayer, expanded with the output `y` of the one before if there
/// is one.
pub(crate) fn hc_enter(
    context: &mut Context,
    outs: Entered<'_>,
    streams: &Tensor,
    y: Option<&Tensor>,
    site: &HcSite<'_, Weight>,
    params: &HcParams,
) {
    let Entered { normed, mixed, gates } = outs;
    let width = normed.width;
    let fused = params.n_streams == FUSED_STREAMS
        && width.is_multiple_of(CHANNELS)
        && site.weights.function.columns() == streams.width;
    if !fused {
        if let Some(y) = y {
            expand(context, streams, y, gates, params);
        }
        hc_mix(context, mixed, gates, streams, &site.weights, params);
        rms_norm(context, normed, mixed, site.gain, params.norm_eps);
        return;
    }
    let n_rows = site.weights.function.n_rows();
    assert_eq!((normed.n_rows, gates.n_rows), (streams.n_rows, streams.n_rows), "rows in use");
    assert_eq!(streams.width, FUSED_STREAMS * width, "streams");
    assert_eq!(gates.width, params.gates_width(), "gates");
    assert_eq!(n_rows, params.n_streams + params.gates_width(), "function");
    assert_eq!((site.weights.base.n_values(), site.weights.scale.n_values()), (n_rows, 3), "gates");
    assert_eq!(site.gain.n_values(), width, "gain");
    let sums = sum_slices(context, streams, y, gates, site.weights.function);
    let base = site.weights.base.values(context).clone();
    let scale = site.weights.scale.values(context).clone();
    let gain = site.gain.values(context).clone();
    let packs = context.device.profile.packed_dot && streams.n_rows <= MATVEC_TOKENS;
    let packed = packs.then(|| context.packed_room(&normed.buffer));
    let mut bindings = vec![
        Binding::Write(&normed.buffer),
        Binding::Write(&gates.buffer),
        Binding::Read(&streams.buffer),
        Binding::Read(&sums),
        Binding::Read(&base),
        Binding::Read(&scale),
        Binding::Read(&gain),
    ];
    if let Some(packed) = &packed {
        bindings.extend([Binding::Write(&packed.quants), Binding::Write(&packed.scales)]);
    }
    let parameters =
        [width as u32, params.n_iterations as u32, params.eps.to_bits(), params.norm_eps.to_bits()];
    // The last workgroup of a token makes the gates.
    let grid = [(width / CHANNELS) as u32 + 1, streams.n_rows as u32, 1];
    context.dispatch(&enter_kernel(width, packs), &bindings, &parameters, grid);
    if packs {
        context.packed_is_current(&normed.buffer, streams.n_rows * width);
    }
}

/// Sums `[n, slices, n_rows + PAIRS]` of a site.
fn sum_slices(
    context: &mut Context,
    streams: &Tensor,
    y: Option<&Tensor>,
    gates: &Tensor,
    function: &Weight,
) -> Buffer {
    let width = streams.width / FUSED_STREAMS;
    let n_slices = width / SLICE;
    let n_words = streams.capacity * n_slices * (function.n_rows() + PAIRS);
    let sums = context.scratch(Scratch::Projections, n_words);
    if let Some(y) = y {
        assert_eq!((y.n_rows, y.width), (streams.n_rows, width), "output of the sublayer");
    }
    let n_tokens = streams.n_rows;
    let profile = &context.device.profile;
    let kernel = slices_kernel(profile, function.format(), y.is_some(), n_tokens);
    // Without an output there is nothing to read; a binding has to hold something.
    let y = y.map_or(&gates.buffer, |y| &y.buffer);
    let mut bindings = vec![
        Binding::Write(&sums),
        Binding::Write(&streams.buffer),
        Binding::Read(y),
        Binding::Read(&gates.buffer),
    ];
    bindings.extend(function.buffers().iter().map(Binding::Read));
    let parameters = [width, function.groups(), n_tokens];
    let grid = [n_slices as u32, n_tokens.div_ceil(slice_tokens(n_tokens)) as u32, 1];
    context.dispatch(&kernel, &bindings, &parameters.map(|word| word as u32), grid);
    sums
}
