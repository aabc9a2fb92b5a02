//! Dot products of weight rows with activations: nearly all of the model's work.
//!
//! A result is defined here once, and every instruction set gives its bits:
//!
//! * **Integer formats** meet activations of eight bits ([`crate::activation`]). A block of 32
//!   products is summed exactly in integers, then `sum = fma(integer, weight scale * activation
//!   scale, sum)`; formats with minimums subtract `minimum * sum of codes` in a second fma. Blocks
//!   go to 16 partial sums, block `b` to `b % 16`, each in ascending order; the partial sums are
//!   added pairwise ([`crate::vector::sum_lanes`]).
//! * **Float formats** meet f32 activations: element `i` goes to partial sum `i % 32` by fma.
//!
//! So a result depends on its row and its column alone: not on how many there are, nor on which
//! kernel computed it. Two shapes exist: rows in place, for one to eight columns; and packed rows,
//! unpacked once for any number of columns.
//!
//! Refuses: threads, and knowing what the rows are for.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;

use gguf::TensorType;
use gguf::blocks::{iq2_xxs, mxfp4, q2_k, q4_k, q8_0};

use crate::activation::{GROUP_BLOCKS, GROUP_LEN, Group, quantize_row_portably};
use crate::isa::{Available, Isa};

/// Most columns of one call.
pub(crate) const MAX_COLUMNS: usize = 8;
/// Most columns that meet packed rows in one call.
pub(crate) const PACKED_COLUMNS: usize = 6;

/// Formats whose weights are small integers with scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntegerFormat {
    Q8_0,
    Q2K,
    Q4K,
    Iq2Xxs,
    Mxfp4,
}

impl IntegerFormat {
    /// The format of a tensor's type, if it is one of these.
    pub(crate) fn of(kind: TensorType) -> Option<Self> {
        match kind {
            TensorType::Q8_0 => Some(Self::Q8_0),
            TensorType::Q2K => Some(Self::Q2K),
            TensorType::Q4K => Some(Self::Q4K),
            TensorType::Iq2Xxs => Some(Self::Iq2Xxs),
            TensorType::Mxfp4 => Some(Self::Mxfp4),
            _ => None,
        }
    }

    /// Bytes of [`GROUP_LEN`] weights.
    pub(crate) const fn group_bytes(self) -> usize {
        match self {
            Self::Q8_0 => GROUP_LEN / q8_0::LEN * q8_0::BYTES,
            Self::Q2K => GROUP_LEN / q2_k::LEN * q2_k::BYTES,
            Self::Q4K => GROUP_LEN / q4_k::LEN * q4_k::BYTES,
            Self::Iq2Xxs => GROUP_LEN / iq2_xxs::LEN * iq2_xxs::BYTES,
            Self::Mxfp4 => GROUP_LEN / mxfp4::LEN * mxfp4::BYTES,
        }
    }
}

/// Formats whose weights are floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FloatFormat {
    F32,
    F16,
    Bf16,
}

impl FloatFormat {
    /// The format of a tensor's type, if it is one of these.
    pub(crate) fn of(kind: TensorType) -> Option<Self> {
        match kind {
            TensorType::F32 => Some(Self::F32),
            TensorType::F16 => Some(Self::F16),
            TensorType::Bf16 => Some(Self::Bf16),
            _ => None,
        }
    }

    /// Bytes of one weight.
    pub(crate) const fn weight_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// Rows of weights, unpacked once for any number of columns.
#[derive(Debug, Default)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has kernels that read packed rows")
)]
pub(crate) struct Packed {
    n_rows: usize,
    n_groups: usize,
    /// `[n_rows, n_groups]`.
    groups: Vec<PackedGroup>,
    /// The same, in formats that have minimums.
    minimums: Vec<PackedMinimums>,
    /// What the codes are above the weights' integers.
    offset: i16,
    has_mins: bool,
    /// `[n_rows, n_groups]`, where that is all that an instruction set unpacks.
    unpacked: Vec<scalar::Unpacked>,
}

/// A group of a row.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has kernels that use it")
)]
struct PackedGroup {
    /// In quads, as [`Group::quads`].
    codes: [Lane; 8],
    /// By block.
    scales: Lanes,
}

/// The minimums of a group.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has kernels that use it")
)]
struct PackedMinimums {
    /// By block.
    scales: Lanes,
    /// By block: of its first and last 16 weights.
    mins: [[i16; 2]; GROUP_BLOCKS],
}

/// A 64-byte register in memory.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Lane([u8; 64]);

/// A 64-byte register of floats in memory.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Lanes([f32; 16]);

