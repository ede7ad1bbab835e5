//! What is said to the operator: on standard error in the foreground, to syslog in the background.

use std::io::{self, Write};
use std::path::Path;

use pen_sys::syslog::{self, Priority, Syslog};
use pen_sys::{clock, localtime};

/// The way to the operator.
pub(super) struct Voice(Option<Syslog>);

impl Voice {
    /// Opened before a jail hides the log daemon's socket.
    pub(super) fn open(background: bool) -> Self {
        Self(background.then(|| Syslog::open(Path::new(syslog::PATH), super::NAME)))
    }

    /// One line. Nobody may hear it; there is nobody else to tell.
    pub(super) fn say(&mut self, text: &str) {
        let wall = clock::wall_seconds();
        match &mut self.0 {
            Some(log) => {
                let _ = log.send(Priority::Debug, wall, text);
            }
            None => {
                let _ = writeln!(io::stderr(), "{}: {text}", localtime::stamp(wall));
            }
        }
    }
}
