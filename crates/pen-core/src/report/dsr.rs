//! The reply of `dsr`: what a service with direct server return does with frames.

use std::collections::BTreeMap;

use serde::Serialize;

use super::classic::line;
use crate::dsr::DropReason;

/// Direct server return of a service at one moment.
#[derive(Clone, Debug, Default)]
pub struct DsrRow {
    /// The service's name.
    pub service: String,
    /// The interface.
    pub interface: String,
    /// Its hardware address.
    pub mac: String,
    /// It can carry frames.
    pub up: bool,
    /// Another machine answers for the service's addresses.
    pub standby: bool,
    /// Threads that look at frames.
    pub threads: usize,
    /// Since the service began.
    pub counts: Counts,
    /// The servers in the order of their slots, unset ones left out.
    pub servers: Vec<Found>,
}

/// What became of frames.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Frames that were passed on to servers.
    pub forwarded: u64,
    /// Their bytes.
    pub forwarded_bytes: u64,
    /// Questions for the service's address that were answered.
    pub answered: u64,
    /// Frames that the tarpit sent.
    pub tarpit: u64,
    /// Frames that the kernel could not keep until they were looked at.
    pub lost: u64,
    /// Frames that went nowhere, in the order of [`DropReason::ALL`].
    pub dropped: [u64; DropReason::ALL.len()],
}

/// Where a server is on the segment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// Its slot.
    pub number: u32,
    /// Its address.
    pub address: String,
    /// Its hardware address, once it has told one.
    pub mac: Option<String>,
    /// It left questions for its hardware address unanswered.
    pub silent: bool,
    /// It is left out at this moment, for whatever reason.
    pub blacklisted: bool,
}

/// As text: a line per number and per server, the reasons that have occurred with their counts.
#[must_use]
pub fn text(row: &DsrRow) -> String {
    let mut reply = String::new();
    let c = &row.counts;
    let link = if row.up { "up" } else { "down" };
    let standby = if row.standby { " standby" } else { "" };
    let (interface, mac, threads) = (&row.interface, &row.mac, row.threads);
    line(
        &mut reply,
        format_args!("interface {interface} mac {mac} link {link} threads {threads}{standby}"),
    );
    line(&mut reply, format_args!("forwarded frames {} bytes {}", c.forwarded, c.forwarded_bytes));
    line(&mut reply, format_args!("answered {} tarpit {} lost {}", c.answered, c.tarpit, c.lost));
    for (why, count) in dropped(c).filter(|(_, count)| *count != 0) {
        line(&mut reply, format_args!("dropped {why} {count}"));
    }
    for s in &row.servers {
        let mac = s.mac.as_deref().unwrap_or("unknown");
        let silent = if s.silent { " silent" } else { "" };
        let out = if s.blacklisted { " blacklisted" } else { "" };
        let (number, address) = (s.number, &s.address);
        line(&mut reply, format_args!("server {number} addr {address} mac {mac}{silent}{out}"));
    }
    reply
}

/// `dsr json`: every reason is there, also those that have not occurred.
#[must_use]
pub fn json(row: &DsrRow) -> String {
    #[derive(Serialize)]
    struct Forwarded {
        frames: u64,
        bytes: u64,
    }
    #[derive(Serialize)]
    struct Reply<'a> {
        service: &'a str,
        interface: &'a str,
        mac: &'a str,
        up: bool,
        standby: bool,
        threads: usize,
        forwarded: Forwarded,
        answered: u64,
        tarpit: u64,
        lost: u64,
        dropped: BTreeMap<&'static str, u64>,
        servers: &'a [Found],
    }
    let c = &row.counts;
    super::json::line(&Reply {
        service: &row.service,
        interface: &row.interface,
        mac: &row.mac,
        up: row.up,
        standby: row.standby,
        threads: row.threads,
        forwarded: Forwarded { frames: c.forwarded, bytes: c.forwarded_bytes },
        answered: c.answered,
        tarpit: c.tarpit,
        lost: c.lost,
        dropped: dropped(c).collect(),
        servers: &row.servers,
    })
}

fn dropped(counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> {
    DropReason::ALL.into_iter().zip(counts.dropped).map(|(why, count)| (why.word(), count))
}
