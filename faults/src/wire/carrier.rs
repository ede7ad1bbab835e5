//! The thread that carries frames.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use pen_sys::packets::{self, Offload, Outbox, PacketSocket, Parcel, Ring, Size};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Shared, Troubles};
use crate::dice::Dice;

/// Frames that may be under way; further ones are lost, as in a switch without memory.
const UNDER_WAY: usize = 20_000;
/// How much later than its neighbours a reordered frame comes.
const HELD_BACK: Duration = Duration::from_millis(3);
/// The longest wait for frames: so long it may take until the wire is cut.
const PAUSE: Duration = Duration::from_millis(50);
/// Where the two hardware addresses and the kind of the packet end.
const PACKET: usize = 14;

/// Two ends, and what is under way between them.
pub struct Carrier {
    shared: Arc<Shared>,
    ends: [End; 2],
    /// By the time they arrive; the number keeps those of one moment in order.
    under_way: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    number: u64,
    outbox: Outbox,
}

struct End {
    socket: PacketSocket,
    ring: Ring,
    /// For what is put in here.
    dice: Dice,
    /// When the last frame that was put in here arrives, of those that keep their order.
    last: Instant,
}

impl End {
    fn at(name: &str, seed: u64) -> io::Result<Self> {
        let interface = packets::interface(name)?;
        let (socket, ring) = PacketSocket::open(Size { mtu: 1600, ring: 4 << 20, queue: 4 << 20 })?;
        socket.bind(interface.index)?;
        Ok(Self { socket, ring, dice: Dice::new(seed), last: Instant::now() })
    }
}

impl Carrier {
    pub fn between(names: [&str; 2], seed: u64, shared: Arc<Shared>) -> io::Result<Self> {
        let [one, other] = names;
        // Each way has chance of its own: what goes one way changes nothing for the other.
        let ends = [End::at(one, seed)?, End::at(other, !seed)?];
        let under_way = BTreeMap::new();
        Ok(Self { shared, ends, under_way, number: 0, outbox: Outbox::new() })
    }

    pub fn run(mut self) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            let taken = self.take(0) + self.take(1);
            self.deliver();
            if taken == 0 {
                self.wait();
            }
        }
    }

    /// Takes what was put in at an end, and decides what becomes of it.
    fn take(&mut self, at: usize) -> usize {
        let troubles = *self.shared.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(end) = self.ends.get_mut(at) else { return 0 };
        let mut count = 0;
        while let Some(frame) = end.ring.frame(count) {
            count += 1;
            if frame.outgoing {
                continue;
            }
            let mut bytes = frame.bytes.to_vec();
            let fate = Fate::of(&mut bytes, &troubles, &mut end.dice);
            fate.note(&self.shared);
            let room = UNDER_WAY.saturating_sub(self.under_way.len());
            if fate.times > room {
                add(&self.shared.lost);
                continue;
            }
            let now = Instant::now();
            let mut due = (now + fate.delay).max(end.last);
            if fate.reordered {
                due += HELD_BACK;
            } else {
                end.last = due;
            }
            for _ in 0..fate.times {
                self.number += 1;
                self.under_way.insert((due, self.number), (1 - at, bytes.clone()));
            }
        }
        end.ring.release(count);
        count
    }

    /// Hands out what has arrived.
    fn deliver(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.under_way.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let (to, bytes) = entry.remove();
            let Some(end) = self.ends.get(to) else { continue };
            let (Some(there), Some(from)) = (mac(&bytes, 0), mac(&bytes, 6)) else { continue };
            let parcel = Parcel::new(&bytes, (there, from), None, Offload::default());
            if self.outbox.send(&end.socket, &[parcel]).is_err() {
                add(&self.shared.lost);
            }
        }
    }

    fn wait(&self) {
        let next = self.under_way.first_key_value().map(|((due, _), _)| *due);
        let time = next.map_or(PAUSE, |due| due.saturating_duration_since(Instant::now()));
        let Ok(time) = Timespec::try_from(time.min(PAUSE)) else { return };
        let [one, other] = &self.ends;
        let mut fds =
            [one, other].map(|e| PollFd::from_borrowed_fd(e.socket.as_fd(), PollFlags::IN));
        // Interrupted or not, the caller looks again.
        let _ = poll(&mut fds, Some(&time));
    }
}

fn mac(frame: &[u8], at: usize) -> Option<[u8; 6]> {
    frame.get(at..)?.first_chunk().copied()
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    delay: Duration,
    /// How often it arrives.
    times: usize,
    reordered: bool,
    corrupted: bool,
}

impl Fate {
    /// Decides, and corrupts.
    fn of(frame: &mut [u8], troubles: &Troubles, dice: &mut Dice) -> Self {
        let delay = troubles.delay_ms * 1_000 + dice.below(troubles.jitter_ms * 1_000 + 1);
        let delay = Duration::from_micros(delay);
        let internet = matches!(frame.get(12..PACKET), Some([0x08, 0x00] | [0x86, 0xdd]));
        if !internet {
            return Self { delay, times: 1, reordered: false, corrupted: false };
        }
        let mut happens = |share| dice.happens(share);
        let times = match (happens(troubles.loss), happens(troubles.duplicate)) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        let arrives = times > 0;
        let reordered = happens(troubles.reorder) && arrives;
        let corrupted = happens(troubles.corrupt) && arrives;
        if corrupted && let Some(packet) = frame.get_mut(PACKET..) {
            let at = usize::try_from(dice.below(packet.len() as u64)).unwrap_or(0);
            let bit = 1 << dice.below(8);
            packet.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
        }
        Self { delay, times, reordered, corrupted }
    }

    fn note(&self, shared: &Shared) {
        add(&shared.frames);
        for (happened, count) in [
            (self.times == 0, &shared.lost),
            (self.times == 2, &shared.duplicated),
            (self.reordered, &shared.reordered),
            (self.corrupted, &shared.corrupted),
        ] {
            if happened {
                add(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: [u8; 2]) -> Vec<u8> {
        [&[1; 12][..], &kind, &[0; 46]].concat()
    }

    #[test]
    fn one_bit_of_the_packet_is_corrupted() {
        let troubles = Troubles { corrupt: 1.0, ..Troubles::default() };
        let mut dice = Dice::new(1);
        for _ in 0..500 {
            let mut harmed = frame([0x08, 0x00]);
            assert!(Fate::of(&mut harmed, &troubles, &mut dice).corrupted);
            let whole = frame([0x08, 0x00]);
            let bits: u32 = harmed.iter().zip(&whole).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert_eq!(bits, 1);
            assert!(harmed.starts_with(&whole[..PACKET]));
        }
    }

    #[test]
    fn what_is_not_internet_is_only_delayed() {
        let all = Troubles { delay_ms: 7, loss: 1.0, corrupt: 1.0, ..Troubles::default() };
        let mut dice = Dice::new(1);
        let mut arp = frame([0x08, 0x06]);
        let fate = Fate::of(&mut arp, &all, &mut dice);
        assert_eq!((fate.times, fate.delay), (1, Duration::from_millis(7)));
        assert_eq!(arp, frame([0x08, 0x06]));
        assert_eq!(Fate::of(&mut frame([0x86, 0xdd]), &all, &mut dice).times, 0);
    }
}
