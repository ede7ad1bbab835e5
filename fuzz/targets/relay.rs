//! Fuzzes the relay machine and the engine of the daemon, over sockets of loopback. What they are is in
//! `crates/pen`, a program: its files are taken by their paths.
#![no_main]
#![allow(dead_code, reason = "of the daemon only the engine is run")]
#![allow(unused_imports, reason = "of the daemon only the engine is run")]

#[path = "../../crates/pen/src/clock.rs"]
mod clock;
#[path = "../../crates/pen/src/engine/mod.rs"]
mod engine;
#[path = "../../crates/pen/src/files.rs"]
mod files;
#[path = "../../crates/pen/src/tls/mod.rs"]
mod tls;
#[path = "../../crates/pen/src/engine/witness.rs"]
mod witness;

libfuzzer_sys::fuzz_target!(|data: &[u8]| witness::run(data));
