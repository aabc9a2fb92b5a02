//! Encoders against ggml's own (oracle: `testdata/oracle/quant`): on the same weights, with and
//! without importance, our error is at most 2 % larger than theirs in what an encoder minimises.

use std::fs;
use std::path::{Path, PathBuf};

use gguf::TensorType;

const ROWS: usize = 8;
const COLUMNS: usize = 2048;

/// How much larger an error may be.
const SLACK: f64 = 1.02;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/oracle/quant").join(name)
}

/// `SplitMix64`, as in the script that made the oracle.
struct Bits(u64);

impl Bits {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).fold(0.0, |total, _| total + self.uniform()) - 6.0
    }
}

fn weights(case: &str) -> Vec<f32> {
    if case == "real" {
        let bytes = fs::read(fixture("real.f16")).expect("the fixture is part of the repository");
        let mut weights = vec![0.0; bytes.len() / 2];
        TensorType::F16.decode_row(&bytes, &mut weights);
        return weights;
    }
    let is_heavy = case == "heavy";
    let mut bits = Bits(if is_heavy { 2 } else { 1 });
    let mut weight = || {
        let value = bits.normal() * 0.02;
        if is_heavy { value * bits.normal() } else { value }
    };
    (0..ROWS * COLUMNS).map(|_| weight() as f32).collect()
}

fn importance() -> Vec<f32> {
    let mut bits = Bits(3);
    (0..COLUMNS).map(|_| ((bits.normal() * bits.normal()).powi(2) + 0.01) as f32).collect()
}

fn kind(name: &str) -> TensorType {
    TensorType::KNOWN.into_iter().find(|kind| kind.name() == name).expect("a known type")
}

/// `(plain, weighted)` root mean square error relative to that of the weights.
fn errors(kind: TensorType, weights: &[f32], given: bool) -> (f64, f64) {
    let importance = importance();
    let mut bytes = Vec::new();
    kind.encode_weighted(weights, given.then_some(&importance), &mut bytes).expect("encodable");
    let mut decoded = vec![0.0; weights.len()];
    kind.decode_row(&bytes, &mut decoded);
    let relative = |importance: &dyn Fn(usize) -> f64| {
        let (mut error, mut total) = (0.0, 0.0);
        for (i, (&decoded, &weight)) in decoded.iter().zip(weights).enumerate() {
            let importance = importance(i % COLUMNS);
            error += importance * (f64::from(decoded) - f64::from(weight)).powi(2);
            total += importance * f64::from(weight).powi(2);
        }
        (error / total).sqrt()
    };
    (relative(&|_| 1.0), relative(&|column| f64::from(importance[column])))
}

/// Compares one line of the oracle with our encoder.
fn check(line: &str) {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [case, name, given, plain, weighted] = fields[..] else { panic!("five fields: {line}") };
    let given = given == "given";
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let (their_plain, their_weighted) = (number(plain), number(weighted));
    let (plain, weighted) = errors(kind(name), &weights(case), given);
    let (ours, theirs) = if given { (weighted, their_weighted) } else { (plain, their_plain) };
    assert!(ours <= theirs * SLACK, "{line}: our error is {ours:.6}, theirs {theirs:.6}");
}

#[test]
fn errors_are_at_most_two_percent_above_ggmls() {
    let oracle = fs::read_to_string(fixture("errors.txt")).expect("part of the repository");
    let lines: Vec<&str> = oracle.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 30, "three kinds of weights, five types, with and without importance");
    for line in lines {
        check(line);
    }
}
