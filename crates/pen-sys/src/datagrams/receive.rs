//! Receiving many datagrams with one call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use super::Local;
use super::address::{self, Raw};
use crate::headers;

/// Bytes for what the kernel tells beside a datagram: an IPv6 address with interface and a size.
const NOTES: usize = 128;
/// Slots of equal distance in memory would all fall on the same lines of the cache.
const STAGGER: usize = 1_088;

/// A place for a number of datagrams of any size.
pub struct Inbox {
    store: Vec<u8>,
    size: usize,
    slots: Vec<Slot>,
    told: Vec<Told>,
    headers: Vec<libc::mmsghdr>,
    pieces: Vec<libc::iovec>,
    filled: usize,
}

/// Where the kernel writes what comes with the bytes of one datagram.
#[derive(Clone, Copy)]
struct Slot {
    from: Raw,
    notes: Notes,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Notes([u8; NOTES]);

/// The same, understood.
#[derive(Clone, Copy, Default)]
struct Told {
    from: Option<SocketAddr>,
    to: Option<Local>,
    length: usize,
    joined: usize,
}

/// One datagram, or several of one sender that the kernel joined.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Who sent it; `None` if that is no internet address.
    pub from: Option<SocketAddr>,
    /// Where it was sent to, if the socket has several addresses.
    pub to: Option<Local>,
    /// The bytes.
    pub bytes: &'a [u8],
    /// The bytes of each joined datagram but the last, which may have fewer; 0 if it is one.
    pub joined: usize,
}

impl Received<'_> {
    /// How many datagrams it is.
    #[must_use]
    pub fn count(&self) -> u64 {
        if self.joined == 0 { 1 } else { self.bytes.len().div_ceil(self.joined) as u64 }
    }
}

impl Inbox {
    /// A place for `count` datagrams of up to `size` bytes. Memory is used as it is written to.
    #[must_use]
    pub fn new(count: usize, size: usize) -> Self {
        let slot = Slot { from: address::blank(), notes: Notes([0; NOTES]) };
        Self {
            store: vec![0; count * (size + STAGGER)],
            size,
            slots: vec![slot; count],
            told: vec![Told::default(); count],
            headers: Vec::with_capacity(count),
            pieces: Vec::with_capacity(count),
            filled: 0,
        }
    }

    /// How many are in it.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// For how many there is room.
    #[must_use]
    pub fn room(&self) -> usize {
        self.slots.len() - self.filled
    }

    /// Throws out what is in it.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Receives up to `most` datagrams behind those that are there; answers how many came. Fewer
    /// than asked for: no more are waiting. Does not block.
    ///
    /// # Errors
    /// What recvmmsg says: `WouldBlock` if nothing waits, or what became of an earlier send.
    pub fn receive(&mut self, socket: impl AsFd, most: usize) -> io::Result<usize> {
        let most = most.min(self.room());
        if most == 0 {
            return Ok(0);
        }
        self.prepare(most);
        // SAFETY: the descriptor is open (it is borrowed). `headers` has `most` entries, each of
        // which points to an address, a buffer and notes that `prepare` took from `self`, disjoint
        // and with their true lengths; nothing moves them before the call returns.
        let came = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                most as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let came = usize::try_from(came).map_err(|_| io::Error::last_os_error())?;
        let places = self.told.iter_mut().zip(&self.slots).skip(self.filled);
        for ((told, slot), header) in places.zip(&self.headers).take(came) {
            *told = understand(header, slot);
        }
        self.filled += came;
        Ok(came)
    }

    /// A datagram by its place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<Received<'_>> {
        if place >= self.filled {
            return None;
        }
        let told = self.told.get(place)?;
        let start = place * (self.size + STAGGER);
        let bytes = self.store.get(start..start + told.length)?;
        let joined = if told.joined < told.length { told.joined } else { 0 };
        Some(Received { from: told.from, to: told.to, bytes, joined })
    }

    fn prepare(&mut self, most: usize) {
        self.headers.clear();
        self.pieces.clear();
        let first = self.filled;
        let store = self.store.as_mut_ptr();
        for place in first..first + most {
            let start = place * (self.size + STAGGER);
            self.pieces.push(libc::iovec {
                // SAFETY: `start` is within `store`, which has a whole stride per slot.
                iov_base: unsafe { store.add(start) }.cast(),
                iov_len: self.size,
            });
        }
        for (slot, piece) in self.slots.iter_mut().skip(first).zip(&mut self.pieces) {
            self.headers.push(libc::mmsghdr {
                msg_hdr: headers::message(
                    (&raw mut slot.from, size_of::<Raw>() as libc::socklen_t),
                    (piece, 1),
                    (&raw mut slot.notes, NOTES),
                ),
                msg_len: 0,
            });
        }
    }
}

fn understand(header: &libc::mmsghdr, slot: &Slot) -> Told {
    let mut told = Told {
        from: address::read(&slot.from, header.msg_hdr.msg_namelen),
        length: header.msg_len as usize,
        ..Told::default()
    };
    // SAFETY: `header` is one that recvmmsg has just filled in; its notes are in `slot`, which is
    // borrowed, and its length of notes is what the kernel wrote.
    let mut note = unsafe { libc::CMSG_FIRSTHDR(&raw const header.msg_hdr) };
    while !note.is_null() {
        // SAFETY: the macros of libc only answer notes that lie wholly within the notes' length.
        let (head, data) = unsafe { (note.read(), libc::CMSG_DATA(note)) };
        // SAFETY: the kernel writes a note of this level and type with this structure as its data;
        // `headers::holds` has compared the length.
        unsafe {
            match (head.cmsg_level, head.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO)
                    if headers::holds::<libc::in_pktinfo>(&head) =>
                {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                    told.to = Some(Local { ip: ip.into(), interface: 0 });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
                    if headers::holds::<libc::in6_pktinfo>(&head) =>
                {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    told.to = Some(six(info));
                }
                (libc::SOL_UDP, libc::UDP_GRO) if headers::holds::<libc::c_int>(&head) => {
                    let size = data.cast::<libc::c_int>().read_unaligned();
                    told.joined = usize::try_from(size).unwrap_or(0);
                }
                _ => {}
            }
            note = libc::CMSG_NXTHDR(&raw const header.msg_hdr, note);
        }
    }
    told
}

/// The interface matters only for addresses that every link has.
fn six(info: libc::in6_pktinfo) -> Local {
    let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
    let interface = if ip.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
    Local { ip: IpAddr::V6(ip), interface }
}
