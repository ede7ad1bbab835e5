//! Sending many datagrams with one call.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use super::Local;
use super::address::{self, Raw};
use crate::headers;

/// Bytes for what is told the kernel beside a datagram: an IPv6 address with interface and a size.
const NOTES: usize = 64;

/// One datagram to be sent, or several to one destination that the kernel takes joined.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Where to.
    pub to: SocketAddr,
    /// Which of this machine's addresses it leaves from, if that is not the socket's own.
    pub from: Option<Local>,
    /// The datagrams, or one that is joined already.
    pub pieces: &'a [&'a [u8]],
    /// The bytes of each joined datagram but the last, which may have fewer; 0 if it is one.
    pub joined: usize,
}

/// What is needed for sending, kept from call to call.
#[derive(Default)]
pub struct Outbox {
    names: Vec<Raw>,
    notes: Vec<Notes>,
    pieces: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Notes([u8; NOTES]);

impl Outbox {
    /// Nothing kept yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the letters in their order; answers how many went, at least one. Does not block.
    ///
    /// # Errors
    /// Why the first of them could not be sent, or what became of an earlier one.
    pub fn send(&mut self, socket: impl AsFd, letters: &[Letter<'_>]) -> io::Result<usize> {
        self.prepare(letters);
        // SAFETY: the descriptor is open (it is borrowed). `headers` has an entry per letter, each
        // of which points to an address, notes and pieces in vectors of `self` that have their final
        // length, and to bytes that `letters` borrows; the kernel only reads them.
        let went = unsafe {
            libc::sendmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
            )
        };
        usize::try_from(went).map_err(|_| io::Error::last_os_error())
    }

    fn prepare(&mut self, letters: &[Letter<'_>]) {
        self.names.clear();
        self.names.resize(letters.len(), address::blank());
        self.notes.clear();
        self.notes.resize(letters.len(), Notes([0; NOTES]));
        self.pieces.clear();
        let pieces = letters.iter().flat_map(|l| l.pieces);
        self.pieces.extend(pieces.map(|piece| libc::iovec {
            iov_base: piece.as_ptr().cast_mut().cast(),
            iov_len: piece.len(),
        }));
        self.headers.clear();
        let mut rest = self.pieces.as_mut_slice();
        for ((letter, name), notes) in letters.iter().zip(&mut self.names).zip(&mut self.notes) {
            let (mine, others) = std::mem::take(&mut rest).split_at_mut(letter.pieces.len());
            rest = others;
            let length = address::write(letter.to, name);
            let mut header = headers::message(
                (name as *mut Raw, length),
                (mine.as_mut_ptr(), mine.len()),
                (notes as *mut Notes, NOTES),
            );
            let noted = write_notes(letter, &header);
            headers::set_notes(&mut header, noted);
            self.headers.push(libc::mmsghdr { msg_hdr: header, msg_len: 0 });
        }
    }
}

/// Writes what is told beside the datagram; answers its length.
fn write_notes(letter: &Letter<'_>, header: &libc::msghdr) -> usize {
    let mut length = 0;
    match letter.from {
        Some(Local { ip: IpAddr::V4(ip), .. }) => {
            let s_addr = u32::from(ip).to_be();
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            length += note(header, length, (libc::IPPROTO_IP, libc::IP_PKTINFO), info);
        }
        Some(Local { ip: IpAddr::V6(ip), interface }) => {
            let info = libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: ip.octets() },
                ipi6_ifindex: interface,
            };
            length += note(header, length, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), info);
        }
        None => {}
    }
    if letter.joined != 0 {
        let size = u16::try_from(letter.joined).unwrap_or(u16::MAX);
        length += note(header, length, (libc::SOL_UDP, libc::UDP_SEGMENT), size);
    }
    length
}

/// Writes one note at `offset` of the header's notes; answers the room it takes.
fn note<T>(header: &libc::msghdr, offset: usize, (level, kind): (i32, i32), value: T) -> usize {
    let size = size_of::<T>() as libc::c_uint;
    // SAFETY: the macros only add.
    let (space, length) = unsafe { (libc::CMSG_SPACE(size), libc::CMSG_LEN(size)) };
    let (space, length) = (space as usize, length as usize);
    debug_assert!(offset + space <= NOTES, "notes of {offset} and {space} bytes do not fit");
    // SAFETY: the header's notes are NOTES bytes, aligned for a cmsghdr, and exclusively its own;
    // offsets are sums of CMSG_SPACE, which keeps that alignment, and the largest notes there are
    // (IPv6 address and size) have been asserted to fit.
    unsafe {
        let head = header.msg_control.cast::<u8>().add(offset).cast::<libc::cmsghdr>();
        head.write(headers::note(length, level, kind));
        libc::CMSG_DATA(head).cast::<T>().write_unaligned(value);
    }
    space
}
