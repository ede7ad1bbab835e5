//! The port, and how many datagrams the kernel could not queue for it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use pen_core::addr::Place;
use pen_core::limits;
use pen_core::listen_word;
use rustix::fs::fstat;
use socket2::{Domain, Socket, Type};

use crate::names::System;

/// Opens the place that the operator wrote. A port alone means all addresses, IPv6 and IPv4.
pub(super) fn open(word: &str) -> Result<UdpSocket, String> {
    let listen = listen_word::resolve(word, &System::load())?;
    let Place::Tcp(address) = listen.place else {
        return Err(format!("{word}: a path is no port for datagrams"));
    };
    let everywhere = !word.contains(':');
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
    let opened = if everywhere { bind(all) } else { bind(address) };
    let opened = match opened {
        // A machine without IPv6.
        Err(e) if everywhere && e.kind() != io::ErrorKind::AddrInUse => {
            bind((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        other => other,
    };
    opened.map_err(|e| format!("cannot receive on {word}: {e}"))
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The kernel may grant less; what does not fit is counted.
    let _ = socket.set_recv_buffer_size(limits::PENLOGD_QUEUE);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// The kernel's count of datagrams that found no room in the queue.
pub(super) struct Drops {
    /// Opened at the start: a jail has no /proc.
    table: Option<File>,
    inode: String,
}

impl Drops {
    pub(super) fn of(socket: &UdpSocket) -> Self {
        let v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let name = if v6 { "/proc/self/net/udp6" } else { "/proc/self/net/udp" };
        let inode = fstat(socket).map_or_else(|_| String::new(), |stat| stat.st_ino.to_string());
        Self { table: File::open(name).ok(), inode }
    }

    /// `None` if the kernel does not say.
    pub(super) fn count(&mut self) -> Option<u64> {
        let table = self.table.as_mut()?;
        let mut text = String::new();
        table.rewind().ok()?;
        table.read_to_string(&mut text).ok()?;
        drops(&text, &self.inode)
    }
}

/// The last column of the line that has `inode` in its tenth one.
fn drops(table: &str, inode: &str) -> Option<u64> {
    let rows = table.lines().map(|line| line.split_ascii_whitespace());
    let mut own = rows.filter(|row| row.clone().nth(9) == Some(inode));
    own.next()?.last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lost_is_counted() {
        let socket = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut watch = Drops::of(&socket);
        assert_eq!(watch.count(), Some(0));
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (piece, to) = ([0; 60_000], socket.local_addr().unwrap());
        for _ in 0..2_000 {
            sender.send_to(&piece, to).unwrap();
        }
        assert!(watch.count() > Some(0));
    }

    #[test]
    fn a_port_alone_takes_both_kinds_of_addresses() {
        let word = bind("[::]:0".parse().unwrap()).unwrap().local_addr().unwrap().port();
        let socket = open(&word.to_string()).unwrap();
        socket.set_nonblocking(false).unwrap();
        for own in ["127.0.0.1:0", "[::1]:0"] {
            let sender = UdpSocket::bind(own).unwrap();
            let host = sender.local_addr().unwrap().ip();
            sender.send_to(b"x", (host, word)).unwrap();
            let mut piece = [0; 9];
            let (_, from) = socket.recv_from(&mut piece).unwrap();
            assert_eq!(from.ip().to_canonical(), host);
        }
        for wrong in ["0", "nosuchport", "/run/x", "99999"] {
            assert!(open(wrong).unwrap_err().contains(wrong));
        }
    }
}
