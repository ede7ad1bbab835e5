//! The ring: memory that the kernel writes frames into, and this process reads in place.
//!
//! Each place of the ring belongs to one side at a time, and a word at its beginning says to whom. A
//! [`Frame`] borrows the ring, and giving places back needs the ring for itself, so nobody looks at a
//! place that the kernel may write to.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use super::send::Offload;

/// The places of a ring, the next one to be read first.
#[derive(Debug)]
pub struct Ring {
    memory: NonNull<u8>,
    place: usize,
    places: usize,
    head: usize,
}

// SAFETY: the memory is this value's alone on this side, and is reached through it only.
unsafe impl Send for Ring {}

/// Whether all of a frame is in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// All of it.
    Yes,
    /// It is larger than a place; all of it is next in the socket's queue.
    InQueue,
    /// It is larger than a place, and the rest is lost.
    No,
}

/// A frame in the ring.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// From the destination's hardware address on.
    pub bytes: &'a [u8],
    /// What the kernel still has to do about it.
    pub offload: Offload,
    /// The outermost VLAN tag, which the kernel has taken out of the bytes.
    pub tag: Option<[u8; 4]>,
    /// Whether these are all of its bytes.
    pub whole: Whole,
    /// This machine sends it.
    pub outgoing: bool,
}

impl Ring {
    /// Maps the ring of a socket that has one of `places` places of `place` bytes.
    pub(super) fn map(socket: impl AsFd, place: usize, places: usize) -> io::Result<Self> {
        let length = place * places;
        // SAFETY: a fresh mapping at a place of the kernel's choice touches no other memory; the
        // descriptor is open.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_fd().as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory, place, places, head: 0 })
    }

    /// Places of the ring.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places
    }

    /// The frame `ahead` places from the next one, if it has arrived. Those before it have, too.
    #[must_use]
    pub fn frame(&self, ahead: usize) -> Option<Frame<'_>> {
        if ahead >= self.places {
            return None;
        }
        let place = self.at(ahead);
        let status = self.status(place).load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the place is ours until `release`, which needs the ring for itself; it begins with
        // this header, and is aligned for it, because the mapping and the length of a place are.
        let header = unsafe { place.cast::<libc::tpacket2_hdr>().read() };
        // SAFETY: as above; sockaddr_ll follows the header, which is a multiple of 16 bytes long.
        let from = unsafe { place.add(size_of::<libc::tpacket2_hdr>()).cast() };
        // SAFETY: as above.
        let from: libc::sockaddr_ll = unsafe { std::ptr::read(from.as_ptr()) };
        // SAFETY: the place is ours, has `self.place` bytes, and nobody writes to it for as long as
        // the ring is borrowed.
        let bytes = unsafe { std::slice::from_raw_parts(place.as_ptr(), self.place) };
        let start = usize::from(header.tp_mac);
        let length = usize::try_from(header.tp_snaplen).unwrap_or(usize::MAX);
        let offload = start.checked_sub(Offload::BYTES).and_then(|at| bytes.get(at..start));
        let valid = |flag| status & flag != 0;
        Some(Frame {
            bytes: bytes.get(start..).and_then(|b| b.get(..length)).unwrap_or_default(),
            offload: offload.and_then(Offload::read).unwrap_or_default(),
            tag: valid(libc::TP_STATUS_VLAN_VALID).then(|| {
                let kind = if valid(libc::TP_STATUS_VLAN_TPID_VALID) {
                    header.tp_vlan_tpid
                } else {
                    0x8100
                };
                let ([a, b], [c, d]) = (kind.to_be_bytes(), header.tp_vlan_tci.to_be_bytes());
                [a, b, c, d]
            }),
            whole: match (valid(libc::TP_STATUS_COPY), header.tp_snaplen < header.tp_len) {
                (true, _) => Whole::InQueue,
                (false, true) => Whole::No,
                (false, false) => Whole::Yes,
            },
            outgoing: from.sll_pkttype == libc::PACKET_OUTGOING,
        })
    }

    /// Gives the next `count` places, whose frames have arrived, back to the kernel.
    pub fn release(&mut self, count: usize) {
        for ahead in 0..count.min(self.places) {
            let status = self.status(self.at(ahead));
            if status.load(Ordering::Relaxed) & libc::TP_STATUS_USER == 0 {
                return;
            }
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
        self.head = (self.head + count) % self.places;
    }

    fn at(&self, ahead: usize) -> NonNull<u8> {
        let number = (self.head + ahead) % self.places;
        // SAFETY: the mapping has `places` places of `place` bytes, and the number is below that.
        unsafe { self.memory.add(number * self.place) }
    }

    fn status(&self, place: NonNull<u8>) -> &AtomicU32 {
        // SAFETY: each place of the mapping, which lives as long as the ring, begins with the status,
        // which both sides change as a whole and in no other way.
        unsafe { AtomicU32::from_ptr(place.cast().as_ptr()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and nothing borrows it any more.
        let _ = unsafe { libc::munmap(self.memory.as_ptr().cast(), self.place * self.places) };
    }
}
