//! Fuzzes the target `ipv4` of `pen-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (pen_fuzz::target("ipv4").run)(data));