/// Registers in memory: partial sums of a product that is under way, and what it is made of.
#[derive(Debug, Default)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has kernels that use it")
)]
pub(crate) struct Registers(Vec<Lanes>);

#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has kernels that use it")
)]
impl Registers {
    /// `n` registers whose contents mean nothing.
    fn some(&mut self, n: usize) -> &mut [Lanes] {
        if self.0.len() < n {
            self.0.resize(n, Lanes([0.0; 16]));
        }
        &mut self.0[..n]
    }
}

impl Packed {
    /// Bytes of `n_rows` rows of `n_groups` groups, or of as many with minimums of
    /// `n_groups_with_minimums` groups; on instruction sets that unpack to something else about as
    /// many.
    pub(crate) const fn bytes(
        n_rows: usize,
        n_groups: usize,
        n_groups_with_minimums: usize,
    ) -> usize {
        n_rows * n_groups * size_of::<PackedGroup>()
            + n_rows * n_groups_with_minimums * size_of::<PackedMinimums>()
    }

    /// Makes room for groups and minimums whose contents mean nothing yet.
    #[cfg(target_arch = "x86_64")]
    fn make_room(&mut self) {
        const GROUP: PackedGroup =
            PackedGroup { codes: [Lane([0; 64]); 8], scales: Lanes([0.0; 16]) };
        const MINIMUMS: PackedMinimums =
            PackedMinimums { scales: Lanes([0.0; 16]), mins: [[0; 2]; GROUP_BLOCKS] };
        let n = self.n_rows * self.n_groups;
        self.groups.resize(self.groups.len().max(n), GROUP);
        if self.has_mins {
            self.minimums.resize(self.minimums.len().max(n), MINIMUMS);
        }
    }
}

/// Rounds a row of activations, as [`quantize_row_portably`] defines it.
pub(crate) fn quantize_row(isa: Available, x: &[f32], groups: &mut [Group]) {
    assert_eq!(groups.len(), x.len().div_ceil(GROUP_LEN), "groups of a row");
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx512 => unsafe { avx512::quantize_row(x, groups) },
        _ => quantize_row_portably(isa, x, groups),
    }
}

/// `out[c][r] = weights[r] . columns[c]`: rows of `row_bytes` bytes, one to [`MAX_COLUMNS`]
/// columns, `out` `[columns.len(), n_rows]`.
pub(crate) fn dot_integer(
    isa: Available,
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let n_groups = row_bytes.div_ceil(format.group_bytes());
    assert!((1..=MAX_COLUMNS).contains(&columns.len()));
    assert!(columns.iter().all(|column| column.len() == n_groups), "columns as long as rows");
    assert_eq!(out.len(), columns.len() * (weights.len() / row_bytes));
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx512 => unsafe { avx512::dot_integer(format, weights, row_bytes, columns, out) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx2 => unsafe { avx2::dot_integer(format, weights, row_bytes, columns, out) },
        #[cfg(target_arch = "aarch64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Neon => unsafe { neon::dot_integer(format, weights, row_bytes, columns, out) },
        _ => scalar::dot_integer(format, weights, row_bytes, columns, out),
    }
}

/// `out[c][r] = weights[r] . columns[c]` for float weights; shapes as in [`dot_integer`].
pub(crate) fn dot_float(
    isa: Available,
    format: FloatFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[f32]],
    out: &mut [f32],
) {
    assert!((1..=MAX_COLUMNS).contains(&columns.len()));
    let n_columns = row_bytes / format.weight_bytes();
    assert!(columns.iter().all(|column| column.len() == n_columns), "columns as long as rows");
    assert_eq!(out.len(), columns.len() * (weights.len() / row_bytes));
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx512 => unsafe { avx512::dot_float(format, weights, row_bytes, columns, out) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx2 => unsafe { avx2::dot_float(format, weights, row_bytes, columns, out) },
        _ => scalar::dot_float(format, weights, row_bytes, columns, out),
    }
}

/// Whether [`dot_floats`] exists for an instruction set and rows of `n_columns` weights.
pub(crate) fn has_float_tiles(isa: Available, n_columns: usize) -> bool {
    isa.isa() == Isa::Avx512 && n_columns.is_multiple_of(16)
}

/// What [`dot_floats`] works with.
#[derive(Debug, Default)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only AVX-512 has tiles of floats")
)]
pub(crate) struct FloatScratch {
    /// A part of each row.
    rows: Registers,
    /// The same part of each column.
    columns: Registers,
    sums: Registers,
}

