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

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

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
            Self::Bf16 => include_str!("shaders/formats/bf16.wgsl"),
            Self::F16 => include_str!("shaders/formats/f16.wgsl"),
            Self::Q8_0 => include_str!("shaders/formats/q8_0.wgsl"),
            Self::Q4K => include_str!("shaders/formats/q4_k.wgsl"),
            Self::Q2K => include_str!("shaders/formats/q2_k.wgsl"),
            Self::Iq2Xxs => concat!(
                include_str!("shaders/formats/iq2_xxs.wgsl"),
                "\n",
                include_str!("shaders/formats/points_read.wgsl"),
            ),
            Self::Mxfp4 => include_str!("shaders/formats/mxfp4.wgsl"),
        }
    }

    /// The functions that read this format, named `{name}_…`, with bindings from `binding` on.
    pub(crate) fn part(self, name: &'static str, binding: u32) -> Part {
        Part::weight(self.text(), name, binding)
    }

    /// The same for kernels that decode many groups: all threads call `{name}_begin` first.
    pub(crate) fn tile_parts(self, name: &'static str, binding: u32) -> [Part; 2] {
        if self == Self::Iq2Xxs {
            let text = include_str!("shaders/formats/iq2_xxs.wgsl");
            let kept = include_str!("shaders/formats/points_kept.wgsl");
            return [Part::weight(text, name, binding), Part::weight(kept, name, 0)];
        }
        let begin = include_str!("shaders/formats/begin_none.wgsl");
        [self.part(name, binding), Part::weight(begin, name, 0)]
    }

    /// Whether there are products with int8 activations.
    pub(crate) fn packs(self) -> bool {
        matches!(self, Self::Q8_0 | Self::Q4K | Self::Q2K | Self::Iq2Xxs)
    }

    /// Whether f16 holds its values well enough for matrix units. F32 and BF16 are kept for checkpoints
    /// that are compared with references in f32.
    pub(crate) fn halves(self) -> bool {
        !matches!(self, Self::F32 | Self::Bf16)
    }

    /// The product of 32 weights, `{name}_product`, with int8 activations or with f32.
    pub(crate) fn product_part(self, name: &'static str, packed: bool) -> Part {
        let text = match self {
            Self::Q8_0 if packed => include_str!("shaders/formats/packed/q8_0.wgsl"),
            Self::Q4K if packed => include_str!("shaders/formats/packed/q4_k.wgsl"),
            Self::Q2K if packed => include_str!("shaders/formats/packed/q2_k.wgsl"),
            Self::Iq2Xxs if packed => include_str!("shaders/formats/packed/iq2_xxs.wgsl"),
            _ => include_str!("shaders/formats/product.wgsl"),
        };
        Part::weight(text, name, 0)
    }

    /// The function that reads eight weights, `{name}_eight`, of plain floats.
    pub(crate) fn eights_part(self, name: &'static str) -> Option<Part> {
        let text = match self {
            Self::F32 => include_str!("shaders/formats/eights/f32.wgsl"),
            Self::F16 => include_str!("shaders/formats/eights/f16.wgsl"),
            Self::Bf16 => include_str!("shaders/formats/eights/bf16.wgsl"),
            _ => return None,
        };
        Some(Part::weight(text, name, 0))
    }

    /// Bindings that the functions take.
    pub(crate) fn n_bindings(self) -> u32 {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 | Self::Q4K | Self::Q2K => 1,
            Self::Q8_0 | Self::Mxfp4 => 2,
            Self::Iq2Xxs => 3,
        }
    }

    /// Whether it is floats, one by one.
    pub(crate) fn is_plain(self) -> bool {
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
    arrays: Arc<Arrays>,
    /// The weight as f32, for ops that take vectors; made when first asked for.
    values: OnceLock<Buffer>,
}

impl Weight {
    /// The arrays of the format.
    pub(crate) fn buffers(&self) -> &[Buffer] {
        &self.arrays.0
    }

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
        &self.buffers()[0]
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

/// Arrays on the device, for as long as a weight uses them.
#[derive(Debug)]
pub(crate) struct Arrays(Vec<Buffer>);

/// Arrays of mapped files by address and type. Tensors of a file may share their bytes; then they
/// share the arrays as well. An entry holds while a weight does, which keeps the file mapped and
/// the address true.
pub(crate) type SharedArrays = HashMap<(usize, usize, TensorType), Weak<Arrays>>;

impl Context {
    /// Uploads a weight.
    ///
    /// # Errors
    /// If the type has no kernel, or the device has no room.
    pub(crate) fn bind(&mut self, tensor: &Tensor) -> backend::Result<Weight> {
        let format = Format::of(tensor.kind);
        if format.is_none() && tensor.kind != TensorType::I32 {
            return Err(backend::Error::UnsupportedType {
                tensor: tensor.name.clone(),
                kind: tensor.kind.to_string(),
                backend: crate::NAME,
            });
        }
        let key = (tensor.data.as_ptr() as usize, tensor.data.len(), tensor.kind);
        let is_mapped = tensor.data.file_range().is_some();
        let shared = if is_mapped { self.shared_arrays.get(&key) } else { None };
        let arrays = match shared.and_then(Weak::upgrade) {
            Some(arrays) => arrays,
            None => Arc::new(Arrays(self.upload(tensor, format)?)),
        };
        if is_mapped {
            self.shared_arrays.insert(key, Arc::downgrade(&arrays));
        }
        Ok(Weight { tensor: tensor.clone(), format, arrays, values: OnceLock::new() })
    }

