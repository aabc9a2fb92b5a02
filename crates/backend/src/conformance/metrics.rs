//! How far two results are apart.

/// Distance of `found` from `expected`, both relative to a magnitude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distance {
    /// Mean squared difference over the squared magnitude.
    pub(super) nmse: f64,
    /// Largest absolute difference over the magnitude.
    pub(super) max: f64,
}

/// The distance relative to the RMS of `expected`, or to `unit` if that is larger.
///
/// `unit` is the magnitude a result of this case usually has. Without it, a single output that is
/// small by cancellation would count rounding errors as large.
pub(super) fn distance(expected: &[f32], found: &[f32], unit: f32) -> Distance {
    assert_eq!(expected.len(), found.len());
    let n = expected.len() as f64;
    let (mut power, mut error, mut max) = (0.0, 0.0, 0.0);
    for (e, f) in expected.iter().zip(found) {
        if e.to_bits() == f.to_bits() {
            power += f64::from(*e).powi(2);
            continue;
        }
        let difference = f64::from(*f) - f64::from(*e);
        power += f64::from(*e).powi(2);
        error += difference.powi(2);
        // `f64::max` would drop a NaN, which must count as the worst result there is.
        max = if difference.is_nan() { f64::INFINITY } else { difference.abs().max(max) };
    }
    if error == 0.0 {
        return Distance { nmse: 0.0, max: 0.0 };
    }
    let magnitude = (power / n).sqrt().max(f64::from(unit));
    let nmse = error / n / magnitude.powi(2);
    Distance { nmse: if nmse.is_nan() { f64::INFINITY } else { nmse }, max: max / magnitude }
}

/// Floats between `a` and `b`, counted; NaN is infinitely far from everything but NaN.
pub(super) fn ulps(a: f32, b: f32) -> u32 {
    // Floats in the order of their values: negative ones descend in their bits.
    let rank = |x: f32| {
        let magnitude = i64::from(x.to_bits() & 0x7fff_ffff);
        if x.is_sign_negative() { -magnitude } else { magnitude }
    };
    match (a.is_nan(), b.is_nan()) {
        (true, true) => 0,
        (false, false) => u32::try_from((rank(a) - rank(b)).abs()).unwrap_or(u32::MAX),
        _ => u32::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulps_count_floats() {
        assert_eq!(ulps(1.0, 1.0 + f32::EPSILON), 1);
        assert_eq!(ulps(0.0, -0.0), 0);
        assert_eq!(ulps(f32::from_bits(1), -f32::from_bits(1)), 2);
        assert_eq!(ulps(f32::NAN, 1.0), u32::MAX);
    }

    #[test]
    fn distance_is_relative_and_refuses_nan() {
        let near = distance(&[3.0, 4.0], &[3.0, 4.0 + 5e-3], 0.0);
        assert!((near.nmse - 1e-6).abs() < 1e-9, "{near:?}");
        assert!(distance(&[0.0], &[1e-30], 0.0).nmse.is_infinite());
        assert!(distance(&[1.0, 1.0], &[f32::NAN, 1.0], 0.0).nmse.is_infinite());
        assert!(distance(&[1.0, 1.0], &[f32::NAN, 1.0], 0.0).max.is_infinite());
        let small = distance(&[1e-3], &[2e-3], 1.0);
        assert!((small.max - 1e-3).abs() < 1e-9, "{small:?}");
    }
}
