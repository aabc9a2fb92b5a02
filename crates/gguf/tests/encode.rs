//! Encoders on whatever a file may hold. No oracle: what must hold for all weights.

use gguf::{Error, TensorType};
use proptest::prelude::*;

const KINDS: [TensorType; 5] =
    [TensorType::Q8_0, TensorType::Q2K, TensorType::Q4K, TensorType::Iq2Xxs, TensorType::Mxfp4];

/// Weights from the smallest to the largest numbers, alike within a row or not, and a few that are
/// no weights.
fn weights() -> impl Strategy<Value = Vec<f32>> {
    let magnitude = prop_oneof![
        8 => Just(0.02_f32),
        2 => (-44.0_f32..38.0).prop_map(|exponent| 10.0_f32.powf(exponent)),
        1 => Just(0.0),
    ];
    let weight = prop_oneof![200 => -1.0_f32..1.0, 2 => Just(0.0), 1 => any::<f32>()];
    let row = proptest::collection::vec(weight, 256);
    (magnitude, row, any::<bool>()).prop_map(|(magnitude, row, is_clean)| {
        let value = |x: f32| if is_clean && !x.is_finite() { 1.0 } else { x };
        row.into_iter().map(|x| value(x) * magnitude).collect()
    })
}

fn importance() -> impl Strategy<Value = Option<Vec<f32>>> {
    let value = prop_oneof![8 => 0.0_f32..1.0, 1 => 0.0_f32..1e9, 1 => any::<f32>()];
    proptest::option::of(proptest::collection::vec(value, 256))
}

proptest! {
    #[test]
    fn any_weights_are_encoded_or_refused(weights in weights(), importance in importance()) {
        for kind in KINDS {
            let mut bytes = Vec::new();
            match kind.encode_weighted(&weights, importance.as_deref(), &mut bytes) {
                Ok(()) => prop_assert_eq!(bytes.len(), kind.row_bytes(256)),
                Err(Error::WeightRange { kind: found, weight }) => {
                    prop_assert_eq!(found, kind);
                    // The scales are F16, so this is far from what any of them can hold.
                    prop_assert!(!weight.is_finite() || weight.abs() > 60_000.0, "{}", weight);
                    continue;
                }
                Err(other) => panic!("{other}"),
            }
            let mut decoded = vec![f32::NAN; 256];
            kind.decode_row(&bytes, &mut decoded);
            if kind == TensorType::Q8_0 {
                continue;
            }
            prop_assert!(decoded.iter().all(|weight| weight.is_finite()), "{}: {:?}", kind, decoded);
        }
    }

    /// Zeros for everything are always possible, so no encoder is allowed to be worse.
    #[test]
    fn an_encoder_is_better_than_none(weights in weights(), importance in importance()) {
        let importance = importance.map(|row| row.iter().map(|x| x.abs().clamp(0.01, 100.0)).collect::<Vec<_>>());
        for kind in KINDS {
            let mut bytes = Vec::new();
            if kind.encode_weighted(&weights, importance.as_deref(), &mut bytes).is_err() {
                continue;
            }
            let mut decoded = vec![0.0; 256];
            kind.decode_row(&bytes, &mut decoded);
            let (mut error, mut total) = (0.0, 0.0);
            for (i, (decoded, weight)) in decoded.iter().zip(&weights).enumerate() {
                let importance = importance.as_ref().map_or(1.0, |row| f64::from(row[i]));
                error += importance * (f64::from(*decoded) - f64::from(*weight)).powi(2);
                total += importance * f64::from(*weight).powi(2);
            }
            if total.is_finite() && weights.iter().all(|weight| weight.abs() < 60_000.0) {
                prop_assert!(error <= total * 1.001, "{}: {} of {}", kind, error, total);
            }
        }
    }
}

#[test]
fn importance_lowers_the_error_where_it_counts() {
    let weights: Vec<f32> = (0..256).map(|i| ((i * i) as f32 * 0.7).sin() * 0.02).collect();
    let importance: Vec<f32> = (0..256).map(|i| if i % 7 == 0 { 50.0 } else { 0.5 }).collect();
    for kind in [TensorType::Q2K, TensorType::Q4K, TensorType::Iq2Xxs] {
        let error = |given: Option<&[f32]>| -> f32 {
            let mut bytes = Vec::new();
            kind.encode_weighted(&weights, given, &mut bytes).expect("encodable");
            let mut decoded = vec![0.0; 256];
            kind.decode_row(&bytes, &mut decoded);
            let squares = decoded.iter().zip(&weights).map(|(a, b)| (a - b) * (a - b));
            squares.zip(&importance).map(|(square, importance)| square * importance).sum()
        };
        let (with, without) = (error(Some(&importance)), error(None));
        assert!(with < 0.8 * without, "{kind}: {with} with importance, {without} without");
    }
}
