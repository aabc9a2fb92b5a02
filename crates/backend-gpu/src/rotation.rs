//! Tables of cosines and sines, made on the host.
//!
//! Angles reach 10^6 rad, where a shader's sine is noise. [`Rotation::cos_sin`] is the one
//! definition, so the host evaluates it for the positions of a batch and kernels only look up. A
//! table is small (256 bytes a token for 32 channel pairs) and shared by all layers of a kind.

use backend::Rotation;

use crate::buffers::Buffer;
use crate::encode::Context;

/// A table on the device.
#[derive(Debug)]
struct AngleTable {
    frequencies: Vec<f32>,
    positions: Vec<usize>,
    /// `[positions, pairs, 2]`, f32: cosine, sine.
    buffer: Buffer,
    /// The submission that used it last.
    used_in: u64,
}

/// Tables of the current positions, and older ones whose buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct AngleTables {
    tables: Vec<AngleTable>,
}

impl Context {
    /// The table `[positions, pairs, 2]` of a rotation at these positions.
    pub(crate) fn angles(&mut self, rotation: &Rotation, positions: &[usize]) -> Buffer {
        let submission = self.submission();
        let tables = &mut self.angles.tables;
        let known = tables.iter_mut().find(|table| {
            table.positions == positions && table.frequencies == rotation.frequencies()
        });
        if let Some(table) = known {
            table.used_in = submission;
            return table.buffer.clone();
        }
        let mut words = Vec::with_capacity(positions.len() * rotation.rope_dim());
        for position in positions {
            for pair in 0..rotation.rope_dim() / 2 {
                let (cos, sin) = rotation.cos_sin(pair, *position);
                words.extend([cos.to_bits(), sin.to_bits()]);
            }
        }
        let bytes = 4 * words.len() as u64;
        // A table that only submitted work uses may change: writes are ordered behind that work.
        let free = tables
            .iter()
            .position(|table| table.used_in < submission && table.buffer.bytes() >= bytes);
        let buffer = match free {
            Some(i) => tables.swap_remove(i).buffer,
            None => self.buffers.scratch(&self.device, "rotation angles", bytes),
        };
        self.write_unused(&buffer, 0, &words);
        let table = AngleTable {
            frequencies: rotation.frequencies().to_vec(),
            positions: positions.to_vec(),
            buffer: buffer.clone(),
            used_in: submission,
        };
        self.angles.tables.push(table);
        buffer
    }
}
