//! Weights on the device: which formats have kernels, and how their blocks are laid out there.
//!
//! Blocks are repacked while they are uploaded so that kernels read whole words: what is not
//! aligned in the file gets an array of its own. Rows of plain floats are filled up with zeros to
//! a whole number of [`GROUP`]s, the unit in which every kernel reads weights.
//!
//! | format | arrays |
//! |---|---|
//! | F32, F16, BF16 | values |
//! | `Q8_0`, MXFP4 | quants of 16 or 32 bytes a block; scales |
//! | `Q4_K`, `Q2_K` | blocks as stored, which are whole words |
//! | `IQ2_XXS` | two words for 32 weights; scales; the grid, shared by all |

use std::sync::OnceLock;

use gguf::blocks::{iq2_xxs, mxfp4, q8_0};
use gguf::{Tensor, TensorType};

use crate::buffers::Buffer;
use crate::encode::Context;
use crate::pipelines::Part;

/// Weights that a kernel reads at once.
pub(crate) const GROUP: usize = 32;

/// Formats with kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4K,
    Q2K,
    Iq2Xxs,
    Mxfp4,
}

impl Format {
    fn of(kind: TensorType) -> Option<Self> {
        Some(match kind {
            TensorType::F32 => Self::F32,
            TensorType::F16 => Self::F16,
            TensorType::Bf16 => Self::Bf16,
            TensorType::Q8_0 => Self::Q8_0,
            TensorType::Q4K => Self::Q4K,
            TensorType::Q2K => Self::Q2K,
            TensorType::Iq2Xxs => Self::Iq2Xxs,
            TensorType::Mxfp4 => Self::Mxfp4,
            _ => return None,
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::F32 => include_str!("shaders/formats/f32.wgsl"),
            Self::F16 => include_str!("shaders/formats/f16.wgsl"),
            Self::Bf16 => include_str!("shaders/formats/bf16.wgsl"),
            Self::Q8_0 => include_str!("shaders/formats/q8_0.wgsl"),
            Self::Q4K => include_str!("shaders/formats/q4_k.wgsl"),
            Self::Q2K => include_str!("shaders/formats/q2_k.wgsl"),
            Self::Iq2Xxs => include_str!("shaders/formats/iq2_xxs.wgsl"),
            Self::Mxfp4 => include_str!("shaders/formats/mxfp4.wgsl"),
        }
    }

    /// The functions that read this format, named `{name}_…`, with bindings from `binding` on.
    pub(crate) fn part(self, name: &'static str, binding: u32) -> Part {
        Part::weight(self.text(), name, binding)
    }

    /// Bindings that the functions take.
    pub(crate) fn n_bindings(self) -> u32 {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 | Self::Q4K | Self::Q2K => 1,
            Self::Q8_0 | Self::Mxfp4 => 2,
            Self::Iq2Xxs => 3,
        }
    }

    fn is_plain(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::Bf16)
    }
}

/// A weight, bound.
#[derive(Debug)]
pub struct Weight {
    /// As in the file; its bytes stay mapped and cost nothing.
    tensor: Tensor,
    /// `None` for tables of integers, which no product takes.
    format: Option<Format>,
    /// The arrays of the format.
    pub(crate) buffers: Vec<Buffer>,
    /// The weight as f32, for ops that take vectors; made when first asked for.
    values: OnceLock<Buffer>,
}

impl Weight {
    /// Values per row.
    pub(crate) fn columns(&self) -> usize {
        self.tensor.columns()
    }

    /// [`GROUP`]s per row.
    pub(crate) fn groups(&self) -> usize {
        self.columns().div_ceil(GROUP)
    }

    /// Rows of all matrices of a stack together.
    pub(crate) fn n_rows(&self) -> usize {
        self.tensor.rows()
    }

    /// Rows of one matrix of a stack.
    pub(crate) fn rows_per_expert(&self) -> usize {
        self.tensor.dims[1] as usize
    }

    /// Values of all rows.
    pub(crate) fn n_values(&self) -> usize {
        self.columns() * self.n_rows()
    }

    /// The format in which products read it.
    ///
    /// # Panics
    /// If it is a table of integers.
    pub(crate) fn format(&self) -> Format {
        self.format.expect("products take floats")
    }

    /// The words of a table of integers.
    ///
    /// # Panics
    /// If it is none.
    pub(crate) fn integers(&self) -> &Buffer {
        assert_eq!(self.tensor.kind, TensorType::I32, "tables of ids are I32");
        &self.buffers[0]
    }

