//! Activations rounded to eight bits, as the integer kernels take them.
//!
//! A row is cut into blocks of 32 values with one f32 scale each, and blocks into groups of 16,
//! the last one filled up with zeros. Codes lie in the two orders in which kernels meet them: slots
//! of two blocks, `b` and `b + 4` within each half of a group, because that is how weights of most
//! formats unpack into 64-byte registers; and quads, one register for the same four values of every
//! block, eight apart, because that is how weights with a table of eight look up.

use crate::isa::per_isa;

/// Values that share a scale.
pub(crate) const BLOCK_LEN: usize = 32;
/// Blocks of a group.
pub(crate) const GROUP_BLOCKS: usize = 16;
/// Values of a group.
pub(crate) const GROUP_LEN: usize = BLOCK_LEN * GROUP_BLOCKS;

/// Below this largest magnitude a block is rounded to zeros: its scale would be no normal number.
pub(crate) const MIN_MAGNITUDE: f32 = 1e-30;
/// Adding it to a small number leaves the number, rounded to even, in the low bits.
pub(crate) const ROUND: f32 = 12_582_912.0;

/// Where block `b` of a group lies among its codes, in blocks.
pub(crate) const fn slot(b: usize) -> usize {
    b / 8 * 8 + b % 4 * 2 + b % 8 / 4
}

/// Where quad `k` of block `b`, its values `k`, `8 + k`, `16 + k` and `24 + k`, lies among a
/// group's quads: a 64-byte register holds the same quad of all blocks.
pub(crate) const fn quad_slot(b: usize, k: usize) -> usize {
    GROUP_BLOCKS * k + b
}

/// 16 blocks of one row.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct Group {
    /// Integers in `-127..=127`, block `b` from `32 * slot(b)` on.
    pub(crate) codes: [i8; GROUP_LEN],
    /// The same integers as quads: quad `k` of block `b` from `4 * quad_slot(b, k)` on. Products
    /// with weights in this order need no folding.
    pub(crate) quads: [i8; GROUP_LEN],
    /// By block: a value is its code times this.
    pub(crate) scales: [f32; GROUP_BLOCKS],
    /// By block: the sums of its first and last 16 codes.
    pub(crate) sums: [[i16; 2]; GROUP_BLOCKS],
}

impl Group {
    const ZERO: Self = Self {
        codes: [0; GROUP_LEN],
        quads: [0; GROUP_LEN],
        scales: [0.0; GROUP_BLOCKS],
        sums: [[0; 2]; GROUP_BLOCKS],
    };
}

/// Rows of activations in eight bits.
#[derive(Debug, Default)]
pub(crate) struct Quantized {
    groups: Vec<Group>,
    groups_per_row: usize,
}

impl Quantized {
    /// Makes room for `n_rows` rows of `width` values and hands the rows out to be written.
    pub(crate) fn rows_mut(
        &mut self,
        n_rows: usize,
        width: usize,
    ) -> impl Iterator<Item = &mut [Group]> + Send {
        self.groups_per_row = width.div_ceil(GROUP_LEN);
        let n_groups = n_rows * self.groups_per_row;
        if self.groups.len() < n_groups {
            self.groups.resize(n_groups, Group::ZERO);
        }
        self.groups[..n_groups].chunks_exact_mut(self.groups_per_row)
    }

    /// Row `i`.
    pub(crate) fn row(&self, i: usize) -> &[Group] {
        &self.groups[i * self.groups_per_row..][..self.groups_per_row]
    }
}

per_isa! {
    /// Rounds a row: `scale = max|x| / 127` per block, codes to nearest, ties to even.
    ///
    /// A NaN makes its block's scale NaN. [`crate::dot::quantize_row`] has faster ones.
    fn quantize_row_portably(x: &[f32], groups: &mut [Group]) {
        assert_eq!(groups.len(), x.len().div_ceil(GROUP_LEN));
        for (x, group) in x.chunks(GROUP_LEN).zip(groups) {
            if x.len() < GROUP_LEN {
                *group = Group::ZERO;
            }
            for (b, x) in x.chunks(BLOCK_LEN).enumerate() {
                let codes = group.codes.as_chunks_mut::<BLOCK_LEN>().0;
                let mut block = [0.0_f32; BLOCK_LEN];
                block[..x.len()].copy_from_slice(x);
                // Magnitudes compare as integers, and so NaN is the largest.
                let largest = block.iter().fold(0, |max, v| max.max(v.to_bits() & 0x7fff_ffff));
                let largest = f32::from_bits(largest);
                let (scale, inverse) = if largest < MIN_MAGNITUDE {
                    (0.0, 0.0)
                } else {
                    (largest / 127.0, 127.0 / largest)
                };
                let codes = &mut codes[slot(b)];
                for (code, v) in codes.iter_mut().zip(&block) {
                    *code = (v * inverse + ROUND).to_bits() as i8;
                }
                for k in 0..8 {
                    let quad = std::array::from_fn(|i| codes[8 * i + k]);
                    group.quads.as_chunks_mut::<4>().0[quad_slot(b, k)] = quad;
                }
                group.scales[b] = scale;
                let sum = |half: &[i8]| half.iter().map(|code| i16::from(*code)).sum();
                group.sums[b] = [sum(&codes[..16]), sum(&codes[16..])];
            }
        }
    }
}
