//! What the machine can do at most: the measure for everything else.

use std::hint::black_box;

use criterion::{Criterion, Throughput};

use crate::clock::Clock;

/// Bytes of the read benchmark: more than caches that a core has for itself.
const READ_BYTES: usize = 256 << 20;
/// Instructions of the arithmetic benchmarks.
const N: usize = 1 << 20;

pub(crate) fn measure(criterion: &mut Criterion<Clock>) {
    let mut group = criterion.benchmark_group("peak");
    let words = vec![1_u64; READ_BYTES / 8];
    group.throughput(Throughput::Bytes(READ_BYTES as u64));
    group.bench_function("read", |bench| {
        bench.iter(|| black_box(&words).chunks_exact(8).fold(0, |sum, line| line[0] ^ sum));
    });
    #[cfg(target_arch = "x86_64")]
    if backend_cpu::Isa::Avx512.is_available() {
        group.throughput(Throughput::Elements((N * 64) as u64));
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        group.bench_function("products of bytes", |bench| {
            bench.iter(|| {
                // SAFETY: the machine has the instructions.
                unsafe { avx512::products_of_bytes(black_box(1)) }
            });
        });
        group.throughput(Throughput::Elements((N * 16) as u64));
        #[expect(unsafe_code, reason = "compiled for an instruction set")]
        group.bench_function("products of floats", |bench| {
            bench.iter(|| {
                // SAFETY: the machine has the instructions.
                unsafe { avx512::products_of_floats(black_box(1.0)) }
            });
        });
    }
    group.finish();
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        _mm512_add_epi32, _mm512_add_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
        _mm512_reduce_add_epi32, _mm512_reduce_add_ps, _mm512_set1_epi32, _mm512_set1_ps,
    };

    use super::N;

    /// Independent sums: enough to hide the latency of an instruction.
    const CHAINS: usize = 16;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn products_of_bytes(x: i32) -> i32 {
        let x = _mm512_set1_epi32(x);
        let mut sums = [x; CHAINS];
        for _ in 0..N / CHAINS {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, x, x);
            }
        }
        let mut total = x;
        for sum in sums {
            total = _mm512_add_epi32(total, sum);
        }
        _mm512_reduce_add_epi32(total)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn products_of_floats(x: f32) -> f32 {
        let x = _mm512_set1_ps(x);
        let mut sums = [x; CHAINS];
        for _ in 0..N / CHAINS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(x, x, *sum);
            }
        }
        let mut total = x;
        for sum in sums {
            total = _mm512_add_ps(total, sum);
        }
        _mm512_reduce_add_ps(total)
    }
}
