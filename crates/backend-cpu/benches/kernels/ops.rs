//! Ops with one thread and the published dimensions.

use backend::{
    AttendParams, Attended, Backend, Compressed, HcParams, HcWeights, IndexParams, KvLayout,
    KvRounding, Run,
};
use criterion::{Criterion, Throughput};
use gguf::TensorType;

use crate::clock::Clock;
use crate::inputs::{self, normals, tensor};

const HEAD_DIM: usize = 512;
const N_HEADS: usize = 64;
const WINDOW: usize = 128;
const TOP_K: usize = 512;
const HIDDEN: usize = 4096;
const INDEX_HEADS: usize = 64;
const INDEX_DIM: usize = 128;

pub(crate) fn measure(criterion: &mut Criterion<Clock>) {
    attention(criterion);
    index_scores(criterion);
    store_kv(criterion);
    hyper_connection(criterion);
    norm(criterion);
}

/// `n` stored rows that decode to finite values.
fn kv_rows<B: Backend>(backend: &mut B, layout: KvLayout, n: usize) -> B::KvRows {
    let mut rows = backend.kv_rows(layout, n).expect("memory for rows");
    let mut bytes = vec![0; layout.row_bytes()];
    let values = normals(n + layout.width);
    for i in 0..n {
        layout.pack(&values[i..][..layout.width], &mut bytes);
        backend.write_kv_rows(&mut rows, i, &bytes);
    }
    rows
}

/// `n` tokens at the end of a context in which all 512 selected rows are there; `time` gets the op.
fn attend<B: Backend>(backend: &mut B, n: usize, time: impl FnOnce(&mut dyn FnMut())) -> Vec<f32> {
    let layout = KvLayout::attention(HEAD_DIM, 64, KvRounding::Applied);
    let first_position = 4 * TOP_K - 1;
    let window = kv_rows(backend, layout, WINDOW + n);
    let rows = kv_rows(backend, layout, TOP_K + n);
    let width = N_HEADS * HEAD_DIM;
    let queries: Vec<f32> = normals(n * width).iter().map(|x| x * 0.3).collect();
    let queries = tensor(backend, &queries, width);
    let mut out = backend.zeros(n, width).expect("memory for activations");
    let sinks = backend.bind(&inputs::weight(TensorType::F32, &[N_HEADS])).expect("floats");
    let compressed = Compressed { rows: &rows, ratio: 4, selection: None };
    let attended = Attended { window: &window, compressed: Some(compressed), sinks: &sinks };
    let params = AttendParams { n_heads: N_HEADS, window: WINDOW };
    let run = Run { first_row: 0, n_rows: n, first_position };
    time(&mut || backend.attend(&mut out, &queries, &attended, &params, run));
    let mut values = vec![0.0; n * width];
    backend.read(&out, 0, &mut values).expect("ops have run");
    values
}

fn attention(criterion: &mut Criterion<Clock>) {
    inputs::check(
        "attention",
        |cpu| attend(cpu, 2, |op| op()),
        |reference| attend(reference, 2, |op| op()),
    );
    let mut group = criterion.benchmark_group("attention");
    for n in [1, 32] {
        // Each row is multiplied with a query, and with a weight.
        let products = n * (WINDOW + TOP_K) * 2 * N_HEADS * HEAD_DIM;
        group.throughput(Throughput::Elements(products as u64));
        group.bench_function(format!("tokens/{n}"), |bench| {
            attend(&mut inputs::cpu(), n, |op| bench.iter(op));
        });
    }
    group.finish();
}

/// Index scores and choice of one token among `n` rows: the chosen rows, through attention over
/// nothing else.
fn index_scores(criterion: &mut Criterion<Clock>) {
    let n = 16_384;
    let layout = KvLayout::index(INDEX_DIM, KvRounding::Applied);
    let mut cpu = inputs::cpu();
    let keys = kv_rows(&mut cpu, layout, n);
    let width = INDEX_HEADS * INDEX_DIM;
    let queries = tensor(&mut cpu, &normals(width), width);
    let head_weights = tensor(&mut cpu, &normals(INDEX_HEADS), INDEX_HEADS);
    let mut out = cpu.selection(1, TOP_K).expect("memory for a choice");
    let params = IndexParams { n_heads: INDEX_HEADS, ratio: 4, top_k: TOP_K };
    let run = Run { first_row: 0, n_rows: 1, first_position: 4 * n - 1 };
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements((n * width) as u64));
    group.bench_function("rows/16384", |bench| {
        bench.iter(|| cpu.index_select(&mut out, &queries, &head_weights, &keys, &params, run));
    });
    group.finish();
}

