//! An address has left the machine: what is bound to it reaches nobody any more and is closed.
//!
//! The local address of each socket says whether it is: a listener for all addresses has clients at
//! several. Nobody writes it down per connection, because this is asked once in months.

use std::net::IpAddr;
use std::os::fd::AsFd;

use pen_core::addr::ClientAddr;
use pen_core::reasons::CloseReason;
use pen_sys::sockets;

use super::Worker;
use super::conn::{Conn, Phase};
use super::ending::Manner;
use crate::shared::Closed;

impl Worker {
    /// Closes every connection and flow whose own end, at either side, has the address `gone`.
    pub(super) fn close_at(&mut self, gone: IpAddr) -> Closed {
        let dead = |conn: &Conn| {
            let sockets = [conn.down.as_ref(), conn.up.as_ref()];
            conn.phase != Phase::Gone && sockets.into_iter().flatten().any(|s| is_at(s, gone))
        };
        let keys: Vec<u32> = self
            .conns
            .iter()
            .filter(|(_, conn)| dead(conn))
            .filter_map(|(key, _)| u32::try_from(key).ok())
            .collect();
        for key in &keys {
            self.finish_at_lost_address(*key);
        }
        let stations: Vec<u32> =
            self.stations.iter().filter_map(|(key, _)| u32::try_from(key).ok()).collect();
        let flows = stations.into_iter().map(|station| self.end_flows_at(station, gone)).sum();
        Closed { connections: keys.len() as u64, flows }
    }

    fn finish_at_lost_address(&mut self, key: u32) {
        let Some(conn) = self.conns.get(key as usize) else { return };
        let reason = match conn.phase {
            // It is over already, for another reason.
            Phase::Flushing { reason, .. } => reason,
            _ => CloseReason::AddressLeft,
        };
        // Where Pen may carry any address, the reset leaves from the one that is gone, and a client that
        // only waits hears of it. Else nothing leaves, and the client hears of it when it sends.
        for socket in [conn.down.as_ref(), conn.up.as_ref()].into_iter().flatten() {
            sockets::carry_foreign(socket);
        }
        self.finish(key, Manner::Reset, reason);
    }
}

/// Whether the own end of a socket is `gone`.
pub(super) fn is_at(socket: impl AsFd, gone: IpAddr) -> bool {
    sockets::local_address(socket).is_ok_and(|address| is(address.ip(), gone))
}

/// Whether `ip`, perhaps mapped into IPv6, is `gone`.
pub(super) fn is(ip: IpAddr, gone: IpAddr) -> bool {
    ClientAddr::from_ip(ip) == ClientAddr::Ip(gone)
}
