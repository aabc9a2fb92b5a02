//! Matrix products: each format with one column, few, as many as an expert meets in a prompt, and
//! many.

use backend::Backend;
use criterion::{BenchmarkId, Criterion, Throughput};
use gguf::{Tensor, TensorType};

use crate::clock::Clock;
use crate::inputs;

const KINDS: [TensorType; 7] = [
    TensorType::Q8_0,
    TensorType::Iq2Xxs,
    TensorType::Q2K,
    TensorType::Q4K,
    TensorType::Mxfp4,
    TensorType::F16,
    TensorType::F32,
];
const WIDTH: usize = 4096;
const N_ROWS: usize = 1024;

fn product<B: Backend>(backend: &mut B, weight: &Tensor, x: &[f32], n_rows: usize) -> Vec<f32> {
    let weight = backend.bind(weight).expect("a format with kernels");
    let n = x.len() / WIDTH;
    let x = inputs::tensor(backend, x, WIDTH);
    let mut out = backend.zeros(n, n_rows).expect("memory for activations");
    backend.matmul(&mut out, &x, &weight);
    let mut values = vec![0.0; n * n_rows];
    backend.read(&out, 0, &mut values).expect("ops have run");
    values
}

pub(crate) fn measure(criterion: &mut Criterion<Clock>) {
    for kind in KINDS {
        let small = inputs::weight(kind, &[WIDTH, 24]);
        let x = inputs::normals(13 * WIDTH);
        inputs::check(
            &kind.to_string(),
            |cpu| product(cpu, &small, &x, 24),
            |reference| product(reference, &small, &x, 24),
        );
        let mut group = criterion.benchmark_group(kind.to_string());
        for (n, n_rows) in [(1, 16 * N_ROWS), (4, 4 * N_ROWS), (12, N_ROWS), (384, N_ROWS)] {
            let mut cpu = inputs::cpu();
            let tensor = inputs::weight(kind, &[WIDTH, n_rows]);
            let weight = cpu.bind(&tensor).expect("a format with kernels");
            let x = inputs::tensor(&mut cpu, &inputs::normals(n * WIDTH), WIDTH);
            let mut out = cpu.zeros(n, n_rows).expect("memory for activations");
            group.throughput(if n <= 4 {
                Throughput::Bytes(tensor.data.len() as u64)
            } else {
                Throughput::Elements((n * n_rows * WIDTH) as u64)
            });
            group.bench_function(BenchmarkId::new("columns", n), |bench| {
                bench.iter(|| cpu.matmul(&mut out, &x, &weight));
            });
        }
        group.finish();
    }
}
