//! Measurements on the adapter of this machine: they end, and give a number that can be one.

use backend::Backend as _;
use backend_gpu::{Gpu, OpenError, Options, adapters};

/// Opens a device, or says that the test is skipped.
fn open() -> Option<Gpu> {
    match Gpu::open(Options::default()) {
        Ok(gpu) => Some(gpu),
        Err(OpenError::NoAdapter) => {
            #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
            let required = std::env::var_os("IRONSTAR_REQUIRE_GPU").is_some();
            assert!(!required, "there is no GPU, and IRONSTAR_REQUIRE_GPU is set");
            say_skipped();
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn say_skipped() {
    eprintln!("skipped: no GPU (a software one such as lavapipe will do)");
}

#[test]
fn memory_is_read_and_kernels_take_turns() {
    let Some(mut gpu) = open() else { return };
    let gb_s = gpu.read_bandwidth().expect("there is room for a small buffer");
    assert!((0.01..1e5).contains(&gb_s), "{gb_s} GB/s");
    let seconds = gpu.dispatch_seconds().expect("a device that works");
    assert!((1e-8..1.0).contains(&seconds), "{seconds} s a dispatch");
    gpu.finish().expect("nothing is left behind");
}

#[test]
fn the_first_adapter_is_the_one_that_opens() {
    let Some(gpu) = open() else { return };
    let adapters = adapters();
    assert!(gpu.device_name().starts_with(&adapters[0].name), "{adapters:?}");
    assert_eq!(adapters[0].is_software, gpu.is_software());
    assert_eq!(adapters[0].memory_bytes, gpu.memory_bytes());
}
