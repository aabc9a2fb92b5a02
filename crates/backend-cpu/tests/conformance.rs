//! The backend against the reference (the oracle: the formulas, in f64), and against itself in
//! other batches, for every instruction set of this machine and several numbers of threads.

use backend::conformance;
use backend_cpu::{Cpu, Isa, Options};

fn make(isa: Isa, n_threads: usize) -> impl FnMut() -> Cpu {
    move || Cpu::new(Options { n_threads: Some(n_threads), isa: Some(isa), ..Options::default() })
}

fn check(isa: Isa) {
    if !isa.is_available() {
        return;
    }
    conformance::run(make(isa, 2));
    for n_threads in [1, 3] {
        conformance::batch_invariance(make(isa, n_threads));
    }
}

#[test]
fn scalar() {
    check(Isa::Scalar);
}

#[test]
fn avx2() {
    check(Isa::Avx2);
}

#[test]
fn avx512() {
    check(Isa::Avx512);
}

#[test]
fn neon() {
    check(Isa::Neon);
}
