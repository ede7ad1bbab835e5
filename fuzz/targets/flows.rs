//! Fuzzes the target `flows` of `pen-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (pen_fuzz::target("flows").run)(data));
