//! Root-mean-square norms, and the rotation.

use backend::{Direction, Rotation, Run};

use crate::buffers::Buffer;
use crate::encode::{Binding, Context};
use crate::linear::{WORKGROUP, reduction};
use crate::memory::Tensor;
use crate::pipelines::{Kernel, Variant};
use crate::profile::DeviceProfile;
use crate::weights::Weight;

pub(crate) fn rms_norm_kernel(profile: &DeviceProfile) -> Kernel {
    let (constants, reduction) = reduction(profile, WORKGROUP, 1);
    let parts = vec![reduction, include_str!("shaders/rms_norm.wgsl").into()];
    Kernel { name: "rms_norm", constants, parts }
}

pub(crate) fn rms_norm(
    context: &mut Context,
    out: &mut Tensor,
    x: &Tensor,
    gain: &Weight,
    eps: f32,
) {
    assert_eq!((out.n_rows, out.width), (x.n_rows, x.width), "shapes");
    assert_eq!(gain.n_values(), x.width, "gain");
    let kernel = (Variant::named("rms_norm"), rms_norm_kernel);
    let gain = gain.values(context).clone();
    let bindings = [Binding::Write(&out.buffer), Binding::Read(&x.buffer), Binding::Read(&gain)];
    let parameters = [x.width as u32, eps.to_bits()];
    context.dispatch_variant(kernel, &bindings, &parameters, [x.n_rows as u32, 1, 1]);
}

pub(crate) fn rms_norm_heads_kernel(profile: &DeviceProfile) -> Kernel {
    let (constants, reduction) = reduction(profile, WORKGROUP, 1);
    let parts = vec![reduction, include_str!("shaders/rms_norm_heads.wgsl").into()];
    Kernel { name: "rms_norm_heads", constants, parts }
}

pub(crate) fn rms_norm_heads(context: &mut Context, x: &mut Tensor, head_dim: usize, eps: f32) {
    assert!(x.width.is_multiple_of(head_dim), "heads are whole");
    let kernel = rms_norm_heads_kernel(&context.device.profile);
    let n_heads = (x.width / head_dim) as u32;
    let parameters = [head_dim as u32, n_heads, eps.to_bits()];
    let grid = [n_heads, x.n_rows as u32, 1];
    context.dispatch(&kernel, &[Binding::Write(&x.buffer)], &parameters, grid);
}

/// The table of a rotation for every row in use.
pub(crate) fn angles_of_rows(
    context: &mut Context,
    n_rows: usize,
    rotation: &Rotation,
    runs: &[Run],
) -> Buffer {
    let mut positions = vec![0; n_rows];
    for (row, position) in runs.iter().flat_map(|run| run.positions()) {
        positions[row] = position;
    }
    context.angles(rotation, &positions)
}

pub(crate) fn rope_tail_kernel() -> Kernel {
    let parts = vec![include_str!("shaders/rope_tail.wgsl").into()];
    Kernel { name: "rope_tail", constants: Vec::new(), parts }
}

pub(crate) fn rope_tail(
    context: &mut Context,
    x: &mut Tensor,
    head_dim: usize,
    rotation: &Rotation,
    direction: Direction,
    runs: &[Run],
) {
    assert!(x.width.is_multiple_of(head_dim) && rotation.rope_dim() <= head_dim, "heads");
    let angles = angles_of_rows(context, x.n_rows, rotation, runs);
    let sign: f32 = if direction == Direction::Forward { 1.0 } else { -1.0 };
    let (n_heads, n_pairs) = (x.width / head_dim, rotation.rope_dim() / 2);
    let parameters = [n_heads as u32, head_dim as u32, n_pairs as u32, sign.to_bits()];
    let bindings = [Binding::Write(&x.buffer), Binding::Read(&angles)];
    let grid = [(n_heads * n_pairs).div_ceil(64) as u32, x.n_rows as u32, 1];
    context.dispatch(&rope_tail_kernel(), &bindings, &parameters, grid);
}
