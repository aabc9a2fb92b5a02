//! The reference's formulas against an outside numpy model (oracle: `testdata/ops`).
//!
//! The model computes in f64 and the reference stores f32, so results agree to a few parts in 10^7
//! of their magnitude. A rounding to FP8 or FP4 could still fall on the other side; for the stored
//! inputs none does.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::HashMap;

use backend::reference::{Matrix, Reference, Weight};
use backend::{
    AttendParams, Attended, Backend, CompressParams, Compressed, CompressorState, Direction,
    ExpertWeights, HcParams, HcWeights, IndexParams, KvLayout, KvRounding, Rotation, RouterChoice,
    RouterParams, Run, YarnParams, kv_row,
};
use gguf::{Tensor, TensorType};

const HEAD_DIM: usize = 80;
const ROPE_DIM: usize = 16;
const INDEX_DIM: usize = 32;
const YARN: YarnParams =
    YarnParams { factor: 16.0, original_context: 65_536, beta_fast: 32.0, beta_slow: 1.0 };

/// The arrays of `ops.npz`.
struct Vectors(HashMap<String, (Vec<usize>, Vec<f32>)>);

impl Vectors {
    fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/ops/ops.npz");
        let mut archive = npyz::npz::NpzArchive::open(path).unwrap();
        let names: Vec<String> = archive.array_names().map(str::to_owned).collect();
        let arrays = names.into_iter().map(|name| {
            let array = archive.by_name(&name).unwrap().unwrap();
            let shape = array.shape().iter().map(|n| *n as usize).collect();
            (name, (shape, array.into_vec::<f32>().unwrap()))
        });
        Self(arrays.collect())
    }

    fn get(&self, name: &str) -> &[f32] {
        &self.0.get(name).unwrap_or_else(|| panic!("ops.npz has no {name}")).1
    }

    fn shape(&self, name: &str) -> &[usize] {
        &self.0[name].0
    }

    /// An array as activations: its first axis counts rows.
    fn matrix(&self, name: &str) -> Matrix {
        matrix(self.shape(name)[0], self.get(name))
    }

    /// An array as an f32 weight; numpy's last axis is the contiguous dimension 0.
    fn weight(&self, name: &str) -> Weight {
        let dims: Vec<u64> = self.shape(name).iter().rev().map(|n| *n as u64).collect();
        let bytes: Vec<u8> = self.get(name).iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensor = Tensor::new(name, &dims, TensorType::F32, bytes).unwrap();
        Reference.bind(&tensor).unwrap()
    }

    /// An array of whole numbers.
    fn integers(&self, name: &str) -> Vec<i32> {
        self.get(name).iter().map(|v| *v as i32).collect()
    }
}

fn matrix(n_rows: usize, values: &[f32]) -> Matrix {
    let mut x = Reference.zeros(n_rows, values.len() / n_rows).unwrap();
    Reference.write(&mut x, 0, values);
    x
}

fn zeros(n_rows: usize, width: usize) -> Matrix {
    Reference.zeros(n_rows, width).unwrap()
}

fn values(x: &Matrix) -> Vec<f32> {
    (0..x.n_rows()).flat_map(|t| x.row(t).to_vec()).collect()
}

fn one_run(n_rows: usize, first_position: usize) -> Run {
    Run { first_row: 0, n_rows, first_position }
}

/// Every value within `limit` of the largest expected magnitude.
#[track_caller]
fn check(found: &[f32], expected: &[f32], limit: f32) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |max, v| v.abs().max(max));
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= limit * largest, "value {i} is {f}, the oracle has {e}");
    }
}

#[test]
fn roundings() {
    let vectors = Vectors::load();
    let x = vectors.get("rounding.x");
    let fp8 = KvLayout::attention(192, 0, KvRounding::Applied);
    let mut found = Vec::new();
    for row in x.chunks_exact(192) {
        let mut bytes = vec![0; fp8.row_bytes()];
        let mut row = row.to_vec();
        fp8.pack(&row.clone(), &mut bytes);
        fp8.unpack(&bytes, &mut row);
        found.extend(row);
    }
    check(&found, vectors.get("rounding.expected_fp8"), 0.0);

    // Packing an index row transforms first; its own inverse in front leaves the FP4 step alone,
    // but for f32 errors, which the tied groups would show. They are left to the code tables.
    let fp4 = KvLayout::index(32, KvRounding::Applied);
    let groups = x.chunks_exact(32).zip(vectors.get("rounding.expected_fp4").chunks_exact(32));
    for (i, (group, expected)) in groups.enumerate() {
        if (6..18).contains(&i) {
            continue;
        }
        let mut group = group.to_vec();
        kv_row::hadamard(&mut group);
        kv_row::round_index_query(&fp4, &mut group);
        check(&group, expected, 0.0);
    }
}

