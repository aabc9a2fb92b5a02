//! 64-bit Arm: 16 products of bytes an instruction (`sdot`), or 32 where rows and columns come in
//! pairs and the machine multiplies small matrices (`smmla`).
//!
//! Weights are unpacked by the portable code, which the compiler vectorises. The two instructions
//! have no stable intrinsics, so they are written as assembly. Floats run in the portable loops,
//! whose fused multiplications are instructions here.

#![cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "a kernel's vocabulary is the instruction set")
)]

use std::arch::aarch64::*;
use std::arch::asm;

use super::scalar::{self, Unpacked};
use super::{IntegerFormat, MAX_COLUMNS, PACKED_COLUMNS, RowGroups};
use crate::activation::{GROUP_BLOCKS, Group, slot};

/// `sum` plus the products of four neighbours, in each lane.
#[inline]
#[target_feature(enable = "neon,dotprod")]
#[expect(unsafe_code, reason = "an instruction without an intrinsic")]
fn sdot(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: works on registers alone; the function has the instruction.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// `sum` (2x2) plus `a` (two rows of eight) times `b` (two columns of eight).
#[inline]
#[target_feature(enable = "neon,i8mm")]
#[expect(unsafe_code, reason = "an instruction without an intrinsic")]
fn smmla(mut sum: int32x4_t, a: int8x16_t, b: int8x16_t) -> int32x4_t {
    // SAFETY: works on registers alone; the function has the instruction.
    unsafe {
        asm!(
            "smmla {sum:v}.4s, {a:v}.16b, {b:v}.16b",
            sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_codes(codes: &[i8; 16]) -> int8x16_t {
    // SAFETY: 16 bytes are readable.
    unsafe { vld1q_s8(codes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_floats(values: &[f32; 4]) -> float32x4_t {
    // SAFETY: 16 bytes are readable.
    unsafe { vld1q_f32(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "loads take pointers")]
fn load_pairs(pairs: &[[i16; 2]; 4]) -> int16x8_t {
    // SAFETY: 16 bytes are readable.
    unsafe { vld1q_s16(pairs.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "stores take pointers")]
fn store_floats(values: &mut [f32; 4], value: float32x4_t) {
    // SAFETY: 16 bytes are writable.
    unsafe { vst1q_f32(values.as_mut_ptr(), value) }
}

/// The two halves of block `b` of codes in slots.
#[inline]
#[target_feature(enable = "neon")]
fn block(codes: &[i8], b: usize) -> [int8x16_t; 2] {
    let halves = codes.as_chunks::<16>().0;
    [load_codes(&halves[2 * slot(b)]), load_codes(&halves[2 * slot(b) + 1])]
}

/// Multiplies rows in place with one to [`MAX_COLUMNS`] columns.
#[target_feature(enable = "neon,dotprod")]
pub(super) fn dot_integer(
    format: IntegerFormat,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    use IntegerFormat::{Iq2Xxs, Mxfp4, Q2K, Q4K, Q8_0};
    match format {
        Q8_0 => rows::<_, false>(scalar::unpack_q8_0, weights, row_bytes, columns, out),
        Q2K => rows::<_, true>(scalar::unpack_q2_k, weights, row_bytes, columns, out),
        Q4K => rows::<_, true>(scalar::unpack_q4_k, weights, row_bytes, columns, out),
        Iq2Xxs => rows::<_, false>(scalar::unpack_iq2_xxs, weights, row_bytes, columns, out),
        Mxfp4 => rows::<_, false>(scalar::unpack_mxfp4, weights, row_bytes, columns, out),
    }
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn rows<const BYTES: usize, const MINS: bool>(
    unpack: impl Fn(&[u8; BYTES]) -> Unpacked,
    weights: &[u8],
    row_bytes: usize,
    columns: &[&[Group]],
    out: &mut [f32],
) {
    let n_rows = weights.len() / row_bytes;
    for (r, row) in weights.chunks_exact(row_bytes).enumerate() {
        let mut sums = [[vdupq_n_f32(0.0); 4]; MAX_COLUMNS];
        RowGroups::new().for_each(row, |g, bytes| {
            let weights = unpack(bytes);
            for (sums, column) in sums.iter_mut().zip(columns) {
                *sums = add_group::<MINS>(*sums, &weights, &column[g]);
            }
        });
        for (c, sums) in sums[..columns.len()].iter().enumerate() {
            out[c * n_rows + r] = total(*sums);
        }
    }
}

/// Multiplies rows of unpacked groups with up to [`PACKED_COLUMNS`] columns, in pairs of both if
/// `in_pairs`: then the machine must multiply small matrices.
#[target_feature(enable = "neon,dotprod")]
#[expect(unsafe_code, reason = "compiled for an instruction set")]
pub(super) fn dot_unpacked<'a>(
    mut rows: impl ExactSizeIterator<Item = &'a [Unpacked]>,
    has_mins: bool,
    columns: &[&[Group]],
    in_pairs: bool,
    out: &mut [f32],
) {
    let n_rows = rows.len();
    let mut r = 0;
    while let Some(row) = rows.next() {
        if in_pairs
            && columns.len() >= 2
            && let Some(second) = rows.next()
        {
            // SAFETY: the caller has seen the instruction.
            let totals = unsafe { pair([row, second], has_mins, columns) };
            for (c, totals) in totals[..columns.len()].iter().enumerate() {
                out[c * n_rows + r..][..2].copy_from_slice(totals);
            }
            r += 2;
            continue;
        }
        for (c, column) in columns.iter().enumerate() {
            let mut sums = [vdupq_n_f32(0.0); 4];
            for (weights, activations) in row.iter().zip(*column) {
                sums = if has_mins {
                    add_group::<true>(sums, weights, activations)
                } else {
                    add_group::<false>(sums, weights, activations)
                };
            }
            out[c * n_rows + r] = total(sums);
        }
        r += 1;
    }
}

/// Adds 16 lanes pairwise: halves onto each other until one is left.
#[inline]
#[target_feature(enable = "neon")]
fn total([a, b, c, d]: [float32x4_t; 4]) -> f32 {
    let four = vaddq_f32(vaddq_f32(a, c), vaddq_f32(b, d));
    let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
}

/// Adds one group to the sums of a column.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_group<const MINS: bool>(
    mut sums: [float32x4_t; 4],
    weights: &Unpacked,
    activations: &Group,
) -> [float32x4_t; 4] {
    let products = |b: usize| {
        let ([w_0, w_1], [x_0, x_1]) = (block(&weights.codes, b), block(&activations.codes, b));
        sdot(sdot(vdupq_n_s32(0), w_0, x_0), w_1, x_1)
    };
    for (i, sum) in sums.iter_mut().enumerate() {
        let b = 4 * i;
        let low = vpaddq_s32(products(b), products(b + 1));
        let high = vpaddq_s32(products(b + 2), products(b + 3));
        let integers = vcvtq_f32_s32(vpaddq_s32(low, high));
        let scales = load_floats(&activations.scales.as_chunks::<4>().0[i]);
        let factors = load_floats(&weights.scales.as_chunks::<4>().0[i]);
        *sum = vfmaq_f32(*sum, integers, vmulq_f32(factors, scales));
        if MINS {
            let codes = load_pairs(&activations.sums.as_chunks::<4>().0[i]);
            let mins = load_pairs(&weights.mins.as_chunks::<4>().0[i]);
            let low = vmull_s16(vget_low_s16(codes), vget_low_s16(mins));
            let integers = vcvtq_f32_s32(vpaddq_s32(low, vmull_high_s16(codes, mins)));
            let factors = load_floats(&weights.min_scales.as_chunks::<4>().0[i]);
            *sum = vfmsq_f32(*sum, integers, vmulq_f32(factors, scales));
        }
    }
    sums
}

/// Two rows times pairs of columns, the last column twice if their number is odd: by column, the
/// products of both rows. Sums are a register for each block, with the products of row 0 and both
/// columns, then of row 1.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn pair(
    rows: [&[Unpacked]; 2],
    has_mins: bool,
    columns: &[&[Group]],
) -> [[f32; 2]; PACKED_COLUMNS] {
    let mut out = [[0.0; 2]; PACKED_COLUMNS];
    for (columns, out) in columns.chunks(2).zip(out.chunks_mut(2)) {
        let mut sums = [vdupq_n_f32(0.0); GROUP_BLOCKS];
        for (g, (first, second)) in rows[0].iter().zip(rows[1]).enumerate() {
            let activations = [&columns[0][g], &columns[columns.len() - 1][g]];
            if has_mins {
                add_pairs::<true>(&mut sums, [first, second], activations);
            } else {
                add_pairs::<false>(&mut sums, [first, second], activations);
            }
        }
        let mut n = GROUP_BLOCKS;
        while n > 1 {
            n /= 2;
            for b in 0..n {
                sums[b] = vaddq_f32(sums[b], sums[b + n]);
            }
        }
        let mut totals = [0.0; 4];
        store_floats(&mut totals, sums[0]);
        out[0] = [totals[0], totals[2]];
        out[1] = [totals[1], totals[3]];
    }
    out
}

/// Adds one group of two rows times two columns.
#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn add_pairs<const MINS: bool>(
    sums: &mut [float32x4_t; GROUP_BLOCKS],
    weights: [&Unpacked; 2],
    activations: [&Group; 2],
) {
    let zip = |a, b| {
        let (a, b) = (vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b));
        [vreinterpretq_s8_s64(vzip1q_s64(a, b)), vreinterpretq_s8_s64(vzip2q_s64(a, b))]
    };
    let by_row = |values: [f32; 2]| vcombine_f32(vdup_n_f32(values[0]), vdup_n_f32(values[1]));
    for (b, sum) in sums.iter_mut().enumerate() {
        let ([w_0, w_1], [v_0, v_1]) = (block(&weights[0].codes, b), block(&weights[1].codes, b));
        let [x_0, x_1] = block(&activations[0].codes, b);
        let [y_0, y_1] = block(&activations[1].codes, b);
        let mut integers = vdupq_n_s32(0);
        for (w, x) in [(zip(w_0, v_0), zip(x_0, y_0)), (zip(w_1, v_1), zip(x_1, y_1))] {
            integers = smmla(smmla(integers, w[0], x[0]), w[1], x[1]);
        }
        let scales = activations.map(|x| x.scales[b]);
        let scales = load_floats(&[scales[0], scales[1], scales[0], scales[1]]);
        let factors = by_row([weights[0].scales[b], weights[1].scales[b]]);
        *sum = vfmaq_f32(*sum, vcvtq_f32_s32(integers), vmulq_f32(factors, scales));
        if MINS {
            let integer = |r: usize, c: usize| -> i32 {
                let pairs = weights[r].mins[b].iter().zip(activations[c].sums[b]);
                pairs.map(|(min, sum)| i32::from(*min) * i32::from(sum)).sum()
            };
            let integers = [integer(0, 0), integer(0, 1), integer(1, 0), integer(1, 1)];
            let integers = load_floats(&integers.map(|integer| integer as f32));
            let factors = by_row([weights[0].min_scales[b], weights[1].min_scales[b]]);
            *sum = vfmsq_f32(*sum, integers, vmulq_f32(factors, scales));
        }
    }
}
