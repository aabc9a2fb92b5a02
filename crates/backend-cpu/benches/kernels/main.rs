//! Speed of the kernels on one thread, beside what the machine can do.
//!
//! Run with `cargo bench -p ironstar-backend-cpu`. Group `peak` measures the machine in the same
//! run: bytes read, products of bytes, products of floats. Products with few columns are given in
//! bytes of weights, products with many in multiplications, ops in what they read or compute. Each
//! bench compares an answer with the reference before it starts the clock. What is measured is the
//! thread's own time on a processor, so a busy machine slows a bench down and hardly changes it.
#![deny(unsafe_code)]

mod clock;
mod inputs;
mod ops;
mod peak;
mod products;

use criterion::{Criterion, criterion_group, criterion_main};

criterion_group! {
    name = kernels;
    config = Criterion::default().with_measurement(clock::Clock);
    targets = peak::measure, products::measure, ops::measure
}
criterion_main!(kernels);
