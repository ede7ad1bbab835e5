//! A bad wire between two machines: it delays, loses, duplicates, reorders and corrupts frames.
//!
//! A thread in a network of its own carries frames between two veth pairs. What becomes of each frame
//! is decided by chance that depends on the seed only: the same frames in the same order meet the same
//! fate. (The frames are not the same in two runs, because TCP depends on time; so two runs of a row
//! with one seed are alike, not identical.)
//!
//! What it cannot do: limit the rate (its own is what one thread carries, some ten thousand frames per
//! second); duplicate later than at once; harm that no checksum notices (one bit is flipped, never
//! two); anything to ARP, which would break the machines' idea of each other rather than a connection:
//! only IPv4 and IPv6 are harmed, all others are only delayed. Segments are not joined on it, since
//! offloads are switched off at its ends, so a frame is a packet as on a real cable.

mod carrier;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use pen_test::{Host, run_here};

use crate::programs;
use carrier::Carrier;

/// What would make frames on the wire longer than a cable carries, or leave their checksums to others.
const OFFLOADS: &str = "tx off rx off sg off tso off gso off gro off";

/// What the wire does to frames; nothing by default. Shares are from 0 to 1 and for each way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Troubles {
    /// One way.
    pub delay_ms: u64,
    /// Up to so much is added, without changing the order.
    pub jitter_ms: u64,
    /// Share that never arrives; 1 is a wire that is cut without anybody being told.
    pub loss: f64,
    /// Share that arrives twice.
    pub duplicate: f64,
    /// Share that comes later than those behind it.
    pub reorder: f64,
    /// Share of which one bit is another.
    pub corrupt: f64,
}

/// Where an end of the wire is put.
#[derive(Clone, Copy, Debug)]
pub struct Plug<'a> {
    /// The machine; nothing: the network of the case.
    host: Option<&'a Host>,
    interface: &'a str,
    address: &'a str,
}

impl<'a> Plug<'a> {
    /// An interface of the network of the case, with an address like `10.1.0.1/24`.
    pub fn here(interface: &'a str, address: &'a str) -> Self {
        Self { host: None, interface, address }
    }

    /// An interface of another machine.
    pub fn at(host: &'a Host, interface: &'a str, address: &'a str) -> Self {
        Self { host: Some(host), interface, address }
    }

    /// Puts in the interface `temporary` of the network of the case.
    fn put_in(&self, temporary: &str) {
        let Self { host, interface, address } = self;
        let dress = format!(
            "ethtool -K {interface} {OFFLOADS} >/dev/null
             ip addr add {address} dev {interface}
             ip link set {interface} up"
        );
        match host {
            Some(host) => {
                host.take(temporary, interface);
                host.run(&dress);
            }
            None => {
                run_here(&format!("ip link set {temporary} name {interface}"));
                run_here(&dress);
            }
        }
    }
}

/// What a wire has done so far, both ways together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deeds {
    /// Frames that were put in.
    pub frames: u64,
    /// Those that never arrive.
    pub lost: u64,
    /// Those that arrive twice.
    pub duplicated: u64,
    /// Those that come late.
    pub reordered: u64,
    /// Those of which a bit is another.
    pub corrupted: u64,
}

/// A wire. It is cut when this goes.
pub struct BadWire {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// The network in which the thread lives.
    _middle: Host,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    troubles: Mutex<Troubles>,
    frames: AtomicU64,
    lost: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    corrupted: AtomicU64,
}

impl BadWire {
    /// Lays a wire between two machines; they have addresses and reach each other when this returns.
    ///
    /// # Errors
    /// What is missing here, for [`crate::verdict::Verdict::skipped`].
    ///
    /// # Panics
    /// An interface of that name is there already.
    pub fn between(
        one: Plug<'_>,
        other: Plug<'_>,
        troubles: Troubles,
        seed: u64,
    ) -> Result<Self, String> {
        if programs::in_path("ethtool").is_none() {
            return Err("Debian package ethtool is not installed".into());
        }
        let middle = Host::new("wire");
        // Its own machine must not say anything.
        middle.run("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
        for (plug, inside) in [(one, "one"), (other, "other")] {
            middle.cable(inside, "wire-end");
            plug.put_in("wire-end");
            middle.run(&format!("ethtool -K {inside} {OFFLOADS} >/dev/null"));
        }
        let shared = Arc::new(Shared { troubles: Mutex::new(troubles), ..Shared::default() });
        let thread = middle.inside(|| {
            let carrier = Carrier::between(["one", "other"], seed, Arc::clone(&shared))?;
            Ok(std::thread::spawn(move || carrier.run()))
        });
        let thread = thread.map_err(|e: std::io::Error| format!("packet sockets: {e}"))?;
        Ok(Self { shared, thread: Some(thread), _middle: middle })
    }

    /// Other troubles from here on, for frames that are put in from here on.
    pub fn set(&self, troubles: Troubles) {
        *self.shared.troubles.lock().unwrap_or_else(PoisonError::into_inner) = troubles;
    }

    /// What it has done so far.
    pub fn deeds(&self) -> Deeds {
        let [frames, lost, duplicated, reordered, corrupted] = [
            &self.shared.frames,
            &self.shared.lost,
            &self.shared.duplicated,
            &self.shared.reordered,
            &self.shared.corrupted,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        Deeds { frames, lost, duplicated, reordered, corrupted }
    }
}

impl Drop for BadWire {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests;
