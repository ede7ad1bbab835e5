//! A state file, written piece by piece: nobody has to hold all of it at once.

use std::io::Write as _;

use crc32fast::Hasher;

use super::{MAGIC, VERSION, server_name};
use crate::addr::ClientAddr;
use crate::config::ServerConfig;
use crate::moment::{Moment, WallMs};

/// Writes a file; [`Writer::take`] hands out what is there of it.
#[derive(Debug)]
pub struct Writer {
    now: Moment,
    /// What was not taken yet.
    out: Vec<u8>,
    /// Of what was taken.
    sum: Hasher,
    bytes: u64,
    clients: u64,
    /// The number in the file of each slot of the service at hand.
    numbers: Vec<Option<u32>>,
}

impl Writer {
    /// A file that begins at this moment.
    #[must_use]
    pub fn new(now: Moment, wall: WallMs) -> Self {
        let out = format!("{MAGIC} {VERSION}\nwritten {}\n", wall.0.max(0)).into_bytes();
        let (sum, numbers) = (Hasher::new(), Vec::new());
        Self { now, out, sum, bytes: 0, clients: 0, numbers }
    }

    /// What follows is about this service, with these servers in its slots.
    pub fn service(&mut self, name: &str, servers: &[ServerConfig]) {
        self.put(format_args!("service {name}\n"));
        self.numbers.clear();
        let mut number = 0;
        for server in servers {
            let Some(name) = server_name(server) else {
                self.numbers.push(None);
                continue;
            };
            self.put(format_args!("server {number} {name}\n"));
            self.numbers.push(Some(number));
            number += 1;
        }
    }

    /// A client that was here last at `seen` and used the server in slot `server` then. Nothing is
    /// written if the file has no name for the server.
    pub fn client(&mut self, addr: ClientAddr, seen: Moment, server: u32) {
        let slot = usize::try_from(server).unwrap_or(usize::MAX);
        let Some(number) = self.numbers.get(slot).copied().flatten() else { return };
        let age_ms = self.now.since_ms(seen);
        self.put(format_args!("{addr} {age_ms} {number}\n"));
        self.clients += 1;
    }

    /// How many clients there are so far.
    #[must_use]
    pub fn clients(&self) -> u64 {
        self.clients
    }

    /// How many bytes there are so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.saturating_add(u64::try_from(self.out.len()).unwrap_or(u64::MAX))
    }

    /// The next piece of the file, in `piece` in place of what was there.
    pub fn take(&mut self, piece: &mut Vec<u8>) {
        self.sum.update(&self.out);
        self.bytes = self.bytes();
        piece.clear();
        std::mem::swap(piece, &mut self.out);
    }

    /// The last piece.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.sum.update(&self.out);
        let sum = std::mem::take(&mut self.sum).finalize();
        let clients = self.clients;
        self.put(format_args!("end {clients} {sum:08x}\n"));
        self.out
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to memory cannot fail.
        let _ = self.out.write_fmt(text);
    }
}
