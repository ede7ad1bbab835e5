//! Fuzzes the target `maglev` of `pen-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (pen_fuzz::target("maglev").run)(data));
