//! Messages to the service manager (sd_notify's protocol) over the datagram socket that
//! `$NOTIFY_SOCKET` names, a path or `@abstract`.
//!
//! The socket is connected when opened, so it keeps working after a chroot. Messages are
//! best effort by the protocol's own rules. Own lines rather than a crate: the whole of what is
//! needed is one connected datagram socket and four strings.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::{clock, parcels};

/// Bytes of a status text. The service manager ignores messages of more than a page (4096 bytes),
/// and what they say beside the status with it.
const STATUS_MAX: usize = 1_024;

/// The way to the service manager, or nowhere when there is none.
#[derive(Debug, Default)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    watchdog_ms: Option<u64>,
}

impl Notify {
    /// Opens the socket of the environment. Without the variable, messages go nowhere.
    ///
    /// # Errors
    /// The variable names a socket that cannot be used.
    pub fn from_environment() -> io::Result<Self> {
        match std::env::var_os("NOTIFY_SOCKET") {
            Some(name) if !name.is_empty() => {
                Ok(Self { watchdog_ms: watchdog_of_environment(), ..Self::open(&name)? })
            }
            _ => Ok(Self::default()),
        }
    }

    /// Opens the socket called `name`: a path, or an abstract name with `@` in front.
    ///
    /// # Errors
    /// What connect says.
    pub fn open(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(rest) => SocketAddr::from_abstract_name(rest)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        Ok(Self { socket: Some(socket), watchdog_ms: None })
    }

    /// Service is up, with a line for the operator. Ends a reload as well.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}\n", one_line(status)));
    }

    /// A reload begins; [`Notify::ready`] ends it.
    pub fn reloading(&self) {
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", clock::kernel_monotonic_us()));
    }

    /// The process is on its way out.
    pub fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    /// Milliseconds after which the service manager gives up on a process that does not say that it is
    /// [`Notify::alive`]; `None` if it does not watch.
    #[must_use]
    pub fn watchdog_ms(&self) -> Option<u64> {
        self.watchdog_ms
    }

    /// The process is well.
    pub fn alive(&self) {
        self.send("WATCHDOG=1\n");
    }

    /// A line for the operator.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}\n", one_line(status)));
    }

    /// Whether there is a service manager.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// Has a listener kept over a restart under `name` (plain text without a colon). One that is
    /// kept already is kept once.
    pub fn store(&self, name: &str, listener: BorrowedFd<'_>) {
        let Some(socket) = &self.socket else { return };
        let text = format!("FDSTORE=1\nFDPOLL=0\nFDNAME={name}\n");
        // Who keeps nothing, or not so many, has them closed; a restart then does without.
        let _ = parcels::send(socket, text.as_bytes(), &[listener]);
    }

    /// Nothing of this name is kept any more.
    pub fn forget(&self, name: &str) {
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}\n"));
    }

    /// From here on the service is this process; this one says nothing more.
    pub fn main_process(&mut self, pid: u32) {
        self.send(&format!("MAINPID={pid}\n"));
        *self = Self::default();
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.socket {
            // Nobody may be listening any more; the service goes on regardless.
            let _ = socket.send(text.as_bytes());
        }
    }
}

/// `$WATCHDOG_USEC`, if it is meant for this process.
fn watchdog_of_environment() -> Option<u64> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    number("WATCHDOG_USEC").filter(|us| ours && *us > 0).map(|us| us / 1_000)
}

/// A line end would start another assignment.
fn one_line(text: &str) -> String {
    let cut = text.get(..text.floor_char_boundary(STATUS_MAX)).unwrap_or_default();
    let dots = if cut.len() < text.len() { "..." } else { "" };
    cut.replace(['\n', '\r'], " ") + dots
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 200];
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    #[test]
    fn a_long_status_is_cut() {
        let long = one_line(&"\u{e9}\n".repeat(2_000));
        assert!(long.len() <= STATUS_MAX + 3 && long.ends_with("..."), "{}", long.len());
        assert_eq!(one_line("a\nb"), "a b");
    }

    #[test]
    fn messages_arrive_at_path_and_abstract_sockets() {
        let id = std::process::id();
        let path = std::env::temp_dir().join(format!("pen-notify-{id}"));
        let hidden = format!("pen-notify-test-{id}");
        let at_path = UnixDatagram::bind(&path).unwrap();
        let address = SocketAddr::from_abstract_name(hidden.as_bytes()).unwrap();
        let at_abstract = UnixDatagram::bind_addr(&address).unwrap();
        let names = [path.clone().into_os_string(), format!("@{hidden}").into()];
        for (name, socket) in names.iter().zip([&at_path, &at_abstract]) {
            let notify = Notify::open(name).unwrap();
            notify.ready("two\nlines");
            assert_eq!(received(socket), "READY=1\nSTATUS=two lines\n");
            notify.reloading();
            assert!(received(socket).starts_with("RELOADING=1\nMONOTONIC_USEC="));
            notify.status("ok");
            assert_eq!(received(socket), "STATUS=ok\n");
            notify.stopping();
            assert_eq!(received(socket), "STOPPING=1\n");
            notify.store("tcp=a", socket.as_fd());
            assert_eq!(received(socket), "FDSTORE=1\nFDPOLL=0\nFDNAME=tcp=a\n");
            notify.forget("tcp=a");
            assert_eq!(received(socket), "FDSTOREREMOVE=1\nFDNAME=tcp=a\n");
            let mut notify = notify;
            notify.main_process(7);
            assert_eq!(received(socket), "MAINPID=7\n");
            notify.stopping();
            socket.set_nonblocking(true).unwrap();
            assert!(socket.recv(&mut [0]).is_err());
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn nobody_listening_is_no_trouble() {
        Notify::default().ready("");
        assert!(Notify::open(OsStr::new("/no/such/socket")).is_err());
    }
}
