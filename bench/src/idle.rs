//! Connections that do nothing, after each has shown that it works.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::protocol::{ANSWER, Request, Wish, answer};

const PATIENCE: Duration = Duration::from_secs(5);

/// Opens them, one after the other, with one exchange each.
///
/// # Errors
/// One could not be opened or was answered wrongly.
pub fn open(targets: &[SocketAddr], count: usize) -> io::Result<Vec<TcpStream>> {
    targets
        .iter()
        .cycle()
        .zip((0..count as u64).map(|n| n | 1 << 62))
        .map(|(target, id)| {
            let mut stream = TcpStream::connect(target)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(&Request { wish: Wish::Answer, id, length: 0 }.bytes())?;
            let mut got = [0; ANSWER];
            stream.read_exact(&mut got)?;
            if got == answer(id) { Ok(stream) } else { Err(io::Error::other("a wrong answer")) }
        })
        .collect()
}
