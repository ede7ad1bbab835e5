//! Fuzzes the target `state_file` of `pen-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (pen_fuzz::target("state_file").run)(data));
