//! Tensors of the checkpoint as numbers: checked against what they must be, decoded piece by piece.
//!
//! | stored as | holds |
//! |---|---|
//! | F32, F16, BF16 | weights |
//! | `F8_E4M3` with a `.scale` tensor | FP8 weights of the released checkpoint (specification f.7) |
//! | I8, U8 or F4 with a `.scale` tensor | FP4 weights of the released checkpoint (specification f.8) |
//! | I64, I32 | expert ids |

use anyhow::ensure;
use gguf::TensorType;
use gguf::blocks::released::{FP4_GROUP_LEN, FP8_BLOCK_LEN, decode_fp4_row, decode_fp8_row};
use safetensors::Dtype;

use super::checkpoint::{Checkpoint, Entry};
use super::tensors::Role;

/// A tensor of the checkpoint that has the right shape and a known way of storage.
pub(super) struct Source<'a> {
    name: &'a str,
    entry: &'a Entry,
    storage: Storage<'a>,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

enum Storage<'a> {
    Float(TensorType),
    Fp8 { scales: &'a Entry },
    Fp4 { scales: &'a Entry },
    I32,
    I64,
}

/// Buffers for reading, kept between tensors.
#[derive(Default)]
pub(super) struct Scratch {
    data: Vec<u8>,
    scales: Vec<u8>,
}

impl<'a> Source<'a> {
    /// Finds a tensor and checks it. The error is a sentence about this tensor.
    pub(super) fn bind(
        checkpoint: &'a Checkpoint,
        name: &'a str,
        shape: &[u64],
        role: Role,
    ) -> Result<Self, String> {
        let entry = checkpoint.tensor(name).ok_or_else(|| format!("{name} is missing"))?;
        // A tensor in the checkpoint has as many bytes, so sizes that match fit usize.
        let shape: Vec<usize> = shape.iter().map(|&dim| dim as usize).collect();
        let (columns, outer) = shape.split_last().expect("every shape has a dimension");
        let (rows, columns): (usize, usize) = (outer.iter().product(), *columns);
        let is_matrix = shape.len() == 2;
        let mut stored_shape = shape.clone();
        let storage = match (entry.dtype, role) {
            (Dtype::I32, Role::HashTable) => Storage::I32,
            (Dtype::I64, Role::HashTable) => Storage::I64,
            (dtype, Role::HashTable) => {
                return Err(format!("{name} is stored as {dtype}, expected I64"));
            }
            (Dtype::F32, _) => Storage::Float(TensorType::F32),
            (Dtype::F16, _) => Storage::Float(TensorType::F16),
            (Dtype::BF16, _) => Storage::Float(TensorType::Bf16),
            (Dtype::F8_E4M3, _) if is_matrix => {
                let blocks = [rows.div_ceil(FP8_BLOCK_LEN), columns.div_ceil(FP8_BLOCK_LEN)];
                Storage::Fp8 { scales: bind_scales(checkpoint, name, blocks)? }
            }
            (dtype @ (Dtype::I8 | Dtype::U8 | Dtype::F4), _)
                if is_matrix && columns.is_multiple_of(FP4_GROUP_LEN) =>
            {
                if dtype != Dtype::F4 {
                    stored_shape = vec![rows, columns / 2];
                }
                let groups = [rows, columns / FP4_GROUP_LEN];
                Storage::Fp4 { scales: bind_scales(checkpoint, name, groups)? }
            }
            (dtype, _) => {
                return Err(format!("{name} is stored as {dtype}, which cannot be converted"));
            }
        };
        if entry.shape != stored_shape {
            let found = &entry.shape;
            return Err(format!("{name} has the shape {found:?}, expected {stored_shape:?}"));
        }
        Ok(Self { name, entry, storage, rows, columns })
    }

    /// Decodes `n_rows` rows of weights from row `first`, replacing `out`.
    ///
    /// # Panics
    /// If the tensor holds expert ids.
    pub(super) fn decode(
        &self,
        checkpoint: &Checkpoint,
        first: usize,
        n_rows: usize,
        scratch: &mut Scratch,
        out: &mut Vec<f32>,
    ) -> anyhow::Result<()> {
        out.resize(n_rows * self.columns, 0.0);
        let Scratch { data, scales } = scratch;
        match self.storage {
            Storage::Float(kind) => {
                self.read_rows(checkpoint, first, n_rows, kind.row_bytes(self.columns), data)?;
                kind.decode_row(data, out);
            }
            Storage::Fp8 { scales: entry } => {
                self.read_rows(checkpoint, first, n_rows, self.columns, data)?;
                let scale_row = self.columns.div_ceil(FP8_BLOCK_LEN);
                let first_block = first / FP8_BLOCK_LEN;
                let n_blocks = (first + n_rows).div_ceil(FP8_BLOCK_LEN) - first_block;
                let offset = (first_block * scale_row) as u64;
                checkpoint.read(entry, offset, n_blocks * scale_row, scales)?;
                let rows = data.chunks(self.columns).zip(out.chunks_mut(self.columns));
                for (row, (codes, out)) in (first..).zip(rows) {
                    let block = row / FP8_BLOCK_LEN - first_block;
                    decode_fp8_row(codes, &scales[block * scale_row..][..scale_row], out);
                }
            }
            Storage::Fp4 { scales: entry } => {
                self.read_rows(checkpoint, first, n_rows, self.columns / 2, data)?;
                let scale_row = self.columns / FP4_GROUP_LEN;
                let offset = (first * scale_row) as u64;
                checkpoint.read(entry, offset, n_rows * scale_row, scales)?;
                let rows = data.chunks(self.columns / 2).zip(out.chunks_mut(self.columns));
                for ((packed, out), scales) in rows.zip(scales.chunks(scale_row)) {
                    decode_fp4_row(packed, scales, out);
                }
            }
            Storage::I32 | Storage::I64 => panic!("{} holds expert ids", self.name),
        }
        match out.iter().find(|weight| !weight.is_finite()) {
            Some(weight) => {
                anyhow::bail!("{} holds {weight}; the checkpoint is damaged", self.name)
            }
            None => Ok(()),
        }
    }

    /// Reads `n_rows` rows of expert ids from row `first`, replacing `out`.
    ///
    /// # Panics
    /// If the tensor holds weights.
    pub(super) fn expert_ids(
        &self,
        checkpoint: &Checkpoint,
        (first, n_rows): (usize, usize),
        n_experts: u32,
        scratch: &mut Scratch,
        out: &mut Vec<i32>,
    ) -> anyhow::Result<()> {
        let data = &mut scratch.data;
        let ids: Vec<i64> = match self.storage {
            Storage::I32 => {
                self.read_rows(checkpoint, first, n_rows, 4 * self.columns, data)?;
                data.as_chunks().0.iter().map(|&id| i32::from_le_bytes(id).into()).collect()
            }
            Storage::I64 => {
                self.read_rows(checkpoint, first, n_rows, 8 * self.columns, data)?;
                data.as_chunks().0.iter().map(|&id| i64::from_le_bytes(id)).collect()
            }
            _ => panic!("{} holds weights", self.name),
        };
        out.clear();
        for (index, id) in ids.into_iter().enumerate() {
            let token = first + index / self.columns;
            ensure!(
                (0..i64::from(n_experts)).contains(&id),
                "{} sends token {token} to expert {id}, but there are {n_experts} experts",
                self.name
            );
            out.push(id as i32);
        }
        Ok(())
    }

    /// The name in the checkpoint.
    pub(super) fn name(&self) -> &str {
        self.name
    }

    fn read_rows(
        &self,
        checkpoint: &Checkpoint,
        first: usize,
        n_rows: usize,
        row_bytes: usize,
        data: &mut Vec<u8>,
    ) -> anyhow::Result<()> {
        checkpoint.read(self.entry, (first * row_bytes) as u64, n_rows * row_bytes, data)
    }
}

/// The name of the tensor with the scales of a quantised one.
pub(super) fn scale_name(name: &str) -> String {
    format!("{}.scale", name.strip_suffix(".weight").unwrap_or(name))
}

fn bind_scales<'a>(
    checkpoint: &'a Checkpoint,
    weight: &str,
    expected: [usize; 2],
) -> Result<&'a Entry, String> {
    let name = scale_name(weight);
    let entry = checkpoint
        .tensor(&name)
        .ok_or_else(|| format!("{weight} is quantised, but {name} is missing"))?;
    // Writers without a type for bare exponents store them as plain bytes.
    if !matches!(entry.dtype, Dtype::F8_E8M0 | Dtype::U8) {
        return Err(format!("{name} is stored as {}, expected F8_E8M0", entry.dtype));
    }
    if entry.shape != expected {
        let found = &entry.shape;
        return Err(format!("{name} has the shape {found:?}, expected {expected:?}"));
    }
    Ok(entry)
}