#[test]
fn hadamard() {
    let vectors = Vectors::load();
    for n in [32, 128] {
        let mut x = vectors.get(&format!("hadamard.x{n}")).to_vec();
        x.chunks_exact_mut(n).for_each(kv_row::hadamard);
        check(&x, vectors.get(&format!("hadamard.expected{n}")), 1e-6);
    }
}

#[test]
fn rotations() {
    let vectors = Vectors::load();
    let positions = vectors.integers("rope.positions");
    let runs: Vec<Run> = positions
        .iter()
        .enumerate()
        .map(|(row, p)| Run { first_row: row, n_rows: 1, first_position: *p as usize })
        .collect();
    for (name, rotation) in [
        ("plain", Rotation::new(64, 10_000.0, None)),
        ("extended", Rotation::new(64, 160_000.0, Some(YARN))),
    ] {
        let expected = vectors.get(&format!("rope.expected_{name}"));
        for (found, expected) in rotation.frequencies().iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-6 * expected, "{found} is not {expected}");
        }
        for (direction, way) in [(Direction::Forward, "forward"), (Direction::Inverse, "inverse")] {
            let mut x = vectors.matrix("rope.x");
            Reference.rope_tail(&mut x, HEAD_DIM, &rotation, direction, &runs);
            let expected = vectors.get(&format!("rope.expected_{way}_{name}"));
            for (t, expected) in expected.chunks_exact(2 * HEAD_DIM).enumerate() {
                // Frequency and product are rounded to f32: 2e-7 rad for each position.
                check(x.row(t), expected, 5e-7 + 2e-7 * positions[t] as f32);
            }
        }
    }
}

#[test]
fn norm() {
    let vectors = Vectors::load();
    let x = vectors.matrix("norm.x");
    let mut out = zeros(x.n_rows(), x.width());
    Reference.rms_norm(&mut out, &x, &vectors.weight("norm.gain"), 1e-6);
    check(&values(&out), vectors.get("norm.expected"), 2e-7);
}

#[test]
fn hyper_connections() {
    let vectors = Vectors::load();
    let params = HcParams { n_streams: 4, n_iterations: 20, eps: 1e-6, norm_eps: 1e-6 };
    let weights = |part: &str| {
        ["function", "base", "scale"].map(|name| vectors.weight(&format!("hc.{part}_{name}")))
    };
    let mut streams = vectors.matrix("hc.streams");
    let y = vectors.matrix("hc.y");
    let mut mixed = zeros(y.n_rows(), y.width());
    let mut gates = zeros(y.n_rows(), params.gates_width());

    let [function, base, scale] = &weights("mix");
    let mix = HcWeights { function, base, scale };
    Reference.hc_mix(&mut mixed, &mut gates, &streams, &mix, &params);
    check(&values(&mixed), vectors.get("hc.expected_mixed"), 5e-7);
    check(&values(&gates), vectors.get("hc.expected_gates"), 5e-7);

    let [function, base, scale] = &weights("head");
    let head = HcWeights { function, base, scale };
    Reference.hc_head(&mut mixed, &streams, &head, &params);
    check(&values(&mixed), vectors.get("hc.expected_head"), 5e-7);

    Reference.hc_expand(&mut streams, &y, &gates, &params);
    check(&values(&streams), vectors.get("hc.expected_streams"), 5e-7);
}

