//! `dummy`: Pen answers clients itself, as a tiny web server. Servers are not contacted.

use std::os::fd::AsFd;

use pen_core::reasons::CloseReason;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::Worker;
use super::ending::Manner;
use crate::engine::Scratch;

const BODY: &str = "<html><body><h1>It works</h1><p>Pen answers.</p></body></html>\n";

impl Worker {
    /// The client's first bytes are there.
    pub(super) fn answer_dummy(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(down) = conn.down.as_ref() else { return };
        match read_all(&mut self.scratch, down.as_fd()) {
            Ok(0) => return self.finish(key, Manner::Close, CloseReason::ClientFinished),
            Ok(n) => conn.from_client.read += n as u64,
            Err(Errno::AGAIN) => return,
            Err(_) => return self.finish(key, Manner::Reset, CloseReason::ClientReset),
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Type: text/html\r\n\
             Connection: close\r\n\r\n{BODY}",
            BODY.len()
        );
        // A fresh socket takes some hundred bytes; if it does not, the client gets what it took.
        let sent = send(down, answer.as_bytes(), SendFlags::NOSIGNAL).unwrap_or(0);
        conn.from_server.written += sent as u64;
        self.close_flushed(key, CloseReason::DummyAnswered);
    }
}

fn read_all(scratch: &mut Scratch, socket: std::os::fd::BorrowedFd<'_>) -> Result<usize, Errno> {
    recv(socket, scratch.bytes(), RecvFlags::empty()).map(|(n, _)| n)
}
