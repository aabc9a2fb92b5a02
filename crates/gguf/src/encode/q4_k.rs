//! `Q4_K`: the search of [`affine`], packed.

use crate::blocks::q4_k::{
    BYTES, D_OFFSET, DMIN_OFFSET, GROUP_LEN, LEN, Q_OFFSET, SCALES_BYTES, SCALES_OFFSET,
};

use super::affine::{self, Shape};

const N_GROUPS: usize = LEN / GROUP_LEN;
const SHAPE: Shape = Shape { group_len: GROUP_LEN, max_code: 15.0, max_scale: 63.0 };

pub(super) fn encode(weights: &[f32; LEN], importance: &[f32; LEN]) -> Option<[u8; BYTES]> {
    let fit = affine::search(weights, importance, &SHAPE)?;
    let mut block = [0; BYTES];
    block[D_OFFSET..DMIN_OFFSET].copy_from_slice(&fit.d);
    block[DMIN_OFFSET..SCALES_OFFSET].copy_from_slice(&fit.dmin);
    let (s, q) = block[SCALES_OFFSET..].split_at_mut(SCALES_BYTES);
    debug_assert_eq!(SCALES_OFFSET + SCALES_BYTES, Q_OFFSET);
    for (g, &(scale, min)) in fit.groups.iter().enumerate().take(N_GROUPS) {
        if g < 4 {
            s[g] |= scale;
            s[g + 4] |= min;
        } else {
            s[g + 4] |= scale & 15 | min << 4;
            s[g - 4] |= scale >> 4 << 6;
            s[g] |= min >> 4 << 6;
        }
        let shift = 4 * (g % 2);
        for (q, code) in q[32 * (g / 2)..].iter_mut().zip(&fit.codes[g * GROUP_LEN..][..GROUP_LEN])
        {
            *q |= code << shift;
        }
    }
    Some(block)
}
