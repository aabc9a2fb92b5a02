//! KV rows as bytes: what is remembered of a token, exactly.
//!
//! Two kinds of row exist. An *attention* row is K and V at once: `head_dim - rope_dim` channels
//! rounded to FP8 in groups of 64 and `rope_dim` rotated channels in F16. An *index* row is the
//! lightning indexer's key: a Hadamard transform rounded to FP4 in groups of 32. Both roundings
//! are part of the trained model (specification e.3), so packing loses nothing that the model
//! would have kept.
//!
//! | row | bytes, in order |
//! |---|---|
//! | attention | E4M3 codes `[head_dim - rope_dim]`, E8M0 scales `[(head_dim - rope_dim) / 64]`, F16 little endian `[rope_dim]` |
//! | index | E2M1 codes `[dim / 2]` (low nibble first), E8M0 scales `[dim / 32]` |
//! | either, rounding off | f32 little endian `[width]` |
//!
//! Flash: 583 and 68 bytes. Every backend writes these bytes when asked for rows, so a row made
//! on one device is readable on another.
//!
//! Refuses: where rows live, rings, positions.

use half::f16;

/// Channels that share one FP8 scale.
pub const FP8_GROUP: usize = 64;
/// Channels that share one FP4 scale.
pub const FP4_GROUP: usize = 32;
/// Largest finite E4M3 magnitude.
const FP8_MAX: f32 = 448.0;
/// Largest E2M1 magnitude.
const FP4_MAX: f32 = 6.0;
/// Floor of a group's largest magnitude before its FP8 scale is formed.
const FP8_AMAX_FLOOR: f32 = 1e-4;
/// The same for FP4: the scale stays a normal float.
const FP4_AMAX_FLOOR: f32 = 6.0 * f32::MIN_POSITIVE;
/// Magnitudes of the E2M1 codes 0 to 7.
pub const FP4_MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];

/// Whether the model's value roundings are applied when rows are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvRounding {
    /// FP8, FP4, Hadamard and F16 as specified: the model.
    Applied,
    /// Rows are kept in f32 and index queries are not transformed. A diagnostic, to compare with
    /// implementations that know no rounding.
    Off,
}

/// Which of the two rows this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KvKind {
    /// K = V row of `width` channels, the last `rope_dim` rotated.
    Attention {
        /// Rotated channels at the end of the row.
        rope_dim: usize,
    },
    /// Key of the lightning indexer.
    Index,
}

/// Kind, width and rounding of a set of KV rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvLayout {
    /// Attention or index.
    pub kind: KvKind,
    /// Channels of a row.
    pub width: usize,
    /// Packed, or f32 for diagnosis.
    pub rounding: KvRounding,
}

impl KvLayout {
    /// Layout of attention rows.
    ///
    /// # Panics
    /// If the channels that are not rotated do not divide into FP8 groups.
    pub fn attention(head_dim: usize, rope_dim: usize, rounding: KvRounding) -> Self {
        assert!((head_dim - rope_dim).is_multiple_of(FP8_GROUP), "FP8 groups are whole");
        Self { kind: KvKind::Attention { rope_dim }, width: head_dim, rounding }
    }

    /// Layout of index rows.
    ///
    /// # Panics
    /// If `dim` is not a power of two or smaller than an FP4 group.
    pub fn index(dim: usize, rounding: KvRounding) -> Self {
        assert!(dim.is_power_of_two() && dim >= FP4_GROUP, "Hadamard and FP4 groups fit the key");
        Self { kind: KvKind::Index, width: dim, rounding }
    }

    /// Bytes of one stored row.
    pub fn row_bytes(&self) -> usize {
        match (self.rounding, self.kind) {
            (KvRounding::Off, _) => 4 * self.width,
            (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
                let n_codes = self.width - rope_dim;
                n_codes + n_codes / FP8_GROUP + 2 * rope_dim
            }
            (KvRounding::Applied, KvKind::Index) => self.width / 2 + self.width / FP4_GROUP,
        }
    }

