//! The definition of every dot product, in portable loops.

use gguf::blocks::small_floats::e8m0_to_f32;
use gguf::blocks::{f16, iq2_xxs, mxfp4, q2_k, q4_k, q8_0};

use super::{FloatFormat, IntegerFormat, RowGroups};
use crate::activation::{BLOCK_LEN, GROUP_BLOCKS, GROUP_LEN, Group, slot};
use crate::vector::{LANES, sum_lanes};

/// A group of weights as integers and scales.
#[derive(Debug, Clone)]
pub(super) struct Unpacked {
    /// In slots, as [`Group::codes`].
    pub(super) codes: [i8; GROUP_LEN],
    pub(super) scales: [f32; GROUP_BLOCKS],
    pub(super) min_scales: [f32; GROUP_BLOCKS],
    pub(super) mins: [[i16; 2]; GROUP_BLOCKS],
}

impl Unpacked {
    const ZERO: Self = Self {
        codes: [0; GROUP_LEN],
        scales: [0.0; GROUP_BLOCKS],
        min_scales: [0.0; GROUP_BLOCKS],
        mins: [[0; 2]; GROUP_BLOCKS],
    };

    #[inline]
    fn block_mut(&mut self, b: usize) -> &mut [i8; BLOCK_LEN] {
        &mut self.codes.as_chunks_mut::<BLOCK_LEN>().0[slot(b)]
    }
}

/// E2M1 values, doubled.
const E2M1_DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

fn f16_at(bytes: &[u8], offset: usize) -> f32 {
    f16::f16_to_f32([bytes[offset], bytes[offset + 1]])
}

#[inline]
pub(super) fn unpack_q8_0(bytes: &[u8; IntegerFormat::Q8_0.group_bytes()]) -> Unpacked {
    let mut group = Unpacked::ZERO;
    for (b, block) in bytes.as_chunks::<{ q8_0::BYTES }>().0.iter().enumerate() {
        group.scales[b] = f16_at(block, q8_0::D_OFFSET);
        for (code, q) in group.block_mut(b).iter_mut().zip(&block[q8_0::Q_OFFSET..]) {
            *code = *q as i8;
        }
    }
    group
}

/// A weight's integer is its 2-bit value times the 4-bit scale of its 16 neighbours.
#[inline]
pub(super) fn unpack_q2_k(bytes: &[u8; IntegerFormat::Q2K.group_bytes()]) -> Unpacked {
    let mut group = Unpacked::ZERO;
    for (s, block) in bytes.as_chunks::<{ q2_k::BYTES }>().0.iter().enumerate() {
        let (d, dmin) = (f16_at(block, q2_k::D_OFFSET), f16_at(block, q2_k::DMIN_OFFSET));
        for b in 0..8 {
            let [low, high] = [block[2 * b], block[2 * b + 1]];
            let q = &block[q2_k::Q_OFFSET + b / 4 * 32..][..32];
            for (i, code) in group.block_mut(8 * s + b).iter_mut().enumerate() {
                let scale = if i < 16 { low } else { high } & 15;
                *code = ((q[i] >> (2 * (b % 4)) & 3) * scale) as i8;
            }
            group.scales[8 * s + b] = d;
            group.min_scales[8 * s + b] = dmin;
            group.mins[8 * s + b] = [i16::from(low >> 4), i16::from(high >> 4)];
        }
    }
    group
}

#[inline]
pub(super) fn unpack_q4_k(bytes: &[u8; IntegerFormat::Q4K.group_bytes()]) -> Unpacked {
    let mut group = Unpacked::ZERO;
    for (s, block) in bytes.as_chunks::<{ q4_k::BYTES }>().0.iter().enumerate() {
        let (d, dmin) = (f16_at(block, q4_k::D_OFFSET), f16_at(block, q4_k::DMIN_OFFSET));
        let packed = block[q4_k::SCALES_OFFSET..].first_chunk().expect("a block has scales");
        for b in 0..8 {
            let (scale, min) = q4_k::scale_min(packed, b);
            let q = &block[q4_k::Q_OFFSET + b / 2 * 32..][..32];
            for (code, q) in group.block_mut(8 * s + b).iter_mut().zip(q) {
                *code = (q >> (4 * (b % 2)) & 15) as i8;
            }
            group.scales[8 * s + b] = d * f32::from(scale);
            group.min_scales[8 * s + b] = dmin;
            group.mins[8 * s + b] = [i16::from(min); 2];
        }
    }
    group
}

