//! libFuzzer harness of `fuzz_kv_entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ironstar_fuzz::kv_store::fuzz_kv_entry(data));
