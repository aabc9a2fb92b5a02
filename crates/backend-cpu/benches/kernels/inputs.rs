//! Random weights and activations, and the comparison with the reference.

use backend::Backend;
use backend::conformance::inputs::Random;
use backend::reference::Reference;
use backend_cpu::{Cpu, Options};
use gguf::blocks::f16::f32_to_f16;
use gguf::{Tensor, TensorType};

/// The backend on one thread.
pub(crate) fn cpu() -> Cpu {
    Cpu::new(Options { n_threads: Some(1), isa: None, readahead: false })
}

/// A weight of random codes and small scales.
pub(crate) fn weight(kind: TensorType, dims: &[usize]) -> Tensor {
    let mut random = Random::new(1);
    let n_blocks = dims.iter().product::<usize>() / kind.block_len();
    let block_bytes = kind.block_bytes();
    let mut data = vec![0_u8; n_blocks * block_bytes];
    for block in data.chunks_exact_mut(block_bytes) {
        for byte in &mut *block {
            *byte = random.below(256) as u8;
        }
        let scale = f32_to_f16(0.01 * random.normal());
        match kind {
            TensorType::F32 => block.copy_from_slice(&random.normal().to_le_bytes()),
            TensorType::Q2K => {
                block[80..82].copy_from_slice(&scale);
                block[82..84].copy_from_slice(&scale);
            }
            TensorType::Q4K => {
                block[..2].copy_from_slice(&scale);
                block[2..4].copy_from_slice(&scale);
            }
            TensorType::Mxfp4 => block[0] = 120,
            _ => block[..2].copy_from_slice(&scale),
        }
    }
    let dims: Vec<u64> = dims.iter().map(|dim| *dim as u64).collect();
    Tensor::new("bench.weight", &dims, kind, data).expect("dimensions and bytes agree")
}

/// `n` normal numbers.
pub(crate) fn normals(n: usize) -> Vec<f32> {
    let mut random = Random::new(2);
    (0..n).map(|_| random.normal()).collect()
}

/// A tensor of given rows.
pub(crate) fn tensor<B: Backend>(backend: &mut B, values: &[f32], width: usize) -> B::Tensor {
    let mut x = backend.zeros(values.len() / width, width).expect("memory for activations");
    backend.write(&mut x, 0, values);
    x
}

/// Compares what `run` computes here with what it computes in the reference.
pub(crate) fn check(
    what: &str,
    mut found: impl FnMut(&mut Cpu) -> Vec<f32>,
    mut expected: impl FnMut(&mut Reference) -> Vec<f32>,
) {
    let (found, expected) = (found(&mut cpu()), expected(&mut Reference));
    let square = |x: f32| f64::from(x) * f64::from(x);
    let size: f64 = expected.iter().map(|x| square(*x)).sum();
    let error: f64 = found.iter().zip(&expected).map(|(a, b)| square(a - b)).sum();
    assert!(found.len() == expected.len() && error <= 1e-3 * size, "{what}: {error} of {size}");
}