#[inline]
pub(super) fn unpack_iq2_xxs(bytes: &[u8; IntegerFormat::Iq2Xxs.group_bytes()]) -> Unpacked {
    let mut group = Unpacked::ZERO;
    for (s, block) in bytes.as_chunks::<{ iq2_xxs::BYTES }>().0.iter().enumerate() {
        let d = f16_at(block, iq2_xxs::D_OFFSET);
        for (b, words) in block[iq2_xxs::WORDS_OFFSET..].as_chunks::<8>().0.iter().enumerate() {
            let word = u32::from_le_bytes([words[4], words[5], words[6], words[7]]);
            let codes = group.block_mut(8 * s + b).as_chunks_mut::<8>().0;
            for (k, codes) in codes.iter_mut().enumerate() {
                let point = iq2_xxs::GRID[usize::from(words[k])];
                let signs = iq2_xxs::signs((word >> (7 * k) & 127) as u8);
                for (j, code) in codes.iter_mut().enumerate() {
                    let magnitude = point[j] as i8;
                    *code = if signs >> j & 1 == 1 { -magnitude } else { magnitude };
                }
            }
            group.scales[8 * s + b] = d * 0.25 * ((word >> 28) as f32 + 0.5);
        }
    }
    group
}

/// A weight's integer is twice its value, its scale half of the block's.
#[inline]
pub(super) fn unpack_mxfp4(bytes: &[u8; IntegerFormat::Mxfp4.group_bytes()]) -> Unpacked {
    let mut group = Unpacked::ZERO;
    for (b, block) in bytes.as_chunks::<{ mxfp4::BYTES }>().0.iter().enumerate() {
        group.scales[b] = e8m0_to_f32(block[mxfp4::E_OFFSET]) * 0.5;
        let (low, high) = group.block_mut(b).split_at_mut(BLOCK_LEN / 2);
        for ((low, high), q) in low.iter_mut().zip(high).zip(&block[mxfp4::Q_OFFSET..]) {
            *low = E2M1_DOUBLED[usize::from(q & 15)];
            *high = E2M1_DOUBLED[usize::from(q >> 4)];
        }
    }
    group
}

pub(super) fn dot_integer(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    use IntegerFormat::{Iq2Xxs, Mxfp4, Q2K, Q4K, Q8_0};
    match format {
        Q8_0 => rows(unpack_q8_0, false, weights, row_bytes, columns, out),
        Q2K => rows(unpack_q2_k, true, weights, row_bytes, columns, out),
        Q4K => rows(unpack_q4_k, true, weights, row_bytes, columns, out),
        Iq2Xxs => rows(unpack_iq2_xxs, false, weights, row_bytes, columns, out),
        Mxfp4 => rows(unpack_mxfp4, false, weights, row_bytes, columns, out),
    }
}

fn rows<const BYTES: usize>(
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    has_mins: bool,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let n_rows = weights.len() / row_bytes;
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        let mut sums = [[0.0_f32; GROUP_BLOCKS]; super::MAX_COLUMNS];
        RowGroups::new().for_each(row, |g, bytes| {
            let weights = unpack(bytes);
            for (sums, column) in sums.iter_mut().zip(columns) {
                add_group(sums, &weights, &column[g], has_mins);
            }
        });
        for (c, sums) in sums[..columns.len()].iter().enumerate() {
            out[c * n_rows + r] = sum_lanes(*sums);
        }
    }
}

