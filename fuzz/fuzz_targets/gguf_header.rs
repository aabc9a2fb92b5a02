//! libFuzzer harness of `fuzz_gguf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ironstar_fuzz::fuzz_gguf(data));
