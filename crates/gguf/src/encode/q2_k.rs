//! `Q2_K`: the search of [`affine`], packed.

use crate::blocks::q2_k::{BYTES, D_OFFSET, DMIN_OFFSET, GROUP_LEN, LEN, Q_OFFSET, SCALES_OFFSET};

use super::affine::{self, Shape};

const SHAPE: Shape = Shape { group_len: GROUP_LEN, max_code: 3.0, max_scale: 15.0 };

pub(super) fn encode(weights: &[f32; LEN], importance: &[f32; LEN]) -> Option<[u8; BYTES]> {
    let fit = affine::search(weights, importance, &SHAPE)?;
    let mut block = [0; BYTES];
    block[D_OFFSET..DMIN_OFFSET].copy_from_slice(&fit.d);
    block[DMIN_OFFSET..].copy_from_slice(&fit.dmin);
    for (g, (scale, min)) in fit.groups.iter().enumerate() {
        block[SCALES_OFFSET + g] = scale | min << 4;
        let shift = 2 * (g % 8 / 2);
        let q = &mut block[Q_OFFSET + 32 * (g / 8) + 16 * (g % 2)..][..GROUP_LEN];
        for (q, code) in q.iter_mut().zip(&fit.codes[g * GROUP_LEN..]) {
            *q |= code << shift;
        }
    }
    Some(block)
}
