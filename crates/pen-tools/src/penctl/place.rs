//! Where Pen is controlled: an address becomes a connection, with a deadline for everything.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use pen_core::cli::tools::penctl::misplaced;
use pen_core::limits;
use pen_core::near::{nearest, shown};
use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};

/// An address, and how long it may keep one waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    /// `HOST:PORT` or `/PATH`
    pub(super) place: &'a str,
    /// Seconds without a byte after which an answer is given up.
    pub(super) timeout_s: u32,
}

/// A connection of either kind.
pub(super) trait Wire: Read + Write + AsFd + Send {}
impl<T: Read + Write + AsFd + Send> Wire for T {}

impl Link<'_> {
    /// A connection to it.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) fn connect(&self) -> Result<Box<dyn Wire>, String> {
        let place = self.place;
        if place.contains('/') {
            return match self.connect_unix() {
                Ok(socket) => Ok(Box::new(socket)),
                Err(e) => Err(format!("cannot connect to {place}: {e}{}", neighbour(place, &e))),
            };
        }
        let (host, port) = split(place)?;
        let addresses =
            (host, port).to_socket_addrs().map_err(|e| format!("cannot resolve {host}: {e}"))?;
        let mut last = format!("cannot resolve {host}");
        for address in addresses {
            match self.connect_tcp(address) {
                Ok(socket) => return Ok(Box::new(socket)),
                Err(e) => last = format!("cannot connect to {address}: {e}"),
            }
        }
        Err(last)
    }

    fn connect_tcp(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpStream::connect_timeout(&address, self.connect_time())?;
        let time = seconds(self.timeout_s);
        socket.set_read_timeout(Some(time))?;
        socket.set_write_timeout(Some(time))?;
        // Whoever waits for events for days notices that the other machine has gone.
        let probes = TcpKeepalive::new().with_time(Duration::from_secs(30));
        SockRef::from(&socket).set_tcp_keepalive(&probes)?;
        Ok(socket)
    }

    fn connect_unix(&self) -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // A connect to a Unix socket whose queue is full waits as long as a write would.
        socket.set_write_timeout(Some(self.connect_time()))?;
        socket.connect(&SockAddr::unix(self.place)?)?;
        socket.set_read_timeout(Some(seconds(self.timeout_s)))?;
        Ok(socket)
    }

    fn connect_time(&self) -> Duration {
        seconds(self.timeout_s.min(limits::PENCTL_CONNECT_S))
    }
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(n.into())
}

/// Another file of the directory that was perhaps meant, as the end of a sentence.
fn neighbour(place: &str, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound {
        return String::new();
    }
    let path = Path::new(place);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return String::new();
    };
    let Ok(entries) = folder.read_dir() else { return String::new() };
    let names: Vec<String> = entries
        .flatten()
        .take(limits::PENCTL_NEIGHBOURS_MAX)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let near = nearest(name, names.iter().map(String::as_str));
    near.map_or_else(String::new, |near| {
        format!("; did you mean {}?", shown(&folder.join(near).display().to_string()))
    })
}

/// Host and port of `host:port`, `v6:port` and `[v6]:port`: the last colon divides.
fn split(place: &str) -> Result<(&str, u16), String> {
    let (host, port) = place.rsplit_once(':').ok_or_else(|| {
        format!("'{place}' is neither host:port nor the path of a socket{}", misplaced(place))
    })?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let number =
        port.parse().ok().filter(|n| *n != 0).ok_or_else(|| {
            format!("'{port}' in '{place}' is not a port, a number from 1 to 65535")
        })?;
    Ok((host, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let rows = [
            ("127.0.0.1:99", Some(("127.0.0.1", 99))),
            ("::1:99", Some(("::1", 99))),
            ("[::1]:99", Some(("::1", 99))),
            ("somewhere:1", Some(("somewhere", 1))),
            ("no-port-here", None),
            ("host:", None),
            ("host:0", None),
            ("host:65536", None),
            ("host:http", None),
        ];
        for (text, expected) in rows {
            assert_eq!(split(text).ok(), expected, "{text}");
        }
    }
}
