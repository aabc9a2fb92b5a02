//! libFuzzer harness of `fuzz_canary`, which must crash.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ironstar_fuzz::fuzz_canary(data));
