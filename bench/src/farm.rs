//! The server process, as the benchmark sees it.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::server::address;

/// A server process on many addresses; it ends with this.
pub struct Farm {
    child: Child,
    port: u16,
}

impl Farm {
    /// Starts it.
    ///
    /// # Errors
    /// It did not start.
    pub fn start(addresses: u32) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", &addresses.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let port = line.trim().parse().map_err(|_| io::Error::other("the server did not start"))?;
        Ok(Self { child, port })
    }

    /// The first so many servers.
    pub fn servers(&self, count: u32) -> Vec<SocketAddr> {
        (0..count).map(|slot| SocketAddr::from((address(slot), self.port))).collect()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        // It ends when its standard input does.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
