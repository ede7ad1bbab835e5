//! Scenarios: `penctl` as scripts and people use it, with a real pen, in a real terminal, in real shells.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod completion;
mod status;
mod top;
mod watch;
