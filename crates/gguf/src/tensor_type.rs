//! The types a tensor's weights may be stored in, and how many bytes they take.

use std::fmt;

/// How a tensor's weights are stored. Spelled and numbered as in ggml.
///
/// Rows are stored one after the other, each a whole number of blocks of
/// [`block_len`](Self::block_len) weights in [`block_bytes`](Self::block_bytes) bytes.
/// The layout of each block is documented in [`blocks`](crate::blocks).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TensorType {
    /// 32-bit float.
    F32,
    /// IEEE 16-bit float.
    F16,
    /// 8-bit integers with a scale per 32 weights.
    Q8_0,
    /// 2-bit integers with a scale and minimum per 16 weights.
    Q2K,
    /// 4-bit integers with a scale and minimum per 32 weights.
    Q4K,
    /// Lattice points with signs, eight weights each.
    Iq2Xxs,
    /// 32-bit signed integer; holds indexes, not weights.
    I32,
    /// Brain float: the upper half of a 32-bit float.
    Bf16,
    /// 4-bit floats (E2M1) with a power-of-two scale per 32 weights.
    Mxfp4,
    /// Any other type, by ggml's number. It can be listed, but its size is unknown.
    Other(u32),
}

impl TensorType {
    /// Every type of known size.
    pub const KNOWN: [Self; 9] = [
        Self::F32,
        Self::F16,
        Self::Q8_0,
        Self::Q2K,
        Self::Q4K,
        Self::Iq2Xxs,
        Self::I32,
        Self::Bf16,
        Self::Mxfp4,
    ];

    /// The type with this number in a tensor directory.
    pub fn from_id(id: u32) -> Self {
        Self::KNOWN.into_iter().find(|kind| kind.id() == id).unwrap_or(Self::Other(id))
    }

    /// The type's number in a tensor directory.
    pub const fn id(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 8,
            Self::Q2K => 10,
            Self::Q4K => 12,
            Self::Iq2Xxs => 16,
            Self::I32 => 26,
            Self::Bf16 => 30,
            Self::Mxfp4 => 39,
            Self::Other(id) => id,
        }
    }

    /// The name as ggml spells it; `unknown` for [`Other`](Self::Other).
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Q8_0 => "Q8_0",
            Self::Q2K => "Q2_K",
            Self::Q4K => "Q4_K",
            Self::Iq2Xxs => "IQ2_XXS",
            Self::I32 => "I32",
            Self::Bf16 => "BF16",
            Self::Mxfp4 => "MXFP4",
            Self::Other(_) => "unknown",
        }
    }

    /// Whether the size of this type is known, so that its tensors can be bound.
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether the type stores weights that can be decoded to f32.
    pub const fn is_float(self) -> bool {
        !matches!(self, Self::Other(_) | Self::I32)
    }

    /// Weights per block.
    ///
    /// # Panics
    /// If the type is [`Other`](Self::Other).
    pub const fn block_len(self) -> usize {
        self.geometry().0
    }

    /// Bytes per block.
    ///
    /// # Panics
    /// If the type is [`Other`](Self::Other).
    pub const fn block_bytes(self) -> usize {
        self.geometry().1
    }

    /// Bytes of a row of `columns` weights.
    ///
    /// # Panics
    /// If the type is [`Other`](Self::Other), or `columns` is not a whole number of blocks.
    pub const fn row_bytes(self, columns: usize) -> usize {
        assert!(columns.is_multiple_of(self.block_len()), "a row is a whole number of blocks");
        columns / self.block_len() * self.block_bytes()
    }

    const fn geometry(self) -> (usize, usize) {
        use crate::blocks::{iq2_xxs, mxfp4, q2_k, q4_k, q8_0};
        match self {
            Self::F32 | Self::I32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q8_0 => (q8_0::LEN, q8_0::BYTES),
            Self::Q2K => (q2_k::LEN, q2_k::BYTES),
            Self::Q4K => (q4_k::LEN, q4_k::BYTES),
            Self::Iq2Xxs => (iq2_xxs::LEN, iq2_xxs::BYTES),
            Self::Mxfp4 => (mxfp4::LEN, mxfp4::BYTES),
            Self::Other(_) => panic!("the size of this tensor type is unknown"),
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(id) => write!(f, "ggml type {id}"),
            known => f.pad(known.name()),
        }
    }
}
