//! Fuzzes the target `tarpit` of `pen-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (pen_fuzz::target("tarpit").run)(data));