    /// Rounds `row` (`[width]`, rotated already) and writes its bytes.
    ///
    /// # Panics
    /// If `row` or `bytes` have other lengths than the layout says.
    pub fn pack(&self, row: &[f32], bytes: &mut [u8]) {
        assert_eq!((row.len(), bytes.len()), (self.width, self.row_bytes()));
        match (self.rounding, self.kind) {
            (KvRounding::Off, _) => {
                for (value, out) in row.iter().zip(bytes.chunks_exact_mut(4)) {
                    out.copy_from_slice(&value.to_le_bytes());
                }
            }
            (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
                pack_attention(row, rope_dim, bytes);
            }
            (KvRounding::Applied, KvKind::Index) => pack_index(row, bytes),
        }
    }

    /// Reads a stored row back into `row` (`[width]`).
    ///
    /// # Panics
    /// If `row` or `bytes` have other lengths than the layout says.
    pub fn unpack(&self, bytes: &[u8], row: &mut [f32]) {
        assert_eq!((row.len(), bytes.len()), (self.width, self.row_bytes()));
        match (self.rounding, self.kind) {
            (KvRounding::Off, _) => {
                for (value, four) in row.iter_mut().zip(bytes.chunks_exact(4)) {
                    *value = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                }
            }
            (KvRounding::Applied, KvKind::Attention { rope_dim }) => {
                unpack_attention(bytes, rope_dim, row);
            }
            (KvRounding::Applied, KvKind::Index) => unpack_index(bytes, row),
        }
    }
}

fn pack_attention(row: &[f32], rope_dim: usize, bytes: &mut [u8]) {
    let n_codes = row.len() - rope_dim;
    let (codes, rest) = bytes.split_at_mut(n_codes);
    let (scales, rotary) = rest.split_at_mut(n_codes / FP8_GROUP);
    for ((group, codes), scale) in
        row[..n_codes].chunks_exact(FP8_GROUP).zip(codes.chunks_exact_mut(FP8_GROUP)).zip(scales)
    {
        let exponent = scale_exponent(largest(group).max(FP8_AMAX_FLOOR) / FP8_MAX);
        *scale = (exponent + 127) as u8;
        for (value, code) in group.iter().zip(codes) {
            *code = e4m3_code(scale_by_power(*value, -exponent));
        }
    }
    for (value, out) in row[n_codes..].iter().zip(rotary.chunks_exact_mut(2)) {
        out.copy_from_slice(&f16::from_f32(*value).to_le_bytes());
    }
}

fn unpack_attention(bytes: &[u8], rope_dim: usize, row: &mut [f32]) {
    let n_codes = row.len() - rope_dim;
    let (codes, rest) = bytes.split_at(n_codes);
    let (scales, rotary) = rest.split_at(n_codes / FP8_GROUP);
    for (i, value) in row[..n_codes].iter_mut().enumerate() {
        let exponent = i32::from(scales[i / FP8_GROUP]) - 127;
        *value = scale_by_power(e4m3_value(codes[i]), exponent);
    }
    for (value, two) in row[n_codes..].iter_mut().zip(rotary.chunks_exact(2)) {
        *value = f16::from_le_bytes([two[0], two[1]]).to_f32();
    }
}

fn pack_index(row: &[f32], bytes: &mut [u8]) {
    /// Channels that need no memory from elsewhere; the published model has 128.
    const NEAR: usize = 256;
    let (mut near, mut far) = ([0.0; NEAR], Vec::new());
    let transformed = if row.len() <= NEAR {
        &mut near[..row.len()]
    } else {
        far.resize(row.len(), 0.0);
        &mut far[..]
    };
    transformed.copy_from_slice(row);
    hadamard(transformed);
    let (codes, scales) = bytes.split_at_mut(row.len() / 2);
    for ((group, codes), scale) in
        transformed.chunks_exact(FP4_GROUP).zip(codes.chunks_exact_mut(FP4_GROUP / 2)).zip(scales)
    {
        let exponent = scale_exponent(largest(group).max(FP4_AMAX_FLOOR) / FP4_MAX);
        *scale = (exponent + 127) as u8;
        for (pair, code) in group.chunks_exact(2).zip(codes) {
            let low = e2m1_code(scale_by_power(pair[0], -exponent));
            let high = e2m1_code(scale_by_power(pair[1], -exponent));
            *code = low | high << 4;
        }
    }
}

