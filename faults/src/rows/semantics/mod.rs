//! Rows 1 to 17: what becomes of streams, byte by byte, and of their ends.

mod bad_wire;
mod client_gone;
mod client_reset;
mod half_close;
mod idle;
mod integrity;
mod mtu;
mod pause;
mod server_first;
mod server_half_close;
mod server_reset;
mod simultaneous;
mod slow_readers;
mod split;
mod urgent;
mod vanished;

use std::time::Duration;

use pen_test::{TestServer, Wire, holds};

use super::Row;
use crate::running::Running;

/// Them.
pub const ROWS: &[Row] = &[
    half_close::PLAIN,
    half_close::TLS,
    half_close::SPLICE,
    server_half_close::ROW,
    server_reset::ABORTS,
    server_reset::KILLED,
    server_reset::DESTROYED,
    client_reset::ROW,
    integrity::PLAIN,
    integrity::TLS,
    integrity::UNIX,
    integrity::SIX_TO_FOUR,
    integrity::SPLICE,
    integrity::BAD_WIRE,
    integrity::COUNTERS,
    simultaneous::ROW,
    urgent::ROW,
    slow_readers::ROW,
    pause::ROW,
    split::HTTP,
    split::HELLO,
    split::PROXY,
    bad_wire::ROW,
    mtu::ROW,
    server_first::ROW,
    client_gone::ROW,
    vanished::IDLE,
    vanished::HALF_CLOSED,
    idle::ROW,
];

/// A few connections, so that everything is open that is opened when it is needed first.
fn warm_up(pen: &Running, server: &TestServer) {
    for _ in 0..20 {
        let Ok(client) = Wire::connect(&pen.place) else { continue };
        drop(server.next());
        let _end = client.end();
    }
    rest(pen);
}

/// Waits until nothing is open, and nothing on its way to be closed.
fn rest(pen: &Running) {
    // Whether or not that is so: what is left is seen later.
    let _still = holds(Duration::from_secs(5), || pen.connections() != Some(0));
    std::thread::sleep(Duration::from_millis(300));
}

/// Whether all connections are gone within five seconds, and the descriptors that they had.
fn settles(pen: &Running, descriptors: usize) -> bool {
    let gone = || pen.connections() == Some(0) && pen.vitals().descriptors <= descriptors;
    !holds(Duration::from_secs(5), || !gone())
}