/// Rows that `compress` makes of a case, unpacked.
fn compressed_rows(vectors: &Vectors, case: &str, ratio: usize, layout: KvLayout) -> Vec<f32> {
    let x = vectors.matrix(&format!("{case}.x"));
    let (n, width) = (x.n_rows(), x.width() / 2);
    let mut halves = [zeros(n, width), zeros(n, width)];
    for t in 0..n {
        for (half, values) in halves.iter_mut().zip(x.row(t).chunks_exact(width)) {
            Reference.write(half, t, values);
        }
    }
    let [values, scores] = &halves;
    let overlap = ratio == 4;
    let n_slots = if overlap { 2 * ratio } else { ratio };
    let mut state =
        CompressorState { values: zeros(n_slots, width), scores: zeros(n_slots, width) };
    let mut rows = Reference.kv_rows(layout, n / ratio).unwrap();
    Reference.compress(
        &mut rows,
        &mut state,
        values,
        scores,
        &vectors.weight(&format!("{case}.ape")),
        &vectors.weight(&format!("{case}.gain")),
        &Rotation::new(ROPE_DIM, 160_000.0, Some(YARN)),
        &CompressParams { ratio, overlap, norm_eps: 1e-6, n_stored_rows: 0 },
        one_run(n, 0),
    );
    let mut bytes = vec![0; n / ratio * layout.row_bytes()];
    Reference.read_kv_rows(&rows, 0..n / ratio, &mut bytes).unwrap();
    let mut row = vec![0.0; layout.width];
    let unpacked = bytes.chunks_exact(layout.row_bytes()).flat_map(|bytes| {
        layout.unpack(bytes, &mut row);
        row.clone()
    });
    unpacked.collect()
}

#[test]
fn compressors() {
    let vectors = Vectors::load();
    // A value that falls between two F16 values may take the other one: 2^-11 of itself.
    for (rounding, suffix, limit) in
        [(KvRounding::Off, "off", 2e-6), (KvRounding::Applied, "on", 5e-4)]
    {
        let attention = KvLayout::attention(HEAD_DIM, ROPE_DIM, rounding);
        let index = KvLayout::index(INDEX_DIM, rounding);
        for (case, ratio, layout) in [
            ("compress_attention4", 4, attention),
            ("compress_index4", 4, index),
            ("compress_attention16", 16, attention),
        ] {
            let found = compressed_rows(&vectors, case, ratio, layout);
            check(&found, vectors.get(&format!("{case}.expected_{suffix}")), limit);
        }
    }
}

/// A selection of the rows that `mask` names for one token, made with keys that score 1 or 0.
fn selection_of(mask: &[f32], ratio: usize) -> <Reference as Backend>::Selection {
    let layout = KvLayout::index(INDEX_DIM, KvRounding::Off);
    let n_rows = mask.len();
    let mut keys = Reference.kv_rows(layout, n_rows).unwrap();
    for (w, chosen) in mask.iter().enumerate() {
        let mut key = vec![0; layout.row_bytes()];
        key[..4].copy_from_slice(&chosen.to_le_bytes());
        Reference.write_kv_rows(&mut keys, w, &key);
    }
    let mut query = vec![0.0; INDEX_DIM];
    query[0] = 1.0;
    let n_chosen = mask.iter().filter(|chosen| **chosen > 0.0).count();
    let params = IndexParams { n_heads: 1, ratio, top_k: n_chosen };
    let mut selection = Reference.selection(1, n_chosen).unwrap();
    let (query, weight) = (matrix(1, &query), matrix(1, &[1.0]));
    let run = one_run(1, n_rows * ratio - 1);
    Reference.index_select(&mut selection, &query, &weight, &keys, &params, run);
    selection
}

#[test]
fn index_selections() {
    let vectors = Vectors::load();
    let first_position = vectors.integers("index.first_position")[0] as usize;
    let n_rows = vectors.shape("index.keys")[0];
    for (rounding, suffix) in [(KvRounding::Off, "off"), (KvRounding::Applied, "on")] {
        let layout = KvLayout::index(INDEX_DIM, rounding);
        let mut queries = vectors.matrix("index.queries");
        let run = one_run(queries.n_rows(), first_position);
        let rotation = Rotation::new(ROPE_DIM, 160_000.0, Some(YARN));
        Reference.rope_tail(&mut queries, INDEX_DIM, &rotation, Direction::Forward, &[run]);
        let mut keys = Reference.kv_rows(layout, n_rows).unwrap();
        for (w, key) in vectors.get("index.keys").chunks_exact(INDEX_DIM).enumerate() {
            let mut bytes = vec![0; layout.row_bytes()];
            layout.pack(key, &mut bytes);
            Reference.write_kv_rows(&mut keys, w, &bytes);
        }
        let params = IndexParams { n_heads: 2, ratio: 4, top_k: 3 };
        let mut selection = Reference.selection(run.n_rows, 3).unwrap();
        let head_weights = vectors.matrix("index.head_weights");
        Reference.index_select(&mut selection, &queries, &head_weights, &keys, &params, run);
        let chosen = |t, w| f32::from(u8::from(selection.rows(t).contains(&w)));
        let found: Vec<f32> =
            (0..run.n_rows).flat_map(|t| (0..n_rows).map(move |w| chosen(t, w))).collect();
        check(&found, vectors.get(&format!("index.expected_{suffix}")), 0.0);
    }
}

