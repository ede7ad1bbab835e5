//! Fuzzes the target `commands` of `pen-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (pen_fuzz::target("commands").run)(data));