/// Unpacks whole rows, one after the other.
#[inline]
pub(super) fn unpack_rows(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    out: &mut Vec<Unpacked>,
) {
    use IntegerFormat::{Iq2Xxs, Mxfp4, Q2K, Q4K, Q8_0};
    match format {
        Q8_0 => unpack_each(unpack_q8_0, weights, row_bytes, out),
        Q2K => unpack_each(unpack_q2_k, weights, row_bytes, out),
        Q4K => unpack_each(unpack_q4_k, weights, row_bytes, out),
        Iq2Xxs => unpack_each(unpack_iq2_xxs, weights, row_bytes, out),
        Mxfp4 => unpack_each(unpack_mxfp4, weights, row_bytes, out),
    }
}

#[inline]
fn unpack_each<const BYTES: usize>(
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    weights: &[u8],
    row_bytes: usize,
    out: &mut Vec<Unpacked>,
) {
    out.clear();
    for row in weights.chunks_exact(row_bytes) {
        RowGroups::new().for_each(row, |_, bytes| out.push(unpack(bytes)));
    }
}

/// Multiplies rows of unpacked groups with some columns.
pub(super) fn dot_unpacked<'a>(
    rows: impl ExactSizeIterator<Item = &'a [Unpacked]>,
    has_mins: bool,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let n_rows = rows.len();
    for (r, row) in rows.enumerate() {
        for (c, column) in columns.iter().enumerate() {
            let mut sums = [0.0_f32; GROUP_BLOCKS];
            for (weights, activations) in row.iter().zip(*column) {
                add_group(&mut sums, weights, activations, has_mins);
            }
            out[c * n_rows + r] = sum_lanes(sums);
        }
    }
}

fn add_group(
    sums: &mut [f32; GROUP_BLOCKS],
    weights: &Unpacked,
    activations: &Group,
    has_mins: bool,
) {
    for (b, sum) in sums.iter_mut().enumerate() {
        let first = slot(b) * BLOCK_LEN;
        let codes = weights.codes[first..].iter().zip(&activations.codes[first..]);
        let products = codes.map(|(w, x)| i32::from(*w) * i32::from(*x));
        let integer: i32 = products.take(BLOCK_LEN).sum();
        let scale = activations.scales[b];
        *sum = (integer as f32).mul_add(weights.scales[b] * scale, *sum);
        if has_mins {
            let pairs = weights.mins[b].iter().zip(activations.sums[b]);
            let integer: i32 = pairs.map(|(min, sum)| i32::from(*min) * i32::from(sum)).sum();
            *sum = (-(integer as f32)).mul_add(weights.min_scales[b] * scale, *sum);
        }
    }
}

pub(super) fn dot_float(
    format: FloatFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[f32]],
    out: &mut [f32],
) {
    match format {
        FloatFormat::F32 => float_rows(f32::from_le_bytes, weights, row_bytes, columns, out),
        FloatFormat::F16 => float_rows(f16::f16_to_f32, weights, row_bytes, columns, out),
        FloatFormat::Bf16 => float_rows(f16::bf16_to_f32, weights, row_bytes, columns, out),
    }
}

fn float_rows<const BYTES: usize>(
    decode: impl Fn([u8; BYTES]) -> f32,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[f32]],
    out: &mut [f32],
) {
    let n_rows = weights.len() / row_bytes;
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        let mut sums = [[0.0_f32; LANES]; super::MAX_COLUMNS];
        let row = row.as_chunks::<BYTES>().0;
        for (i, chunk) in row.chunks(LANES).enumerate() {
            let mut weights = [0.0; LANES];
            for (weight, bytes) in weights.iter_mut().zip(chunk) {
                *weight = decode(*bytes);
            }
            for (sums, column) in sums.iter_mut().zip(columns) {
                let mut values = [0.0; LANES];
                let column = &column[i * LANES..][..chunk.len()];
                values[..chunk.len()].copy_from_slice(column);
                for ((sum, weight), value) in sums.iter_mut().zip(&weights).zip(&values) {
                    *sum = weight.mul_add(*value, *sum);
                }
            }
        }
        for (c, sums) in sums[..columns.len()].iter().enumerate() {
            out[c * n_rows + r] = sum_lanes(*sums);
        }
    }
}
