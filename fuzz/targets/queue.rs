//! Fuzzes the lists of the timers. What they are is in `crates/pen`, a program: its files are taken by their
//! paths.
#![no_main]
#![allow(dead_code, reason = "seeds are for tests")]

#[path = "../../crates/pen/src/worker/queue.rs"]
mod queue;
#[path = "../../crates/pen/src/worker/queue/witness.rs"]
mod witness;

use queue::{Linked, Links, Queue};

libfuzzer_sys::fuzz_target!(|data: &[u8]| witness::run(data));
