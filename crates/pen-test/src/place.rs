//! Where things listen: TCP addresses, Unix socket paths, free ports, directories that go away.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{self, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use socket2::{Domain, SockAddr};

/// Name of the control socket in a pen's scratch directory.
pub(crate) const CONTROL: &str = "ctl";

/// An address something listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An address and port.
    Tcp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

impl Place {
    /// 127.0.0.1 and `port`.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// A free port on 127.0.0.1, see [`free_port`].
    #[must_use]
    pub fn free() -> Self {
        Self::local(free_port())
    }

    /// The way pen's command line writes it, as listening address or server.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Tcp(a) => a.to_string(),
            Self::Unix(p) => p.display().to_string(),
        }
    }

    /// The TCP port; 0 for a path.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Tcp(a) => a.port(),
            Self::Unix(_) => 0,
        }
    }

    /// Spoken to without TLS even where the scenarios run over it: control sockets.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Unix(path) if path.file_name().is_some_and(|n| n == CONTROL))
    }

    pub(crate) fn domain(&self) -> Domain {
        match self {
            Self::Tcp(a) => Domain::for_address(*a),
            Self::Unix(_) => Domain::UNIX,
        }
    }

    pub(crate) fn sock_addr(&self) -> SockAddr {
        match self {
            Self::Tcp(a) => SockAddr::from(*a),
            Self::Unix(p) => SockAddr::unix(p).expect("scratch paths fit a socket address"),
        }
    }
}

/// A port of 127.0.0.1 for a program that binds it itself, free at this moment.
///
/// Taken from below the kernel's ephemeral range: a port from bind(0) that is let go again could be
/// given to any outgoing connection before the program binds it. And from a block that no other
/// process has: two pens of one user may listen at one port, so nobody would notice.
///
/// # Panics
/// When a thousand ports in a row are taken.
#[must_use]
pub fn free_port() -> u16 {
    static BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..1_000 {
        let Some(port) = blocks.last_mut().and_then(|b| b.left.next()) else {
            let next = Block::take().expect("a block of ports below the ephemeral range");
            blocks.push(next);
            continue;
        };
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port below the ephemeral range");
}

/// Ports of this process.
struct Block {
    left: Range<u16>,
    /// Its abstract name says that the block is taken; it goes with the process.
    _sign: UnixDatagram,
}

impl Block {
    /// One that nobody has. Where to look first differs from process to process, so that ports of a
    /// process that has just ended, and their connections, have time to go.
    fn take() -> Option<Self> {
        const LOW: u16 = 10_000;
        const COUNT: u16 = 220;
        const SIZE: u16 = 100;
        let start = u16::try_from(std::process::id() % u32::from(COUNT)).ok()?;
        (0..COUNT).map(|n| (start + n) % COUNT).find_map(|n| {
            let name = net::SocketAddr::from_abstract_name(format!("pen-test-ports-{n}")).ok()?;
            let sign = UnixDatagram::bind_addr(&name).ok()?;
            let low = LOW + n * SIZE;
            Some(Self { left: low..low + SIZE, _sign: sign })
        })
    }
}

/// A directory of its own with a short path (Unix socket names are limited to 107 bytes), removed
/// when dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one below `PEN_TEST_TMP` or `/tmp`, open to every user (pen may drop to one).
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::var_os("PEN_TEST_TMP").map_or("/tmp".into(), PathBuf::from);
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("pt{}-{n}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Self(path),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => panic!("cannot make {}: {e}", path.display()),
            }
        }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// A path inside.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and answers its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the scratch directory is ours");
        path
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind in /tmp fails no test.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
