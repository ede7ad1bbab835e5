//! Fuzzes the target `ipv6` of `pen-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (pen_fuzz::target("ipv6").run)(data));