/// Stores `n` rows; `time` gets the op.
fn stored<B: Backend>(backend: &mut B, n: usize, time: impl FnOnce(&mut dyn FnMut())) -> Vec<f32> {
    let layout = KvLayout::attention(HEAD_DIM, 64, KvRounding::Applied);
    let mut rows = backend.kv_rows(layout, n).expect("memory for rows");
    let values = tensor(backend, &normals(n * HEAD_DIM), HEAD_DIM);
    let run = Run { first_row: 0, n_rows: n, first_position: 0 };
    time(&mut || backend.store_kv(&mut rows, &values, run));
    let mut bytes = vec![0; n * layout.row_bytes()];
    backend.read_kv_rows(&rows, 0..n, &mut bytes).expect("ops have run");
    bytes.iter().map(|byte| f32::from(*byte)).collect()
}

fn store_kv(criterion: &mut Criterion<Clock>) {
    inputs::check("store", |cpu| stored(cpu, 3, |op| op()), |r| stored(r, 3, |op| op()));
    let mut group = criterion.benchmark_group("store_kv");
    group.throughput(Throughput::Bytes((64 * HEAD_DIM * 4) as u64));
    group.bench_function("rows/64", |bench| {
        stored(&mut inputs::cpu(), 64, |op| bench.iter(op));
    });
    group.finish();
}

/// Mixes `n` tokens; `time` gets the op.
fn mix<B: Backend>(backend: &mut B, n: usize, time: impl FnOnce(&mut dyn FnMut())) -> Vec<f32> {
    let params = HcParams { n_streams: 4, n_iterations: 20, eps: 1e-6, norm_eps: 1e-6 };
    let n_rows = 4 + params.gates_width();
    let mut bind =
        |kind, dims: &[usize]| backend.bind(&inputs::weight(kind, dims)).expect("floats");
    let function = bind(TensorType::F16, &[4 * HIDDEN, n_rows]);
    let (base, scale) = (bind(TensorType::F32, &[n_rows]), bind(TensorType::F32, &[3]));
    let weights = HcWeights { function: &function, base: &base, scale: &scale };
    let streams = tensor(backend, &normals(n * 4 * HIDDEN), 4 * HIDDEN);
    let mut out = backend.zeros(n, HIDDEN).expect("memory for activations");
    let mut gates = backend.zeros(n, params.gates_width()).expect("memory for activations");
    time(&mut || backend.hc_mix(&mut out, &mut gates, &streams, &weights, &params));
    let mut values = vec![0.0; n * HIDDEN];
    backend.read(&out, 0, &mut values).expect("ops have run");
    values
}

fn hyper_connection(criterion: &mut Criterion<Clock>) {
    inputs::check("hc_mix", |cpu| mix(cpu, 2, |op| op()), |r| mix(r, 2, |op| op()));
    let mut group = criterion.benchmark_group("hc_mix");
    for n in [1, 64] {
        group.throughput(Throughput::Bytes((n * 4 * HIDDEN * 4) as u64));
        group.bench_function(format!("tokens/{n}"), |bench| {
            mix(&mut inputs::cpu(), n, |op| bench.iter(op));
        });
    }
    group.finish();
}

/// Norms `n` tokens; `time` gets the op.
fn normed<B: Backend>(backend: &mut B, n: usize, time: impl FnOnce(&mut dyn FnMut())) -> Vec<f32> {
    let x = tensor(backend, &normals(n * HIDDEN), HIDDEN);
    let mut out = backend.zeros(n, HIDDEN).expect("memory for activations");
    let gain = backend.bind(&inputs::weight(TensorType::F32, &[HIDDEN])).expect("floats");
    time(&mut || backend.rms_norm(&mut out, &x, &gain, 1e-6));
    let mut values = vec![0.0; n * HIDDEN];
    backend.read(&out, 0, &mut values).expect("ops have run");
    values
}

fn norm(criterion: &mut Criterion<Clock>) {
    inputs::check("rms_norm", |cpu| normed(cpu, 2, |op| op()), |r| normed(r, 2, |op| op()));
    let mut group = criterion.benchmark_group("rms_norm");
    group.throughput(Throughput::Bytes((64 * HIDDEN * 4) as u64));
    group.bench_function("tokens/64", |bench| {
        normed(&mut inputs::cpu(), 64, |op| bench.iter(op));
    });
    group.finish();
}
