#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sansmq_fuzz::simulation(data));
