//! Rotary position embedding: frequencies and angles, one definition for every rotation.
//!
//! Angles reach 10^6 rad, where the arithmetic decides the result. The model was trained with f32
//! frequencies, the f32 product of position and frequency, and an accurate sine of that product;
//! [`Rotation`] is that and nothing else, so queries, keys and the inverse rotation of the output
//! cancel exactly (specification c.6).

/// Whether a rotation is applied or undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// By `+position`: queries and keys.
    Forward,
    /// By `-position`: the attention output, whose values carry the keys' rotation.
    Inverse,
}

/// Context extension by `YaRN`: high frequencies are kept, low ones divided by `factor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct YarnParams {
    /// Division of the lowest frequencies, 16.
    pub factor: f32,
    /// Context the base was trained with, 65,536.
    pub original_context: u32,
    /// Rotations in the original context above which a frequency is kept, 32.
    pub beta_fast: f32,
    /// Rotations below which it is divided in full, 1.
    pub beta_slow: f32,
}

/// The frequencies of one kind of layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    frequencies: Vec<f32>,
}

impl Rotation {
    /// Frequencies for the last `rope_dim` channels: `base^(-2i / rope_dim)`, extended by `yarn`.
    ///
    /// The magnitude factor that `YaRN` usually brings is not applied: cosine and sine keep
    /// amplitude 1 (specification c.6).
    ///
    /// # Panics
    /// If `rope_dim` is odd.
    pub fn new(rope_dim: usize, base: f32, yarn: Option<YarnParams>) -> Self {
        assert!(rope_dim.is_multiple_of(2), "rotated channels come in pairs");
        let plain = |i: usize| 1.0 / base.powf((2 * i) as f32 / rope_dim as f32);
        let frequencies = match yarn.filter(|y| y.factor > 1.0 && y.original_context > 0) {
            None => (0..rope_dim / 2).map(plain).collect(),
            Some(yarn) => {
                let (low, high) = ramp_bounds(rope_dim, base, yarn);
                (0..rope_dim / 2)
                    .map(|i| {
                        let ramp = ((i as f32 - low) / (high - low)).clamp(0.0, 1.0);
                        plain(i) * (1.0 - ramp) + plain(i) / yarn.factor * ramp
                    })
                    .collect()
            }
        };
        Self { frequencies }
    }

    /// Rotated channels: two per frequency, the last of each head.
    pub fn rope_dim(&self) -> usize {
        2 * self.frequencies.len()
    }

    /// Radians per position of each channel pair.
    pub fn frequencies(&self) -> &[f32] {
        &self.frequencies
    }

    /// Cosine and sine of pair `i` at `position`, before any change of sign for the inverse.
    ///
    /// The angle is an f32 product; its sine is then taken in f64 and rounded once.
    pub fn cos_sin(&self, i: usize, position: usize) -> (f32, f32) {
        let angle = position as f32 * self.frequencies[i];
        let (sin, cos) = f64::from(angle).sin_cos();
        (cos as f32, sin as f32)
    }

    /// Rotates the last `rope_dim` channels of one head in place. Pairs are adjacent channels.
    pub fn rotate(&self, head: &mut [f32], position: usize, direction: Direction) {
        let start = head.len() - self.rope_dim();
        for (i, pair) in head[start..].chunks_exact_mut(2).enumerate() {
            let (cos, sin) = self.cos_sin(i, position);
            let sin = if direction == Direction::Forward { sin } else { -sin };
            let (a, b) = (pair[0], pair[1]);
            pair[0] = a * cos - b * sin;
            pair[1] = a * sin + b * cos;
        }
    }
}

/// Channel pairs between which the frequencies blend from kept to divided.
fn ramp_bounds(rope_dim: usize, base: f32, yarn: YarnParams) -> (f32, f32) {
    let pair_index = |rotations: f32| {
        let wavelengths =
            f64::from(yarn.original_context) / (f64::from(rotations) * std::f64::consts::TAU);
        rope_dim as f64 * wavelengths.ln() / (2.0 * f64::from(base).ln())
    };
    let low = pair_index(yarn.beta_fast).floor().max(0.0);
    let high = pair_index(yarn.beta_slow).ceil().min((rope_dim - 1) as f64);
    // Equal bounds would divide by zero; any positive width makes the same step.
    #[expect(clippy::float_cmp, reason = "both are whole numbers")]
    let high = if low == high { high + 0.001 } else { high };
    (low as f32, high as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLASH_YARN: YarnParams =
        YarnParams { factor: 16.0, original_context: 65_536, beta_fast: 32.0, beta_slow: 1.0 };

    /// Oracle: the check values of specification c.6.
    #[test]
    fn flash_frequencies_match_the_specification() {
        let rotation = Rotation::new(64, 160_000.0, Some(FLASH_YARN));
        let expected = [
            (0, 1.0),
            (8, 0.05),
            (16, 2.265_625e-3),
            (20, 2.969_777_8e-4),
            (24, 1.953_125e-5),
            (25, 5.372_313e-6),
            (31, 5.680_529e-7),
        ];
        for (i, value) in expected {
            let found = rotation.frequencies()[i];
            assert!((found - value).abs() <= value * 1e-6, "pair {i}: {found} is not {value}");
        }
    }

    #[test]
    fn sliding_layers_keep_the_plain_base() {
        let rotation = Rotation::new(64, 10_000.0, None);
        let last = 10_000f64.powf(-62.0 / 64.0) as f32;
        assert!((rotation.frequencies()[31] - last).abs() <= last * 1e-6);
    }

    #[test]
    fn inverse_undoes_forward_and_leaves_the_head_start_alone() {
        let rotation = Rotation::new(64, 160_000.0, Some(FLASH_YARN));
        let original: Vec<f32> = (0..80).map(|i| (i as f32 * 0.37).sin()).collect();
        let mut head = original.clone();
        rotation.rotate(&mut head, 999_999, Direction::Forward);
        assert_eq!(head[..16], original[..16]);
        assert!(head[16..] != original[16..]);
        rotation.rotate(&mut head, 999_999, Direction::Inverse);
        for (a, b) in head.iter().zip(&original) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