impl FloatScratch {
    /// Bytes of `n_rows` rows times `n_columns` columns.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(unused_variables, reason = "only AVX-512 has tiles of floats")
    )]
    pub(crate) const fn bytes(n_rows: usize, n_columns: usize) -> usize {
        #[cfg(target_arch = "x86_64")]
        let registers = avx512::float_scratch_registers(n_rows, n_columns);
        #[cfg(not(target_arch = "x86_64"))]
        let registers = 0;
        registers * size_of::<Lanes>()
    }
}

/// [`dot_float`] for any number of columns, where [`has_float_tiles`].
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(unused_variables, reason = "only AVX-512 has kernels that use it")
)]
pub(crate) fn dot_floats(
    isa: Available,
    format: FloatFormat,
    weights: &[u8],
    row_bytes: usize,
    scratch: &mut FloatScratch,
    columns: &[&[f32]],
    out: &mut [f32],
) {
    let n_columns = row_bytes / format.weight_bytes();
    assert!(has_float_tiles(isa, n_columns));
    assert!(columns.iter().all(|column| column.len() == n_columns), "columns as long as rows");
    assert!(weights.len().is_multiple_of(row_bytes), "whole rows");
    assert_eq!(out.len(), columns.len() * (weights.len() / row_bytes));
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "compiled for an instruction set")]
    // SAFETY: `isa` proves that the machine has it.
    unsafe {
        avx512::dot_floats(format, weights, row_bytes, scratch, columns, out);
    }
}

/// Unpacks rows for [`dot_packed`].
pub(crate) fn pack(
    isa: Available,
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    packed: &mut Packed,
) {
    let has_mins = matches!(format, IntegerFormat::Q2K | IntegerFormat::Q4K);
    (packed.n_rows, packed.n_groups) =
        (weights.len() / row_bytes, row_bytes.div_ceil(format.group_bytes()));
    packed.has_mins = has_mins;
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx512 => unsafe {
            packed.make_room();
            avx512::pack(format, weights, row_bytes, packed);
        },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx2 => unsafe {
            avx2::unpack_rows(format, weights, row_bytes, &mut packed.unpacked);
        },
        _ => scalar::unpack_rows(format, weights, row_bytes, &mut packed.unpacked),
    }
}

/// `out[c][r] = packed[r] . columns[c]` for one to [`PACKED_COLUMNS`] columns; those in `next` are
/// asked for meanwhile.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(unused_variables, reason = "only AVX-512 has kernels that use it")
)]
pub(crate) fn dot_packed(
    isa: Available,
    packed: &Packed,
    sums: &mut Registers,
    columns: &[&[Group]],
    next: &[&[Group]],
    out: &mut [f32],
) {
    assert!((1..=PACKED_COLUMNS).contains(&columns.len()));
    assert!(
        columns.iter().all(|column| column.len() == packed.n_groups),
        "columns as long as rows"
    );
    assert_eq!(out.len(), columns.len() * packed.n_rows);
    let Packed { n_groups, has_mins, .. } = *packed;
    let rows = packed.unpacked.chunks_exact(n_groups).take(packed.n_rows);
    match isa.isa() {
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx512 => unsafe { avx512::dot_packed(packed, sums, columns, next, out) },
        #[cfg(target_arch = "x86_64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it.
        Isa::Avx2 => unsafe { avx2::dot_unpacked(rows, has_mins, columns, out) },
        #[cfg(target_arch = "aarch64")]
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        // SAFETY: `isa` proves that the machine has it, and small matrices are asked for.
        Isa::Neon => unsafe {
            let in_pairs = std::arch::is_aarch64_feature_detected!("i8mm");
            neon::dot_unpacked(rows, has_mins, columns, in_pairs, out);
        },
        _ => scalar::dot_unpacked(rows, has_mins, columns, out),
    }
}

/// The bytes of whole groups of a row, and the last group filled up with zeros if it is partial.
struct RowGroups<const BYTES: usize> {
    last: [u8; BYTES],
}

impl<const BYTES: usize> RowGroups<BYTES> {
    #[inline]
    fn new() -> Self {
        Self { last: [0; BYTES] }
    }

    /// Calls `each` with every group of `row`.
    #[inline]
    fn for_each(&mut self, row: &[u8], mut each: impl FnMut(usize, &[u8; BYTES])) {
        let (groups, rest) = row.as_chunks::<BYTES>();
        for (g, group) in groups.iter().enumerate() {
            each(g, group);
        }
        if !rest.is_empty() {
            self.last[..rest.len()].copy_from_slice(rest);
            each(groups.len(), &self.last);
        }
    }
}
