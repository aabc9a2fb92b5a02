//! How fast the device reads memory and goes from one kernel to the next: what decoding is measured
//! against.
//!
//! Refuses: timing kernels of the model, which is `timing`'s.

use std::time::Instant;

use backend::Result;

use crate::buffers::Buffer;
use crate::encode::{Binding, Context};
use crate::pipelines::Kernel;

const WORKGROUP: u32 = 256;
/// Vectors of 16 bytes that a thread reads.
const VECTORS: u32 = 64;
const WORKGROUP_BYTES: u64 = 16 * (VECTORS * WORKGROUP) as u64;

/// Far larger than any cache.
const BUFFER_BYTES: u64 = 2 << 30;
/// Where the driver does not tell how much memory there is.
const CAUTIOUS_BUFFER_BYTES: u64 = 512 << 20;
/// Less than this says more about caches than about memory.
const LEAST_BUFFER_BYTES: u64 = 16 << 20;
/// A processor that pretends is slow, and nobody plans with its number.
const SOFTWARE_BUFFER_BYTES: u64 = 64 << 20;
/// The best of some passes: a neighbour's noise only makes one slower.
const N_PASSES: usize = 4;
/// Dispatches of a pass, so that handing over and waiting do not count.
const PASS_DISPATCHES: usize = 8;
/// Dispatches that take turns.
const N_TURNS: u32 = 1024;

pub(crate) fn read_kernel() -> Kernel {
    Kernel {
        name: "read_through",
        constants: vec![("WORKGROUP", WORKGROUP), ("VECTORS", VECTORS)],
        parts: vec![include_str!("shaders/read_through.wgsl").into()],
    }
}

pub(crate) fn turn_kernel() -> Kernel {
    Kernel {
        name: "take_turns",
        constants: Vec::new(),
        parts: vec![include_str!("shaders/take_turns.wgsl").into()],
    }
}

/// Bytes to read through: a quarter of the device's memory, within what a kernel sees.
fn buffer_bytes(memory_bytes: Option<u64>, binding_bytes: u64, is_software: bool) -> u64 {
    let wanted = match memory_bytes {
        _ if is_software => SOFTWARE_BUFFER_BYTES,
        Some(memory_bytes) => BUFFER_BYTES.min(memory_bytes / 4),
        None => CAUTIOUS_BUFFER_BYTES,
    };
    wanted.min(binding_bytes) / WORKGROUP_BYTES * WORKGROUP_BYTES
}

/// Reads a buffer, in 10⁹ bytes per second; `None` where memory is short or the device failed.
pub(crate) fn read_bandwidth(context: &mut Context, is_software: bool) -> Option<f64> {
    let device = &context.device;
    let binding_bytes = device.profile.binding_bytes.min(device.profile.buffer_bytes);
    let mut bytes = buffer_bytes(device.memory_bytes, binding_bytes, is_software);
    // A model may have taken most of the memory. Buffers begin as zeros that the device has written.
    let x = loop {
        if bytes < LEAST_BUFFER_BYTES {
            return None;
        }
        if let Ok(x) = context.buffers.storage(&context.device, "a measurement", bytes) {
            break x;
        }
        bytes = bytes / 2 / WORKGROUP_BYTES * WORKGROUP_BYTES;
    };
    let n_workgroups = (bytes / WORKGROUP_BYTES) as u32;
    let sums_bytes = 4 * u64::from(n_workgroups * WORKGROUP);
    let sums = context.buffers.storage(&context.device, "a measurement", sums_bytes).ok()?;
    let (passes, dispatches) = if is_software { (2, 2) } else { (N_PASSES, PASS_DISPATCHES) };
    let mut best = 0.0_f64;
    read_through(context, &sums, &x, n_workgroups, 1).ok()?;
    for _ in 0..passes {
        let start = Instant::now();
        read_through(context, &sums, &x, n_workgroups, dispatches).ok()?;
        let read_bytes = bytes as f64 * dispatches as f64;
        best = best.max(read_bytes / start.elapsed().as_secs_f64() / 1e9);
    }
    Some(best)
}

fn read_through(
    context: &mut Context,
    sums: &Buffer,
    x: &Buffer,
    n_workgroups: u32,
    n_dispatches: usize,
) -> Result<()> {
    let n_vectors = n_workgroups * (VECTORS * WORKGROUP);
    for _ in 0..n_dispatches {
        let bindings = [Binding::Write(sums), Binding::Read(x)];
        context.dispatch(&read_kernel(), &bindings, &[n_vectors], [n_workgroups, 1, 1]);
    }
    context.finish()
}

/// Seconds from one dependent dispatch to the next.
///
/// # Errors
/// If the device failed, or lost count.
pub(crate) fn dispatch_seconds(context: &mut Context) -> Result<f64> {
    let count = context.buffers.storage(&context.device, "a measurement", 4)?;
    let bindings = [Binding::Write(&count)];
    let kernel = turn_kernel();
    context.dispatch(&kernel, &bindings, &[0], [1, 1, 1]);
    context.finish()?;
    let start = Instant::now();
    for _ in 0..N_TURNS {
        context.dispatch(&kernel, &bindings, &[1], [1, 1, 1]);
    }
    context.finish()?;
    let seconds = start.elapsed().as_secs_f64();
    let mut counted = [0];
    context.read(&count, 0, &mut counted)?;
    if counted != [N_TURNS] {
        context.device.fail(format!("of {N_TURNS} kernels in a row, {} counted", counted[0]));
    }
    context.device.check()?;
    Ok(seconds / f64::from(N_TURNS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_leaves_room_and_is_seen_as_a_whole() {
        let check = |memory, binding, software, expected: u64| {
            assert_eq!(buffer_bytes(memory, binding, software), expected);
        };
        check(Some(80 << 30), u64::MAX, false, 2 << 30);
        check(Some(4 << 30), u64::MAX, false, 1 << 30);
        check(Some(80 << 30), (2 << 30) - 1, false, (2 << 30) - WORKGROUP_BYTES);
        check(None, 128 << 20, false, 128 << 20);
        check(None, u64::MAX, false, 512 << 20);
        check(Some(80 << 30), u64::MAX, true, 64 << 20);
    }
}
