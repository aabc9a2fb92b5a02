//! Encoders against ggml's own (oracle: `testdata/oracle/quant`): on the same weights, with and
//! without importance, our error is at most 2 % larger than theirs in what an encoder minimises. The
//! table of errors in `FORMATS.md` is compared with what is measured here.

use std::fs;
use std::path::{Path, PathBuf};

use gguf::TensorType;

const ROWS: usize = 8;
const COLUMNS: usize = 2048;

/// Sets of weights, described where the oracle is.
const CASES: [&str; 4] = ["normal", "heavy", "trained", "outliers"];

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
    if ["trained", "outliers"].contains(&case) {
        let bytes = fs::read(fixture(&format!("{case}.f16"))).expect("part of the repository");
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

/// One line of the oracle: an error by ggml's encoder, in what it minimised.
struct Line {
    case: String,
    kind: TensorType,
    is_weighted: bool,
    theirs: f64,
}

impl Line {
    fn parse(line: &str) -> Self {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [case, name, given, plain, weighted] = fields[..] else {
            panic!("five fields: {line}")
        };
        let is_weighted = given == "given";
        let theirs = if is_weighted { weighted } else { plain };
        let theirs = theirs.parse().expect("a number");
        Self { case: case.to_owned(), kind: kind(name), is_weighted, theirs }
    }

    fn ours(&self) -> f64 {
        let (plain, weighted) = errors(self.kind, &weights(&self.case), self.is_weighted);
        if self.is_weighted { weighted } else { plain }
    }
}

fn oracle() -> Vec<Line> {
    let oracle = fs::read_to_string(fixture("errors.txt")).expect("part of the repository");
    let lines = oracle.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<Line> = lines.map(Line::parse).collect();
    assert_eq!(lines.len(), CASES.len() * 5 * 2, "five types, with and without importance");
    lines
}

#[test]
fn errors_are_at_most_two_percent_above_ggmls() {
    for line in oracle() {
        let ours = line.ours();
        let Line { case, kind, is_weighted, theirs } = line;
        assert!(
            ours <= theirs * SLACK,
            "{case} {kind}, weighted: {is_weighted}: our error is {ours:.6}, theirs {theirs:.6}"
        );
    }
}

/// The rows of the table in `FORMATS.md`, without and with importance.
fn table() -> String {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for line in oracle() {
        let importance = if line.is_weighted { "given" } else { "none" };
        let head = format!("| {} | {importance} |", line.kind);
        let cell = format!(" {:.2} ({:.2}) |", 100.0 * line.ours(), 100.0 * line.theirs);
        match rows.iter_mut().find(|(found, _)| *found == head) {
            Some((_, cells)) => cells.push(cell),
            None => rows.push((head, vec![cell])),
        }
    }
    let rows = rows.into_iter().map(|(head, cells)| head + &cells.concat() + "\n");
    let head = format!("| type | importance | {} |\n", CASES.join(" | "));
    head + "|---|---|---:|---:|---:|---:|\n" + &rows.collect::<String>()
}

#[test]
fn the_table_in_formats_is_what_is_measured() {
    const BEGIN: &str = "<!-- quantisation-errors:begin -->\n";
    const END: &str = "<!-- quantisation-errors:end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../FORMATS.md");
    let document = fs::read_to_string(path).expect("part of the repository");
    let (_, rest) = document.split_once(BEGIN).expect("the table's first marker");
    let (found, _) = rest.split_once(END).expect("the table's last marker");
    let expected = table();
    assert_eq!(found, expected, "the table of FORMATS.md should be:\n{expected}");
}

#[test]
fn released_fp4_is_kept_exactly() {
    const MAGNITUDES: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let mut bits = Bits(4);
    // Some blocks use only the small codes, as blocks of a checkpoint may.
    let weights: Vec<f32> = (0..4096)
        .map(|i| {
            let n_codes = 1 + i / 32 % 8;
            let magnitude = MAGNITUDES[(bits.uniform() * n_codes as f64) as usize];
            let sign = if bits.uniform() < 0.5 { -1.0 } else { 1.0 };
            sign * magnitude * (((i / 32) as f32 % 20.0) - 12.0).exp2()
        })
        .collect();
    let mut bytes = Vec::new();
    TensorType::Mxfp4.encode_row(&weights, &mut bytes).expect("encodable");
    let mut decoded = vec![0.0; weights.len()];
    TensorType::Mxfp4.decode_row(&bytes, &mut decoded);
    assert_eq!(decoded, weights);
}
