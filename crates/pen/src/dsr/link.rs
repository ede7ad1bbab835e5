//! The interface: opening it, and how it was seen last.

use std::io;

use pen_core::frames::Mac;
use pen_core::limits;
use pen_sys::packets::{self, PacketSocket, Ring, Size};

/// What is known of an interface and of this machine's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The kernel's number.
    pub(super) index: i32,
    /// Its hardware address.
    pub(super) mac: Mac,
    /// Bytes of the longest packet.
    pub(super) mtu: u32,
    /// It can carry frames.
    pub(super) up: bool,
    /// The addresses of this machine.
    pub(super) addresses: Vec<packets::Address>,
}

/// Sockets on an interface, one per thread.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) interface: String,
    pub(super) link: Link,
    pub(super) sockets: Vec<(PacketSocket, Ring)>,
}

/// The sockets of several threads that share what arrives at an interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meeting {
    /// The interface's number.
    pub(super) index: i32,
    group: u16,
}

/// A socket that hears an interface which was made anew, and shares it with those of the other
/// threads, wherever these `meet`.
pub(super) fn join(
    link: &Link,
    meet: &mut Option<Meeting>,
) -> Result<(PacketSocket, Ring), String> {
    let (socket, mut ring) = open(link)?;
    let known = meet.filter(|m| m.index == link.index);
    let group = socket.share(known.map(|m| m.group));
    let group = group.map_err(|e| format!("cannot share the interface between threads: {e}"))?;
    *meet = Some(Meeting { index: link.index, group });
    if known.is_some() {
        forget(&mut ring);
    }
    Ok((socket, ring))
}

/// Leaves out what a socket heard before it shared: the others have heard it, too.
fn forget(ring: &mut Ring) {
    let heard = (0..ring.places()).take_while(|n| ring.frame(*n).is_some()).count();
    ring.release(heard);
}

/// How the interface called `name` is at this moment.
pub(super) fn look(name: &str) -> Result<Link, String> {
    let seen = packets::interface(name).map_err(|e| match e.kind() {
        io::ErrorKind::Unsupported => e.to_string(),
        _ if rustix::io::Errno::from_io_error(&e) == Some(rustix::io::Errno::NODEV) => {
            "there is no such interface".to_owned()
        }
        _ => e.to_string(),
    })?;
    Ok(Link {
        index: seen.index,
        mac: Mac(seen.mac),
        mtu: seen.mtu,
        up: seen.up,
        // Without them the tarpit knows less; it asks before it answers.
        addresses: packets::addresses().unwrap_or_default(),
    })
}

impl Opened {
    /// `threads` sockets that share what arrives at the interface.
    pub(super) fn open(name: &str, threads: usize) -> Result<Self, String> {
        let link = look(name)?;
        let (first, ring) = open(&link)?;
        let mut sockets = vec![(first, ring)];
        let mut group = None;
        while sockets.len() < threads {
            if group.is_none() {
                group = sockets.first().and_then(|(first, _)| first.share(None).ok());
            }
            // An interface that is down cannot be shared on older kernels; one thread serves it.
            let Some(group) = group else { break };
            let (socket, mut ring) = open(&link)?;
            if socket.share(Some(group)).is_err() {
                break;
            }
            forget(&mut ring);
            sockets.push((socket, ring));
        }
        Ok(Self { interface: name.to_owned(), link, sockets })
    }
}

/// A socket that hears the interface.
pub(super) fn open(link: &Link) -> Result<(PacketSocket, Ring), String> {
    let size = Size {
        mtu: usize::try_from(link.mtu).unwrap_or(usize::MAX / 2),
        ring: limits::DSR_RING,
        queue: limits::DSR_QUEUE,
    };
    let (socket, ring) = PacketSocket::open(size).map_err(|e| refused(&e))?;
    socket.bind(link.index).map_err(|e| format!("cannot hear the interface: {e}"))?;
    Ok((socket, ring))
}

/// Whether this process may hear interfaces: opens a small socket for a moment, at none of them.
pub(super) fn permitted() -> Result<(), String> {
    let size = Size { mtu: 1_500, ring: 0, queue: 0 };
    PacketSocket::open(size).map(drop).map_err(|e| refused(&e))
}

fn refused(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::PermissionDenied => {
            "a packet socket needs the capability CAP_NET_RAW, which this process does not have"
                .to_owned()
        }
        _ => format!("cannot open a packet socket: {why}"),
    }
}
