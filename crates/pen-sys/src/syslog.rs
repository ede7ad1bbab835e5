//! Lines to the system's log over its datagram socket.
//!
//! A line that cannot be sent is an error for the caller to count. Deliberately not here: the socket
//! (`letterbox`), queues, escaping, priorities by topic.

use std::io;
use std::path::Path;

use crate::letterbox::Letterbox;
use crate::localtime;

/// Where the log daemon listens.
pub const PATH: &str = "/dev/log";
/// Facility `user`, already shifted.
const FACILITY_USER: u8 = 8;

/// How important a line is; the numbers are syslog's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Something failed.
    Error = 3,
    /// Something may fail.
    Warning = 4,
    /// Normal but worth knowing.
    Notice = 5,
    /// What happens all the time.
    Info = 6,
    /// For the curious; all that the classic ever used.
    Debug = 7,
}

/// The way to the log daemon.
#[derive(Debug)]
pub struct Syslog {
    letterbox: Letterbox,
    name: String,
}

impl Syslog {
    /// Connects to the log daemon at `path` ([`PATH`] but for tests); lines are signed
    /// `name[pid]`. A daemon that is not there is looked for again later.
    #[must_use]
    pub fn open(path: &Path, name: &str) -> Self {
        Self { letterbox: Letterbox::open(path), name: name.to_owned() }
    }

    /// Sends one line, stamped with the time `wall` (seconds since 1970). Never blocks.
    ///
    /// # Errors
    /// The line is lost: nobody listens (`NotConnected` between two attempts), or the daemon's
    /// queue is full (`WouldBlock`).
    pub fn send(&mut self, priority: Priority, wall: i64, text: &str) -> io::Result<()> {
        let line = format!(
            "<{}>{} {}[{}]: {text}",
            FACILITY_USER | priority as u8,
            localtime::syslog_stamp(wall),
            self.name,
            std::process::id()
        );
        self.letterbox.post(line.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use super::*;
    use crate::clock;

    fn received(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut buffer = [0; 500];
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    #[test]
    fn lines_arrive_and_survive_a_new_daemon() {
        let path = std::env::temp_dir().join(format!("pen-syslog-{}", std::process::id()));
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut log = Syslog::open(&path, "pen");
        log.send(Priority::Debug, 1_700_000_000, "hello: world").unwrap();
        let line = received(&daemon);
        assert!(line.starts_with("<15>Nov 1"), "{line}");
        let end = format!(" pen[{}]: hello: world", std::process::id());
        assert!(line.ends_with(&end), "{line}");

        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        assert!(log.send(Priority::Error, 0, "lost").is_err());
        let daemon = UnixDatagram::bind(&path).unwrap();
        let deadline = clock::monotonic_ms() + 5_000;
        while log.send(Priority::Error, 0, "back").is_err() {
            assert!(clock::monotonic_ms() < deadline);
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(received(&daemon).starts_with("<11>"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_daemon_that_does_not_read_never_blocks() {
        let path = std::env::temp_dir().join(format!("pen-syslog-full-{}", std::process::id()));
        let _deaf = UnixDatagram::bind(&path).unwrap();
        let mut log = Syslog::open(&path, "pen");
        let full = (0..100_000).find_map(|_| log.send(Priority::Debug, 0, "x").err());
        assert_eq!(full.map(|e| e.kind()), Some(io::ErrorKind::WouldBlock));
        std::fs::remove_file(&path).unwrap();
    }
}