fn unpack_index(bytes: &[u8], row: &mut [f32]) {
    let (codes, scales) = bytes.split_at(row.len() / 2);
    for (i, value) in row.iter_mut().enumerate() {
        let exponent = i32::from(scales[i / FP4_GROUP]) - 127;
        let code = codes[i / 2] >> (4 * (i % 2)) & 15;
        *value = scale_by_power(e2m1_value(code), exponent);
    }
}

/// What packing and unpacking an index row does to `query`: Hadamard, then FP4.
///
/// Index queries pass the same transform and rounding as the keys they meet.
pub fn round_index_query(layout: &KvLayout, query: &mut [f32]) {
    if layout.rounding == KvRounding::Applied {
        let mut bytes = vec![0; layout.row_bytes()];
        layout.pack(query, &mut bytes);
        layout.unpack(&bytes, query);
    }
}

/// Orthonormal Walsh-Hadamard transform in natural (Sylvester) order, in place.
///
/// # Panics
/// If the length is not a power of two.
pub fn hadamard(x: &mut [f32]) {
    assert!(x.len().is_power_of_two());
    let mut stride = 1;
    while stride < x.len() {
        for block in x.chunks_exact_mut(2 * stride) {
            let (low, high) = block.split_at_mut(stride);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        stride *= 2;
    }
    let scale = 1.0 / (x.len() as f32).sqrt();
    for value in x {
        *value *= scale;
    }
}

fn largest(group: &[f32]) -> f32 {
    group.iter().fold(0.0, |max, v| v.abs().max(max))
}

/// `ceil(log2(x))` for a positive normal `x`, from its bits: `log2f` may err at powers of two.
pub fn scale_exponent(x: f32) -> i32 {
    let bits = x.to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    (exponent + i32::from(bits & 0x7f_ffff != 0)).clamp(-127, 127)
}

/// `x * 2^exponent` without an intermediate that overflows: exponents reach 127 either way.
fn scale_by_power(x: f32, exponent: i32) -> f32 {
    (f64::from(x) * 2f64.powi(exponent)) as f32
}

/// Code of the E4M3 value nearest to `x`, ties to even, saturating at 448; NaN stays NaN.
pub fn e4m3_code(x: f32) -> u8 {
    let sign = (x.to_bits() >> 24) as u8 & 0x80;
    if x.is_nan() {
        return sign | 0x7f;
    }
    let magnitude = x.abs().min(FP8_MAX);
    if magnitude < 2f32.powi(-6) {
        // Subnormal: multiples of 2^-9, and the code of the first normal is 8 * 2^-9 as well.
        return sign | (magnitude * 512.0).round_ties_even() as u8;
    }
    let bits = magnitude.to_bits();
    let rounded = bits + 0x7_ffff + (bits >> 20 & 1);
    sign | ((rounded >> 20) - ((127 - 7) << 3)) as u8
}

/// Value of an E4M3 code; `0x7f` and `0xff` are NaN.
pub fn e4m3_value(code: u8) -> f32 {
    gguf::blocks::small_floats::e4m3_to_f32(code)
}

/// Code of the E2M1 value nearest to `x`, ties to the even code, saturating at 6.
pub fn e2m1_code(x: f32) -> u8 {
    let sign = (x.to_bits() >> 28) as u8 & 8;
    // Midpoints between neighbours; at a midpoint the even code wins.
    let code = match x.abs() {
        m if m <= 0.25 => 0,
        m if m < 0.75 => 1,
        m if m <= 1.25 => 2,
        m if m < 1.75 => 3,
        m if m <= 2.5 => 4,
        m if m < 3.5 => 5,
        m if m <= 5.0 => 6,
        _ => 7,
    };
    sign | code
}

/// Value of an E2M1 code (the low four bits of `code`).
pub fn e2m1_value(code: u8) -> f32 {
    let magnitude = FP4_MAGNITUDES[usize::from(code & 7)];
    if code & 8 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Code of the value nearest to `x` by search: the definition, where [`e4m3_code`] and
    /// [`e2m1_code`] are arithmetic. Of two values as near, the even code's.
    fn nearest(x: f32, n_codes: u8, value: fn(u8) -> f32) -> u8 {
        let far = |code: u8| (f64::from(value(code)) - f64::from(x.abs())).abs();
        (0..n_codes)
            .min_by(|a, b| far(*a).total_cmp(&far(*b)).then((a % 2).cmp(&(b % 2))))
            .expect("there are codes")
    }

    fn check_e4m3(x: f32) {
        let sign = if x.is_sign_negative() { 0x80 } else { 0 };
        assert_eq!(e4m3_code(x), sign | nearest(x, 0x7f, e4m3_value), "{x:e}");
    }

    fn check_e2m1(x: f32) {
        let sign = if x.is_sign_negative() { 8 } else { 0 };
        assert_eq!(e2m1_code(x), sign | nearest(x, 8, e2m1_value), "{x:e}");
    }

    #[test]
    fn every_code_is_its_own_nearest() {
        for code in (0..=255).filter(|code| code & 0x7f != 0x7f) {
            assert_eq!(e4m3_code(e4m3_value(code)), code);
        }
        for code in 0..16 {
            assert_eq!(e2m1_code(e2m1_value(code)), code);
        }
        assert!(e4m3_value(0x7f).is_nan() && e4m3_value(0xff).is_nan());
        assert!(e4m3_value(e4m3_code(f32::NAN)).is_nan());
    }

    /// Midpoints are exact in f32, so ties are met, and so are their neighbours on both sides.
    #[test]
    fn midpoints_go_to_the_even_code() {
        let around = |low: f32, high: f32| {
            let middle = f32::midpoint(low, high);
            [middle.next_down(), middle, middle.next_up()].into_iter().flat_map(|x| [x, -x])
        };
        for code in 0..0x7e {
            around(e4m3_value(code), e4m3_value(code + 1)).for_each(check_e4m3);
        }
        for code in 0..7 {
            around(e2m1_value(code), e2m1_value(code + 1)).for_each(check_e2m1);
        }
    }

    #[test]
    fn large_values_saturate() {
        for x in [448.0, 449.0, 464.0, 480.0, 1e30, f32::INFINITY] {
            assert_eq!((e4m3_code(x), e4m3_code(-x)), (0x7e, 0xfe), "{x}");
        }
        for x in [6.0, 7.0, 1e30, f32::INFINITY] {
            assert_eq!((e2m1_code(x), e2m1_code(-x)), (7, 15), "{x}");
        }
    }

    #[test]
    fn scale_exponents_at_powers_of_two() {
        for exponent in -126..=126 {
            let power = 2f32.powi(exponent);
            assert_eq!(scale_exponent(power), exponent);
            assert_eq!(scale_exponent(power.next_up()), exponent + 1);
            if exponent > -126 {
                assert_eq!(scale_exponent(power.next_down()), exponent);
            }
        }
    }

    /// The row sizes that the module head states.
    #[test]
    fn flash_rows_have_the_stated_sizes() {
        let attention = KvLayout::attention(512, 64, KvRounding::Applied);
        let index = KvLayout::index(128, KvRounding::Applied);
        assert_eq!((attention.row_bytes(), index.row_bytes()), (583, 68));
    }

    /// Oracle: Sylvester's recursion written as signs, `(-1)^(ones in i & j)`.
    #[test]
    fn hadamard_of_unit_vectors_is_the_sign_matrix() {
        for n in [1usize, 2, 32, 128] {
            for i in 0..n {
                let mut x = vec![0.0; n];
                x[i] = 1.0;
                hadamard(&mut x);
                for (j, value) in x.iter().enumerate() {
                    let sign = if (i & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
                    assert_eq!(value.to_bits(), (sign / (n as f32).sqrt()).to_bits());
                }
            }
        }
    }

    fn round_trip(layout: &KvLayout, row: &[f32]) -> Vec<f32> {
        let mut bytes = vec![0; layout.row_bytes()];
        let mut out = vec![0.0; layout.width];
        layout.pack(row, &mut bytes);
        layout.unpack(&bytes, &mut out);
        out
    }

    fn rows(width: usize) -> impl Strategy<Value = Vec<f32>> {
        // F16 holds up to 65,504; the wide range makes most of a group fall to zero.
        prop::collection::vec((-30.0f32..15.0, any::<bool>()), width).prop_map(|row| {
            row.into_iter()
                .map(|(e, negative)| if negative { -e.exp2() } else { e.exp2() })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn e4m3_is_the_nearest_value(x in -500.0f32..500.0, small in -0.02f32..0.02) {
            check_e4m3(x);
            check_e4m3(small);
        }

        #[test]
        fn e2m1_is_the_nearest_value(x in -8.0f32..8.0) {
            check_e2m1(x);
        }

        #[test]
        fn a_stored_attention_row_stores_to_itself(row in rows(208)) {
            let layout = KvLayout::attention(208, 16, KvRounding::Applied);
            let once = round_trip(&layout, &row);
            prop_assert_eq!(&round_trip(&layout, &once), &once);
        }

        #[test]
        fn rounding_errs_by_half_a_step(row in rows(80)) {
            let layout = KvLayout::attention(80, 16, KvRounding::Applied);
            let found = round_trip(&layout, &row);
            let largest = largest(&row[..64]).max(FP8_AMAX_FLOOR);
            for (i, (found, value)) in found.iter().zip(&row).enumerate() {
                // Relative 2^-4 for FP8 and 2^-11 for F16; absolute below the normal range.
                let (relative, absolute) = if i < 64 {
                    (2f32.powi(-4), 2f32.powi(-10) * 2.0 * largest / FP8_MAX)
                } else {
                    (2f32.powi(-11), 2f32.powi(-25))
                };
                prop_assert!((found - value).abs() <= (relative * value.abs()).max(absolute));
            }
        }

        #[test]
        fn hadamard_undoes_itself(row in rows(128)) {
            let mut twice = row.clone();
            hadamard(&mut twice);
            hadamard(&mut twice);
            let limit = 1e-6 * 128f32.sqrt() * largest(&row);
            for (found, value) in twice.iter().zip(&row) {
                prop_assert!((found - value).abs() <= limit);
            }
        }

        /// The codes of an index row survive; the transform in front is undone first.
        #[test]
        fn a_stored_index_row_stores_to_itself(codes in prop::collection::vec(0u8..16, 64)) {
            let layout = KvLayout::index(64, KvRounding::Applied);
            // With a six in each group the scale is one and every value is on the grid. Two
            // transforms of small whole numbers of halves are exact but for the factor 1/8.
            let mut row: Vec<f32> = codes.iter().map(|code| e2m1_value(*code)).collect();
            (row[0], row[32]) = (6.0, -6.0);
            let stored = row.clone();
            hadamard(&mut row);
            prop_assert_eq!(round_trip(&layout, &row), stored);
        }

        #[test]
        fn rows_without_rounding_come_back(row in rows(80)) {
            let layout = KvLayout::attention(80, 16, KvRounding::Off);
            prop_assert_eq!(round_trip(&layout, &row), row);
        }
    }
}
