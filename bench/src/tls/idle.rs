//! Connections that do nothing, after each has shown that it works; over TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::StreamOwned;
use rustls::pki_types::ServerName;

use super::Clients;
use super::certificates::NAME;
use crate::protocol::{ANSWER, Request, Wish, answer};

const PATIENCE: Duration = Duration::from_secs(5);

/// Opens them, one after the other, with one exchange each. The client's half of each session is
/// forgotten; the sockets stay.
///
/// # Errors
/// One could not be opened or was answered wrongly.
pub fn open(targets: &[SocketAddr], count: usize, clients: &Clients) -> io::Result<Vec<TcpStream>> {
    let ids = (0..count as u64).map(|n| n | 1 << 62);
    targets.iter().cycle().zip(ids).map(|(target, id)| exchange(*target, id, clients)).collect()
}

/// One exchange on a connection of its own.
///
/// # Errors
/// No answer, or a wrong one.
pub fn ask(target: SocketAddr, clients: &Clients) -> io::Result<()> {
    exchange(target, u64::MAX, clients).map(drop)
}

fn exchange(target: SocketAddr, id: u64, clients: &Clients) -> io::Result<TcpStream> {
    let (config, _) = clients.of(0, 0).ok_or_else(|| io::Error::other("no client"))?;
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let tls = rustls::ClientConnection::new(config, name).map_err(io::Error::other)?;
    let socket = TcpStream::connect(target)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(tls, socket);
    stream.write_all(&Request { wish: Wish::Answer, id, length: 0 }.bytes())?;
    let mut got = [0; ANSWER];
    stream.read_exact(&mut got)?;
    if got == answer(id) { Ok(stream.sock) } else { Err(io::Error::other("a wrong answer")) }
}
