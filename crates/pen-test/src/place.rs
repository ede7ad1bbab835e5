//! Where things listen: TCP addresses, Unix socket paths, free ports, directories that go away.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

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
/// given to any outgoing connection before the program binds it.
///
/// # Panics
/// When a thousand ports in a row are taken.
#[must_use]
pub fn free_port() -> u16 {
    const LOW: u32 = 10_000;
    const SPAN: u32 = 22_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(211);
    for _ in 0..1_000 {
        let n = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(LOW + n % SPAN).expect("the range lies below 65536");
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port below the ephemeral range");
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