    fn upload(&mut self, tensor: &Tensor, format: Option<Format>) -> backend::Result<Vec<Buffer>> {
        let data: &[u8] = &tensor.data;
        Ok(match format {
            Some(format) if format.is_plain() && !tensor.columns().is_multiple_of(GROUP) => {
                vec![self.upload_bytes(&filled_rows(tensor))?]
            }
            Some(Format::Q8_0) => {
                self.upload_split::<{ q8_0::BYTES }>(data, q8_0::Q_OFFSET)?.into()
            }
            Some(Format::Mxfp4) => {
                self.upload_split::<{ mxfp4::BYTES }>(data, mxfp4::Q_OFFSET)?.into()
            }
            Some(Format::Iq2Xxs) => {
                let [quants, scales] =
                    self.upload_split::<{ iq2_xxs::BYTES }>(data, iq2_xxs::WORDS_OFFSET)?;
                vec![quants, scales, self.iq2_xxs_grid()?]
            }
            Some(_) | None => vec![self.upload_bytes(data)?],
        })
    }

    /// Bytes as they are, filled up to a whole word.
    fn upload_bytes(&mut self, bytes: &[u8]) -> backend::Result<Buffer> {
        let buffer = self.buffers.storage(&self.device, "weights", bytes.len() as u64)?;
        for (i, chunk) in bytes.chunks(UPLOAD_BYTES).enumerate() {
            let whole = chunk.len() - chunk.len() % 4;
            let first_word = i * UPLOAD_BYTES / 4;
            self.write_bytes(&buffer, first_word, &chunk[..whole]);
            if whole < chunk.len() {
                let mut last = [0; 4];
                last[..chunk.len() - whole].copy_from_slice(&chunk[whole..]);
                self.write_bytes(&buffer, first_word + whole / 4, &last);
            }
            self.pass_upload(chunk.len())?;
        }
        Ok(buffer)
    }

    /// Blocks taken apart: what follows `offset`, and the scales in front of it.
    fn upload_split<const BYTES: usize>(
        &mut self,
        data: &[u8],
        offset: usize,
    ) -> backend::Result<[Buffer; 2]> {
        let blocks = data.as_chunks::<BYTES>().0;
        let bytes = |of_block: usize| (blocks.len() * of_block) as u64;
        let quants = self.buffers.storage(&self.device, "weights", bytes(BYTES - offset))?;
        let scales = self.buffers.storage(&self.device, "weights", bytes(offset))?;
        let mut parts = (Vec::new(), Vec::new());
        for (i, chunk) in blocks.chunks(UPLOAD_BLOCKS).enumerate() {
            parts.0.clear();
            parts.1.clear();
            for block in chunk {
                parts.0.extend_from_slice(&block[offset..]);
                parts.1.extend_from_slice(&block[..offset]);
            }
            parts.1.resize(parts.1.len().next_multiple_of(4), 0);
            let first_block = i * UPLOAD_BLOCKS;
            self.write_bytes(&quants, first_block * (BYTES - offset) / 4, &parts.0);
            self.write_bytes(&scales, first_block * offset / 4, &parts.1);
            self.pass_upload(chunk.len() * BYTES)?;
        }
        Ok([quants, scales])
    }

    /// Hands staged bytes to the device, and waits from time to time so that they do not pile up.
    fn pass_upload(&mut self, n_bytes: usize) -> backend::Result<()> {
        self.device.queue.submit([]);
        self.staged_bytes += n_bytes;
        if self.staged_bytes >= MAX_STAGED_BYTES {
            self.staged_bytes = 0;
            self.device.wait()?;
        }
        Ok(())
    }

    fn iq2_xxs_grid(&mut self) -> backend::Result<Buffer> {
        if let Some(grid) = &self.iq2_xxs_grid {
            return Ok(grid.clone());
        }
        let grid = self.upload_bytes(iq2_xxs::GRID.as_flattened())?;
        self.iq2_xxs_grid = Some(grid.clone());
        Ok(grid)
    }
}

/// Bytes that are uploaded at once.
const UPLOAD_BYTES: usize = 64 << 20;
/// Blocks that are taken apart at once: a multiple of four, so that parts are whole words.
const UPLOAD_BLOCKS: usize = 1 << 20;
/// Bytes on their way at once.
const MAX_STAGED_BYTES: usize = 256 << 20;

/// Rows of plain floats, filled up with zeros to whole groups.
fn filled_rows(tensor: &Tensor) -> Vec<u8> {
    let row_bytes = tensor.kind.row_bytes(tensor.columns().next_multiple_of(GROUP));
    let mut bytes = vec![0; tensor.rows() * row_bytes];
    for (i, row) in bytes.chunks_exact_mut(row_bytes).enumerate() {
        row[..tensor.row_bytes()].copy_from_slice(tensor.row(i));
    }
    bytes
}
