//! Scenarios: a real pen between real sockets, seen from outside only. One module per theme; the
//! regression tests for the known faults of the original are in `traps`.
//!
//! Not here: exact reply texts of every command (the conformance suite pins them) and decisions
//! that can be tested without sockets (unit tests of `pen-core`).
#![forbid(unsafe_code)]

mod activation;
mod addresses;
mod bytes;
mod certificates;
mod choice;
mod circle;
mod collecting;
mod connlog;
mod control;
mod defects;
mod events;
mod explain;
mod http;
mod life;
mod limits;
mod memory;
mod metrics;
mod options;
mod outage;
mod reload;
mod rest;
mod routes;
mod sandbox;
mod sockets;
mod sources;
mod spread;
mod stalled;
mod start;
mod state;
mod transparent;
mod traps;
mod udp;
mod upgrade;
mod words;
