//! How far from the reference a result may be, by op and format, with the reason.
//!
//! f32 carries 2^-24 = 6e-8 of relative rounding error per operation. A sum of n products in any
//! order errs by about sqrt(n) of that, n at the very worst. Limits leave room above what was
//! measured with plain f32 loops, so that any order of additions passes and a wrong formula or a
//! half-precision input does not. `tests/canary.rs` holds both sides: f32 and int8 arithmetic that
//! has to pass, and faults that have to fail. Loosening a limit needs a sentence here.

use gguf::TensorType;

use super::inputs::Activations;
use crate::kv_row::KvLayout;

/// A bound on the difference from the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    /// Equal values (zeros of either sign are equal).
    Exact,
    /// Relative to the RMS of the expected values, or to `unit` if that is larger.
    Near {
        /// Normalised mean squared error.
        nmse: f64,
        /// Largest difference.
        max: f64,
        /// Magnitude that results of the case usually have.
        unit: f32,
    },
    /// At most so many floats apart, each value on its own.
    Ulps(u32),
    /// KV bytes of which a share may be another neighbour of the same unrounded value.
    Codes {
        /// What the bytes are.
        layout: KvLayout,
        /// Bytes that may differ.
        share: f64,
        /// Normalised mean squared error of the unpacked values.
        nmse: f64,
    },
}

/// A limit on the mean square; single values may be six of its roots away, as the largest of some
/// ten thousand normal errors is four.
fn near(nmse: f64, unit: f32) -> Limit {
    Limit::Near { nmse, max: 6.0 * nmse.sqrt(), unit }
}

/// `embed`: a decoded row is one product of two short numbers in these formats, so f32 holds it.
pub(super) const EMBED: Limit = Limit::Exact;

/// Copies, stored bytes of given values, chosen rows: no arithmetic, or arithmetic with one result.
pub(super) const COPY: Limit = Limit::Exact;

/// Sums of products in f32, also through an exponential: an RMS of 1e-5 of the magnitude.
///
/// Measured with one running f32 sum: 2e-13 for products of up to 2048 columns, 6e-13 for experts.
/// Activations rounded to F16 bring 4e-8 and do not pass.
const F32_NMSE: f64 = 1e-10;

/// Products with weights of type `kind`.
///
/// Weights that are floats meet f32 activations: f32 rounding only.
///
/// In front of block formats a backend may round activations to int8 with one scale per 32 values
/// (formats of 32-blocks) or per 256 (formats of 256-blocks). With the largest magnitude m of a
/// group of n the step is m / 127 and the mean squared error (m / 127)^2 / 12, while the group's
/// power is at least m^2 / n: the share is at most n / (12 * 127^2), 1.7e-4 and 1.3e-3. For normal
/// activations m is 2.1 and 2.8 RMS: 2.4e-5 and 4.2e-5. Measured over the case table: up to 5.6e-5
/// for normal activations, as outputs are few and scatter, and 1.8e-4 and 1.3e-3 for spiked ones.
/// The limits are thrice that; one scale for a whole row does not pass the spiked cases.
pub(super) fn product(kind: TensorType, activations: Activations, unit: f32) -> Limit {
    match (activations, kind.block_len()) {
        (Activations::Zero, _) => Limit::Exact,
        (_, 1) => near(F32_NMSE, unit),
        (Activations::Spiked, 32) => near(5e-4, unit),
        (Activations::Spiked, _) => near(4e-3, unit),
        _ => near(2e-4, unit),
    }
}

/// Experts: two rounded products in a row and a product of two results in between.
///
/// Float formats: f32 rounding, through an exponential. Block formats: gate and up each bring a
/// share as in [`product`], and hidden values are products, whose groups have larger peaks (5 and
/// 8 RMS of 32 and 256): 1.3e-4 and 3.3e-4 more, together 2e-4 and 4.2e-4. Measured: up to 1.9e-4
/// with blocks of 32 and 4.9e-4 with blocks of 256. The limit is thrice that.
pub(super) fn experts(kinds: [TensorType; 3], activations: Activations) -> Limit {
    match (activations, kinds.iter().all(|kind| kind.block_len() == 1)) {
        (Activations::Zero, _) => Limit::Exact,
        (_, true) => near(F32_NMSE, 0.0),
        _ => near(1.5e-3, 0.0),
    }
}

/// Norms: every value is the input times one number per row, whose sum of squares has no
/// cancellation. One running f32 sum of 4096 squares was up to 21 floats off in 200 tries.
pub(super) const NORM: Limit = Limit::Ulps(64);

/// Rotations: two products and a sum with table values; angles are not part of the error because
/// they have one definition. A position or frequency that is off by one part in 10^6 fails at
/// large positions.
pub(super) fn rotation(unit: f32) -> Limit {
    near(1e-13, unit)
}

/// Hyper-connection gates and streams: a long f32 product, exponentials of its result, and 40
/// normalisations that do not amplify errors. Gates are of order one.
pub(super) fn hyper_connection(unit: f32) -> Limit {
    near(F32_NMSE, unit)
}

/// Router weights: as hyper-connection gates. They add up to the scale.
pub(super) const ROUTER: Limit = Limit::Near { nmse: F32_NMSE, max: 6e-5, unit: 0.0 };

/// Attention: sums of at most some thousand rows, weights through an exponential.
///
/// An exponential turns the absolute error of a score into a relative one of its weight. Scores of
/// order 10 are good to 1e-5. Scores of order 300 are good to 1e-4, hence the second limit.
///
/// `halves`: a backend may say that it rounds queries and weights to F16 in front of matrix units. Each
/// rounding is off by at most 2^-12, 2^-13 in the mean: 2e-8 of the power, twice. A score of order s
/// errs by s / 2^13 then, and its weight by that share, so with scores of order 10 results are good to
/// 1e-3 of their magnitude. A wrong row, weight or rotation is off by more than a tenth.
pub(super) fn attention(large_scores: bool, halves: bool) -> Limit {
    let nmse = match (large_scores, halves) {
        (false, false) => F32_NMSE,
        (true, false) => 1e-8,
        (false, true) => 1e-6,
        (true, true) => 1e-4,
    };
    near(nmse, 0.0)
}

/// Pooled rows kept in f32: a softmax, a weighted mean, a norm and a rotation.
pub(super) fn pooled() -> Limit {
    near(1e-11, 0.0)
}

/// Pooled rows after rounding.
///
/// The unrounded values differ by 1e-6 of themselves, so a code flips where the value is that near
/// to a midpoint: one F16 value in 500, one FP8 value in 10,000, one FP4 value in 100,000. A flip
/// moves a value by one part in 2,000, 16 or 4: a few flips among the 64 values of the smallest
/// case stay below these means.
pub(super) fn rounded(layout: KvLayout) -> Limit {
    let nmse = match layout.kind {
        crate::kv_row::KvKind::Attention { .. } => 2e-4,
        crate::kv_row::KvKind::Index => 4e-3,
    };
    Limit::Codes { layout, share: 0.01, nmse }
}
