//! Activations rounded to int8 for the packed dot product, beside the f32 they come from.
//!
//! Sixteen values share a scale. A kernel that makes activations may write both; where none did,
//! they are rounded when a product first asks. Whatever writes the f32 makes the int8 stale: every
//! dispatch, copy and write says so here.

use std::collections::HashMap;

use crate::buffers::{Buffer, BufferId};
use crate::encode::{Binding, Context};
use crate::pipelines::{Kernel, Variant};
use crate::profile::DeviceProfile;

/// Values that share a scale.
pub(crate) const BLOCK: usize = 16;
/// Threads of a workgroup, each of which rounds a block.
const WORKGROUP: usize = 64;

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
}

impl PackedRows {
    /// Says that a buffer was written.
    pub(crate) fn forget(&mut self, buffer: BufferId) {
        if let Some((_, n_current)) = self.known.get_mut(&buffer) {
            *n_current = 0;
        }
    }

    /// Lets go of what belongs to buffers that have gone.
    pub(crate) fn release(&mut self, gone: &[BufferId]) {
        for id in gone {
            self.known.remove(id);
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

impl Context {
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
        // Two dimensions, because one is too short for the largest batches.
        let n_workgroups = n_blocks.div_ceil(WORKGROUP);
        let grid = [n_workgroups.min(1 << 12) as u32, n_workgroups.div_ceil(1 << 12) as u32, 1];
        let kernel = (Variant::named("pack"), |_: &DeviceProfile| pack_kernel());
        self.dispatch_variant(kernel, &bindings, &[n_blocks as u32], grid);
        self.packed_is_current(x, n_values);
        packed
    }
}
