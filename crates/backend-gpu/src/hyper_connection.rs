//! Hyper-connections: streams mixed by gates that each token computes for itself.

use backend::{HcParams, HcWeights};

use crate::buffers::{Buffer, Scratch};
use crate::encode::{Binding, Context};
use crate::linear::{
    WEIGHT_BINDING, WORKGROUP, activations, is_aligned, product_bindings, reduction,
};
use crate::memory::Tensor;
use crate::pipelines::Kernel;
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
    assert_eq!(streams.width, params.n_streams * y.width, "streams");
    assert_eq!(gates.width, params.gates_width(), "gates");
    assert_eq!((y.n_rows, gates.n_rows), (streams.n_rows, streams.n_rows), "rows in use");
    let kernel = expand_kernel(params.n_streams);
    let bindings =
        [Binding::Write(&streams.buffer), Binding::Read(&y.buffer), Binding::Read(&gates.buffer)];
    let grid = [y.width.div_ceil(CHANNELS) as u32, y.n_rows as u32, 1];
    context.dispatch(&kernel, &bindings, &[y.width as u32], grid);
}
