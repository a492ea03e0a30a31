#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sansmq_fuzz::options(data));
