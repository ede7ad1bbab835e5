//! Standard output and standard error, for which nobody waits for ever.
//!
//! Their descriptors are shared with others, so they cannot be told not to wait. Before each write the
//! kernel is asked whether there is room. A reader who is only slow is given a moment; one who has had it
//! in vain gets no other until there is room again.

use std::io::{self, Write};
use std::os::fd::AsFd;

use pen_core::limits;
use pen_sys::files;
use rustix::io::Errno;

/// Standard output or standard error.
pub(super) struct Patient<F> {
    stream: F,
    /// The last moment was given in vain.
    stuck: bool,
}

impl<F: AsFd> Patient<F> {
    pub(super) fn new(stream: F) -> Self {
        Self { stream, stuck: false }
    }
}

impl<F: AsFd> Write for Patient<F> {
    // Not through the standard library's handle: a write that is stuck after all would keep its lock
    // from everybody else.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let patience_ms = if self.stuck { 0 } else { limits::READER_MOMENT_MS };
        let written = files::write_piece(&self.stream, bytes, patience_ms);
        self.stuck = written == Err(Errno::AGAIN);
        Ok(written?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read() {
        let (reader, writer) = io::pipe().unwrap();
        let mut patient = Patient::new(writer);
        let begin = Instant::now();
        let full = (0..1_000).find_map(|_| patient.write_all(&[b'x'; 1_000]).err());
        assert_eq!(full.map(|e| e.kind()), Some(io::ErrorKind::WouldBlock));
        for _ in 0..1_000 {
            assert!(patient.write_all(b"more").is_err());
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "one moment, not a thousand");
        let mut some = vec![0; 64 * 1024];
        let mut reader = reader;
        assert!(io::Read::read(&mut reader, &mut some).unwrap() > 0);
        patient.write_all(b"again").unwrap();
    }
}
