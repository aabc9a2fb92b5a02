//! Activations rounded for faster products, beside the f32 they come from: to int8 for the packed
//! dot product, to f16 for matrix units.
//!
//! Of int8, sixteen values share a scale. A kernel that makes activations may write both; where none did,
//! they are rounded when a product first asks. Whatever writes the f32 makes the int8 stale: every
//! dispatch, copy and write says so here. F16 is only ever made when a product asks.

use std::collections::HashMap;

use crate::buffers::{Buffer, BufferId};
use crate::encode::{Binding, Context};
use crate::pipelines::{Kernel, Variant};
use crate::profile::DeviceProfile;

/// Values that share a scale.
pub(crate) const BLOCK: usize = 16;
/// Threads of a workgroup, each of which rounds a block.
const WORKGROUP: usize = 64;
/// Threads of a workgroup, each of which rounds four values to f16.
const HALVE_WORKGROUP: usize = 256;

/// Rounded activations.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// `[values]`, i8.
    pub(crate) quants: Buffer,
    /// `[values / BLOCK]`, f32.
    pub(crate) scales: Buffer,
}

/// Rounded activations by the buffer that they come from, and how many values of it are up to
/// date.
#[derive(Debug, Default)]
pub(crate) struct PackedRows {
    known: HashMap<BufferId, (Packed, usize)>,
    /// F16 by the buffer and the number of planes.
    halves: HashMap<(BufferId, u32), (Buffer, usize)>,
}

impl PackedRows {
    /// Says that a buffer was written.
    pub(crate) fn forget(&mut self, buffer: BufferId) {
        if let Some((_, n_current)) = self.known.get_mut(&buffer) {
            *n_current = 0;
        }
        for planes in [1, 2] {
            if let Some((_, n_current)) = self.halves.get_mut(&(buffer, planes)) {
                *n_current = 0;
            }
        }
    }

    /// Lets go of what belongs to buffers that have gone.
    pub(crate) fn release(&mut self, gone: &[BufferId]) {
        for id in gone {
            self.known.remove(id);
            for planes in [1, 2] {
                self.halves.remove(&(*id, planes));
            }
        }
    }
}

/// The kernel that rounds what nobody has rounded yet.
pub(crate) fn pack_kernel() -> Kernel {
    let constants = vec![("WORKGROUP", WORKGROUP as u32)];
    let parts = vec![
        include_str!("shaders/packed/round.wgsl").into(),
        include_str!("shaders/packed/pack.wgsl").into(),
    ];
    Kernel { name: "pack", constants, parts }
}

/// The kernel that rounds to f16.
pub(crate) fn halve_kernel(planes: u32) -> Kernel {
    let constants = vec![("WORKGROUP", HALVE_WORKGROUP as u32), ("PLANES", planes)];
    Kernel { name: "halve", constants, parts: vec![include_str!("shaders/halve.wgsl").into()] }
}

/// A grid of `n` workgroups in two dimensions, because one is too short for the largest batches.
fn wide_grid(n: usize) -> [u32; 3] {
    [n.min(1 << 12) as u32, n.div_ceil(1 << 12) as u32, 1]
}

impl Context {
    /// The first `n_rows` rows of a buffer as f16, `width` values each, a multiple of four. With two
    /// `planes`, each row is followed by what rounding took from it.
    pub(crate) fn halves(
        &mut self,
        x: &Buffer,
        n_rows: usize,
        width: usize,
        planes: u32,
    ) -> Buffer {
        let n_values = n_rows * width;
        let known = self.packed.halves.get(&(x.id(), planes)).cloned();
        let (halves, n_current) = known.unwrap_or_else(|| {
            let bytes = x.bytes() / 2 * u64::from(planes);
            (self.buffers.scratch(&self.device, "activations in f16", bytes), 0)
        });
        if n_current < n_values {
            let n_fours = n_values / 4;
            let bindings = [Binding::Read(x), Binding::Write(&halves)];
            let grid = wide_grid(n_fours.div_ceil(HALVE_WORKGROUP));
            let parameters = [n_fours as u32, width as u32 / 4];
            self.dispatch(&halve_kernel(planes), &bindings, &parameters, grid);
            self.packed.halves.insert((x.id(), planes), (halves.clone(), n_values));
        }
        halves
    }

    /// Where the rounded values of a buffer go, for a kernel that writes both. It calls
    /// [`Context::packed_is_current`] when it is recorded.
    pub(crate) fn packed_room(&mut self, x: &Buffer) -> Packed {
        if let Some((packed, _)) = self.packed.known.get(&x.id()) {
            return packed.clone();
        }
        let n_values = x.bytes() / 4;
        let buffer = |bytes| self.buffers.scratch(&self.device, "rounded activations", bytes);
        let packed =
            Packed { quants: buffer(n_values), scales: buffer(4 * n_values / BLOCK as u64) };
        self.packed.known.insert(x.id(), (packed.clone(), 0));
        packed
    }

    /// Says that the first values of a buffer have been rounded.
    pub(crate) fn packed_is_current(&mut self, x: &Buffer, n_values: usize) {
        if let Some((_, n_current)) = self.packed.known.get_mut(&x.id()) {
            *n_current = n_values;
        }
    }

    /// The first `n_values` of a buffer, rounded.
    pub(crate) fn packed(&mut self, x: &Buffer, n_values: usize) -> Packed {
        let packed = self.packed_room(x);
        if self.packed.known[&x.id()].1 >= n_values {
            return packed;
        }
        let n_blocks = n_values / BLOCK;
        let bindings =
            [Binding::Read(x), Binding::Write(&packed.quants), Binding::Write(&packed.scales)];
        let grid = wide_grid(n_blocks.div_ceil(WORKGROUP));
        let kernel = (Variant::named("pack"), |_: &DeviceProfile| pack_kernel());
        self.dispatch_variant(kernel, &bindings, &[n_blocks as u32], grid);
        self.packed_is_current(x, n_values);
        packed
    }
}
