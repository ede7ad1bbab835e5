//! `dummy`: Pen answers clients itself, as a tiny web server. Servers are not contacted.

use std::os::fd::AsFd;

use pen_core::reasons::CloseReason;
use pen_core::relay::Outcome;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::Worker;
use super::ending::Manner;
use crate::engine::{Scratch, Wire};

const BODY: &str = "<html><body><h1>It works</h1><p>Pen answers.</p></body></html>\n";

impl Worker {
    /// The client's first bytes are there.
    pub(super) fn answer_dummy(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(down) = conn.down.as_ref() else { return };
        let heard = match conn.down_tls.as_mut() {
            None => read_all(&mut self.scratch, down.as_fd()),
            Some(session) => match (session.take_opened().len(), conn.from_client.source_end()) {
                (0, Some(Outcome::Ended)) => Ok(0),
                (0, Some(_)) => Err(Errno::CONNRESET),
                (n, _) => Ok(n),
            },
        };
        match heard {
            Ok(0) => return self.finish(key, Manner::Close, CloseReason::ClientFinished),
            Ok(n) => conn.from_client.read += n as u64,
            Err(Errno::AGAIN) => return,
            Err(_) => return self.finish(key, Manner::Reset, CloseReason::ClientReset),
        }
        self.reply_dummy(key);
    }

    /// Answers a client whose first bytes were read.
    pub(super) fn reply_dummy(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(down) = conn.down.as_ref() else { return };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: text/html\r\n\
             Connection: close\r\n\r\n{BODY}",
            BODY.len()
        );
        // A fresh socket takes some hundred bytes; if it does not, the client gets what it took.
        let mut wire = Wire::default();
        let bytes = match conn.down_tls.as_mut() {
            None => answer.as_bytes(),
            Some(session) => {
                // A session that cannot say it any more has an end that says so.
                let _ = session.seal(answer.as_bytes(), &mut wire);
                let _ = session.close(&mut wire);
                wire.bytes()
            }
        };
        let sent = send(down, bytes, SendFlags::NOSIGNAL).unwrap_or(0);
        conn.from_server.written += sent.min(answer.len()) as u64;
        self.close_flushed(key, CloseReason::DummyAnswered);
    }
}

fn read_all(scratch: &mut Scratch, socket: std::os::fd::BorrowedFd<'_>) -> Result<usize, Errno> {
    recv(socket, scratch.bytes(), RecvFlags::empty()).map(|(n, _)| n)
}
