//! What is counted equals what happened.

mod hostile;
mod overview;
mod web;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use pen_test::{deadline, dial_from, free_port};
use serde_json::Value;

/// The address of `metrics` of a pen, and how it is asked.
#[derive(Clone, Copy, Debug)]
struct Page(SocketAddr);

/// An answer taken apart.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Page {
    fn free() -> Self {
        Self(([127, 0, 0, 1], free_port()).into())
    }

    fn command(self) -> String {
        format!("metrics {}", self.0)
    }

    fn connect(self) -> TcpStream {
        let stream = TcpStream::connect_timeout(&self.0, deadline()).expect("metrics are shown");
        stream.set_read_timeout(Some(deadline())).expect("a deadline is no 0");
        stream
    }

    fn connect_from(self, source: &str) -> TcpStream {
        let from = SocketAddr::new(source.parse().expect("an address"), 0);
        let stream = dial_from(from, self.0, deadline()).expect("metrics are shown");
        stream.set_read_timeout(Some(deadline())).expect("a deadline is no 0");
        stream
    }

    fn get(self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.0))
    }

    fn send(self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("it takes requests");
        Answer::read(&mut stream).expect("it answers")
    }

    fn status(self) -> Value {
        let answer = self.get("/status.json");
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_str(&answer.body).expect("status.json is JSON")
    }
}

impl Answer {
    /// One answer; the connection may go on.
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(bytes).expect("heads are text");
        let field = |name: &str| {
            let line = head.lines().find(|l| l.to_ascii_lowercase().starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let status = head.split(' ').nth(1).expect("a status line").parse().expect("a status");
        let length: usize = field("content-length:").expect("a length").parse().expect("a number");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("as long as it said");
        Some(Self { status, head, body: String::from_utf8(body).expect("bodies are text") })
    }
}
