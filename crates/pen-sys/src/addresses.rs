//! The addresses of this machine as they come and go, told by the kernel (rtnetlink). Nothing is changed.
//!
//! Deliberately not here: what follows from it.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

use crate::netlink;

/// What the kernel told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// An address at an interface, with the length of its prefix: it is there, or something about it
    /// has changed.
    Came(IpAddr, u32, u8),
    /// It is gone.
    Left(IpAddr, u32, u8),
    /// All that [`Addresses::list`] asked for was told.
    Listed,
    /// Something was told while nobody listened, and is lost.
    Missed,
}

/// A look at the addresses.
#[derive(Debug)]
pub struct Addresses {
    socket: OwnedFd,
}

const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;
/// Addresses of IPv4 (bit 5) and of IPv6 (bit 9).
const GROUPS: u32 = 1 << 4 | 1 << 8;
/// Bytes of the message proper.
const BODY: usize = 8;
/// Attributes: the address of the interface, or of the other end of a line; its own address.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;

impl Addresses {
    /// Hears of changes from here on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket })
    }

    /// Has the kernel name all addresses.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(&self) -> io::Result<()> {
        let message = netlink::message(GET_ADDRESS, netlink::REQUEST | netlink::DUMP, &[0; BODY]);
        send(&self.socket, &message, SendFlags::empty())?;
        Ok(())
    }

    /// Tells what the kernel has to tell at this moment.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn hear(&self, mut told: impl FnMut(Told)) -> io::Result<()> {
        let mut piece = vec![0; netlink::PIECE];
        loop {
            match recv(&self.socket, &mut piece[..], RecvFlags::empty()) {
                Ok((_, length)) => read(piece.get(..length).unwrap_or_default(), &mut told),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => told(Told::Missed),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

impl AsFd for Addresses {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn read(piece: &[u8], told: &mut impl FnMut(Told)) {
    for (kind, body) in netlink::messages(piece) {
        match kind {
            NEW_ADDRESS | DELETE_ADDRESS => {
                let Some((ip, interface, prefix)) = address(body) else { continue };
                told(match kind {
                    NEW_ADDRESS => Told::Came(ip, interface, prefix),
                    _ => Told::Left(ip, interface, prefix),
                });
            }
            // A list that cannot be had ends as well.
            netlink::DONE | netlink::ERROR => told(Told::Listed),
            _ => {}
        }
    }
}

fn address(body: &[u8]) -> Option<(IpAddr, u32, u8)> {
    let prefix = *body.get(1)?;
    let interface = body.get(4..).and_then(netlink::number)?;
    // Of a line from point to point, ADDRESS is the other end's.
    let of = |wanted| netlink::attributes(body, BODY).find(|(kind, _)| *kind == wanted);
    let (_, octets) = of(LOCAL).or_else(|| of(ADDRESS))?;
    let ip = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some((ip, interface, prefix))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_list_names_loopback() {
        let addresses = Addresses::open().unwrap();
        addresses.list().unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        let mut all = Vec::new();
        while !all.contains(&Told::Listed) {
            addresses.hear(|told| all.push(told)).unwrap();
            assert!(Instant::now() < patience, "{all:?}");
        }
        assert!(all.contains(&Told::Came([127, 0, 0, 1].into(), 1, 8)), "{all:?}");
    }

    #[test]
    fn broken_messages_are_not_believed() {
        let mut body = vec![2, 24, 0, 0, 7, 0, 0, 0];
        body[4..8].copy_from_slice(&7_u32.to_ne_bytes());
        assert_eq!(address(&body), None);
        netlink::attribute(&mut body, ADDRESS, &[192, 0, 2, 9]);
        assert_eq!(address(&body), Some(([192, 0, 2, 9].into(), 7, 24)));
        netlink::attribute(&mut body, LOCAL, &[192, 0, 2, 1]);
        assert_eq!(address(&body), Some(([192, 0, 2, 1].into(), 7, 24)));
        for length in 0..body.len() {
            let _ = address(&body[..length]);
        }
        let message = netlink::message(NEW_ADDRESS, 0, &body);
        for length in 0..message.len() {
            read(&message[..length], &mut |told| panic!("{told:?}"));
        }
    }
}
