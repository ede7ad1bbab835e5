//! The stage for scenarios: clients, servers and farms inside the test process, and a running pen.
//!
//! Promises: ports never collide, nothing waits blindly (every wait polls for a fact and has a
//! deadline), everything started here is stopped when it is dropped, failures say what was waited
//! for. `PEN_TEST_SCALE` stretches all deadlines (2 = twice as long), `PEN`, `PENCTL`, `PENLOG`,
//! `PENLOGD` and `MERGELOGS` choose the programs under test; without them the ones built next to the
//! test are taken. With `PEN_TEST_TLS` every pen ends TLS and every client speaks it.
//!
//! Not here: any knowledge of the inside of the daemon. It is seen through sockets, files, signals
//! and /proc, so that the same scenarios run against any pen.
#![forbid(unsafe_code)]

pub mod acts;
mod authority;
mod datagrams;
mod farm;
mod frames;
mod group;
mod host;
mod load;
mod namespace;
mod ocsp;
mod pattern;
mod pen;
mod place;
mod program;
mod screen;
mod server;
pub mod storm;
mod tls;
mod vitals;
mod waiting;
mod wire;

pub use authority::{Authority, Identity};
pub use datagrams::{UdpClient, UdpServer};
pub use farm::Farm;
pub use frames::{Ear, can_send_frames, send_frames};
pub use group::Group;
pub use host::{Host, run_here};
pub use load::Load;
pub use namespace::in_own_network;
pub use ocsp::ocsp_response;
pub use pattern::{Fingerprint, Pattern, fingerprint};
pub use pen::{Pen, PenBuilder, Row};
pub use place::{Place, Scratch, free_port};
pub use program::{Finished, Program, Sig, is_root, log_tool, pen_program, penctl_program, run};
pub use screen::Screen;
pub use server::{Served, TestServer};
pub use tls::{identity as tls_identity, over_tls, plain_only};
pub use vitals::Vitals;
pub use waiting::{deadline, holds, scaled, until, whole_lines};
pub use wire::{Client, Dial, End, Wire, dial_from};