    /// All values as f32, row after row without gaps.
    ///
    /// # Panics
    /// If it is a table of integers.
    pub(crate) fn values(&self, context: &Context) -> &Buffer {
        self.values.get_or_init(|| {
            let values = self.tensor.decode().expect("vectors are floats");
            let bytes = 4 * values.len() as u64;
            let buffer = context.buffers.scratch(&context.device, "vector", bytes);
            context.write_unused(&buffer, 0, bytemuck::cast_slice(&values));
            buffer
        })
    }
}

impl Context {
    /// Uploads a weight.
    ///
    /// # Errors
    /// If the type has no kernel, or the device has no room.
    pub(crate) fn bind(&mut self, tensor: &Tensor) -> backend::Result<Weight> {
        let unsupported = || backend::Error::UnsupportedType {
            tensor: tensor.name.clone(),
            kind: tensor.kind.to_string(),
            backend: crate::NAME,
        };
        let format = Format::of(tensor.kind);
        if format.is_none() && tensor.kind != TensorType::I32 {
            return Err(unsupported());
        }
        let buffers = match format {
            None => vec![self.upload(&words(&tensor.data))?],
            Some(format) if format.is_plain() => vec![self.upload(&plain_words(tensor))?],
            Some(Format::Q8_0) => {
                let (quants, scales) = split_blocks(&tensor.data, q8_0::BYTES, q8_0::Q_OFFSET);
                vec![self.upload(&words(&quants))?, self.upload(&words(&scales))?]
            }
            Some(Format::Mxfp4) => {
                let (quants, scales) = split_blocks(&tensor.data, mxfp4::BYTES, mxfp4::Q_OFFSET);
                vec![self.upload(&words(&quants))?, self.upload(&words(&scales))?]
            }
            Some(Format::Iq2Xxs) => {
                let offset = iq2_xxs::WORDS_OFFSET;
                let (quants, scales) = split_blocks(&tensor.data, iq2_xxs::BYTES, offset);
                let grid = self.iq2_xxs_grid()?;
                vec![self.upload(&words(&quants))?, self.upload(&words(&scales))?, grid]
            }
            Some(_) => vec![self.upload(&words(&tensor.data))?],
        };
        Ok(Weight { tensor: tensor.clone(), format, buffers, values: OnceLock::new() })
    }

    fn upload(&mut self, words: &[u32]) -> backend::Result<Buffer> {
        let bytes = 4 * words.len() as u64;
        let buffer = self.buffers.storage(&self.device, "weights", bytes)?;
        for (i, chunk) in words.chunks(UPLOAD_WORDS).enumerate() {
            self.write_unused(&buffer, i * UPLOAD_WORDS, chunk);
            // Gives the staging memory of the chunk to the device before the next one takes more.
            self.device.queue.submit([]);
            if words.len() > UPLOAD_WORDS {
                self.device.wait()?;
            }
        }
        Ok(buffer)
    }

    fn iq2_xxs_grid(&mut self) -> backend::Result<Buffer> {
        if let Some(grid) = &self.iq2_xxs_grid {
            return Ok(grid.clone());
        }
        let grid = self.upload(&words(iq2_xxs::GRID.as_flattened()))?;
        self.iq2_xxs_grid = Some(grid.clone());
        Ok(grid)
    }
}

/// Words that are uploaded at once.
const UPLOAD_WORDS: usize = 16 << 20;

/// Bytes as little-endian words, filled up with zeros.
fn words(bytes: &[u8]) -> Vec<u32> {
    let (chunks, rest) = bytes.as_chunks::<4>();
    let mut words: Vec<u32> = chunks.iter().map(|chunk| u32::from_le_bytes(*chunk)).collect();
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        words.push(u32::from_le_bytes(last));
    }
    words
}

/// Rows of plain floats, filled up with zeros to whole groups.
fn plain_words(tensor: &Tensor) -> Vec<u32> {
    let n_rows = tensor.rows();
    if tensor.columns().is_multiple_of(GROUP) {
        return words(&tensor.data);
    }
    let row_bytes = tensor.kind.row_bytes(tensor.columns().next_multiple_of(GROUP));
    let mut bytes = vec![0; n_rows * row_bytes];
    for (i, row) in bytes.chunks_exact_mut(row_bytes).enumerate() {
        row[..tensor.row_bytes()].copy_from_slice(tensor.row(i));
    }
    words(&bytes)
}

/// Takes blocks of `block_bytes` bytes apart: what follows `offset`, and the scales in front.
fn split_blocks(data: &[u8], block_bytes: usize, offset: usize) -> (Vec<u8>, Vec<u8>) {
    let blocks = data.chunks_exact(block_bytes);
    let mut quants = Vec::with_capacity(blocks.len() * (block_bytes - offset));
    let mut scales = Vec::with_capacity(blocks.len() * offset);
    for block in blocks {
        scales.extend_from_slice(&block[..offset]);
        quants.extend_from_slice(&block[offset..]);
    }
    (quants, scales)
}