/// KV rows of an array, unrounded.
fn unrounded_rows(values: &[f32]) -> <Reference as Backend>::KvRows {
    let layout = KvLayout::attention(HEAD_DIM, ROPE_DIM, KvRounding::Off);
    let mut rows = Reference.kv_rows(layout, values.len() / HEAD_DIM).unwrap();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Reference.write_kv_rows(&mut rows, 0, &bytes);
    rows
}

/// Attention token by token, then the inverse rotation.
fn check_attention(name: &str, ratio: Option<usize>, rotation: &Rotation) {
    let vectors = Vectors::load();
    let array = |part: &str| format!("attend_{name}.{part}");
    let queries = vectors.matrix(&array("queries"));
    let n = queries.n_rows();
    let window = unrounded_rows(vectors.get(&array("window")));
    let rows = ratio.map(|_| unrounded_rows(vectors.get(&array("rows"))));
    let chosen = (ratio == Some(4)).then(|| vectors.matrix(&array("chosen")));
    let sinks = vectors.weight(&array("sinks"));
    let params = AttendParams { n_heads: 2, window: 8 };
    let mut out = zeros(n, queries.width());
    for t in 0..n {
        let selection = chosen.as_ref().and_then(|mask| {
            let mask = mask.row(t);
            mask.contains(&1.0).then(|| selection_of(mask, 4))
        });
        let compressed = rows.as_ref().map(|rows| Compressed {
            rows,
            ratio: ratio.unwrap(),
            selection: selection.as_ref(),
        });
        let attended = Attended { window: &window, compressed, sinks: &sinks };
        let (mut one, mut query) = (zeros(1, queries.width()), zeros(1, queries.width()));
        Reference.copy_rows(&mut query, &queries, t..t + 1);
        Reference.attend(&mut one, &query, &attended, &params, one_run(1, t));
        Reference.write(&mut out, t, one.row(0));
    }
    Reference.rope_tail(&mut out, HEAD_DIM, rotation, Direction::Inverse, &[one_run(n, 0)]);
    check(&values(&out), vectors.get(&array("expected_heads")), 2e-6);
}

#[test]
fn attention_of_sliding_layers() {
    check_attention("sliding", None, &Rotation::new(ROPE_DIM, 10_000.0, None));
}

#[test]
fn attention_over_all_visible_rows() {
    check_attention("visible", Some(5), &Rotation::new(ROPE_DIM, 160_000.0, Some(YARN)));
}

#[test]
fn attention_over_selected_rows() {
    check_attention("selected", Some(4), &Rotation::new(ROPE_DIM, 160_000.0, Some(YARN)));
}

#[test]
fn mixture_of_experts() {
    let vectors = Vectors::load();
    let x = vectors.matrix("moe.x");
    let table: Vec<u8> =
        vectors.integers("moe.table").iter().flat_map(|id| id.to_le_bytes()).collect();
    let table = Tensor::new("table", &[2, 11], TensorType::I32, table).unwrap();
    let table = Reference.bind(&table).unwrap();
    let tokens: Vec<u32> = vectors.integers("moe.tokens").iter().map(|id| *id as u32).collect();
    let (router, bias) = (vectors.weight("moe.router"), vectors.weight("moe.bias"));
    let [gate, up, down] = ["w1", "w3", "w2"].map(|w| vectors.weight(&format!("moe.{w}")));
    let experts = ExpertWeights { gate: &gate, up: &up, down: &down };
    let [gate, up, down] = ["w1", "w3", "w2"].map(|w| vectors.weight(&format!("moe.shared_{w}")));
    let shared = ExpertWeights { gate: &gate, up: &up, down: &down };
    for (name, choice) in [
        ("hashed", RouterChoice::Hashed { table: &table, tokens: &tokens }),
        ("learned", RouterChoice::Learned { bias: Some(&bias) }),
    ] {
        let mut routing = Reference.routing(x.n_rows(), 2).unwrap();
        let params = RouterParams { n_experts_per_token: 2, scale: 1.5 };
        Reference.route(&mut routing, &x, &router, &choice, &params);
        let mut out = zeros(x.n_rows(), x.width());
        Reference.routed_experts(&mut out, &x, &routing, &experts, 10.0);
        Reference.shared_expert(&mut out, &x, &shared, 10.0);
        check(&values(&out), vectors.get(&format!("moe.expected_{name}")), 1e-6);
    }
}
