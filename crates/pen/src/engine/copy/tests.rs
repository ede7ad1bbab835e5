//! The copying engine over real sockets: order, ends, resets, back-pressure, taps.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;

use pen_core::limits;
use pen_core::reasons::CloseReason;
use pen_core::relay::Outcome;

use super::super::tests::{pair, pattern};
use super::super::{Flow, Pumped, Scratch, Tap};

/// Two TCP connections with a flow between their near ends.
struct Line {
    writer: TcpStream,
    source: TcpStream,
    sink: TcpStream,
    reader: TcpStream,
    flow: Flow,
    scratch: Scratch,
}

impl Line {
    fn new() -> Self {
        let ((writer, source), (reader, sink)) = (pair(), pair());
        Self { writer, source, sink, reader, flow: Flow::default(), scratch: Scratch::new() }
    }

    fn pump(&mut self) -> Pumped {
        self.flow.pump(self.source.as_fd(), self.sink.as_fd(), &mut self.scratch, None)
    }

    /// As after an event.
    fn ready(&mut self) -> Pumped {
        self.flow.source_ready(false);
        self.pump()
    }

    fn read(&mut self, n: usize) -> Vec<u8> {
        let mut bytes = vec![0; n];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }
}

#[test]
fn bytes_then_the_end() {
    let mut line = Line::new();
    line.writer.write_all(b"hello").unwrap();
    assert_eq!(line.ready(), Pumped::Drained);
    assert_eq!(line.read(5), b"hello");
    line.writer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(line.ready(), Pumped::Over(Outcome::Ended));
    assert_eq!((line.flow.read, line.flow.written, line.flow.unsent()), (5, 5, 0));
}

#[test]
fn the_second_write_is_not_delayed() {
    let mut line = Line::new();
    for (n, prompt) in [(1, false), (2, true)] {
        line.writer.write_all(b"one").unwrap();
        while line.flow.written < 3 * n {
            line.ready();
        }
        assert_eq!(line.sink.nodelay().unwrap(), prompt);
    }
}

#[test]
fn an_announced_end_needs_no_further_read() {
    let mut line = Line::new();
    line.writer.write_all(b"bye").unwrap();
    line.writer.shutdown(std::net::Shutdown::Write).unwrap();
    line.flow.source_ready(true);
    assert_eq!(line.pump(), Pumped::Over(Outcome::Ended));
    assert_eq!(line.read(3), b"bye");
}

#[test]
fn a_slow_sink_stops_the_source_and_loses_nothing() {
    let mut line = Line::new();
    // So much data would be spliced otherwise, and wait in a pipe.
    line.flow.choose(pen_core::config::Engine::Copy);
    let all = pattern(16 * 1024 * 1024);
    let mut writer = line.writer.try_clone().unwrap();
    let bytes = all.clone();
    let sending = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
    while line.ready() != Pumped::Blocked {}
    assert!(line.flow.unsent() > 0 && line.flow.unsent() <= limits::SCRATCH as u64);
    let read = line.flow.read;
    assert_eq!(line.ready(), Pumped::Blocked);
    assert_eq!(line.flow.read, read, "the source is not read while the sink is full");
    let mut reader = line.reader.try_clone().unwrap();
    let want = all.len();
    let reading = std::thread::spawn(move || {
        let mut got = vec![0; want];
        reader.read_exact(&mut got).unwrap();
        got
    });
    while line.flow.written < want as u64 {
        line.ready();
    }
    sending.join().unwrap();
    assert!(reading.join().unwrap() == all);
    assert_eq!(line.flow.unsent(), 0);
}

#[test]
fn a_reset_comes_after_the_bytes_before_it() {
    let mut line = Line::new();
    line.writer.write_all(b"part").unwrap();
    while line.source.peek(&mut [0; 8]).unwrap_or(0) < 4 {}
    pen_sys::sockets::reset(line.writer.try_clone().unwrap().into());
    drop(line.writer);
    let pumped = loop {
        line.flow.source_ready(false);
        let pumped =
            line.flow.pump(line.source.as_fd(), line.sink.as_fd(), &mut line.scratch, None);
        if pumped != Pumped::Drained {
            break pumped;
        }
    };
    assert_eq!(pumped, Pumped::Over(Outcome::SourceReset));
    let mut bytes = [0; 4];
    line.reader.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"part");
}

#[test]
fn an_announced_error_is_read_to_without_further_events() {
    let mut line = Line::new();
    line.writer.write_all(b"part").unwrap();
    pen_sys::sockets::reset(line.writer.try_clone().unwrap().into());
    drop(std::mem::replace(&mut line.writer, pair().0));
    let mut poll = [rustix::event::PollFd::new(&line.source, rustix::event::PollFlags::IN)];
    while !poll[0].revents().contains(rustix::event::PollFlags::ERR) {
        rustix::event::poll(&mut poll, None).unwrap();
    }
    line.flow.read_to_the_last();
    line.flow.source_ready(false);
    let pumped = line.flow.pump(line.source.as_fd(), line.sink.as_fd(), &mut line.scratch, None);
    assert_eq!(pumped, Pumped::Over(Outcome::SourceReset));
    assert_eq!(line.read(4), b"part");
}

#[test]
fn a_dead_sink_is_told() {
    let mut line = Line::new();
    let (far, near) = pair();
    let mut closed = std::mem::replace(&mut line.reader, far);
    let _ = closed.write_all(b"");
    pen_sys::sockets::reset(closed.into());
    line.writer.write_all(b"nobody hears").unwrap();
    let pumped = loop {
        match line.ready() {
            Pumped::Drained => line.writer.write_all(b"again").unwrap(),
            other => break other,
        }
    };
    assert_eq!(pumped, Pumped::Over(Outcome::SinkReset));
    drop(near);
}

/// Doubles every byte, pauses after a full stop, refuses an exclamation mark.
#[derive(Default)]
struct Doubler {
    paused: bool,
    was_paused: bool,
    held: Vec<u8>,
}

impl Tap for Doubler {
    fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
        out.append(&mut self.held);
        for byte in input {
            match byte {
                b'!' => return Err(CloseReason::HeadTooLong),
                b'.' => (self.paused, self.was_paused) = (true, true),
                _ if self.paused => self.held.extend([*byte; 2]),
                _ => out.extend([*byte; 2]),
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        out.push(b'$');
    }

    fn paused(&self) -> bool {
        self.paused
    }

    fn resumed(&mut self) -> bool {
        !self.paused && std::mem::take(&mut self.was_paused)
    }
}

#[test]
fn a_tap_changes_pauses_finishes_and_refuses() {
    let mut line = Line::new();
    let mut tap = Doubler::default();
    let pump = |line: &mut Line, tap: &mut Doubler| {
        line.flow.source_ready(false);
        line.flow.pump(line.source.as_fd(), line.sink.as_fd(), &mut line.scratch, Some(tap))
    };
    line.writer.write_all(b"ab.c").unwrap();
    assert_eq!(pump(&mut line, &mut tap), Pumped::Paused);
    assert_eq!(line.read(4), b"aabb");
    tap.paused = false;
    assert_eq!(pump(&mut line, &mut tap), Pumped::Drained);
    assert_eq!(line.read(2), b"cc");
    line.writer.write_all(b"!").unwrap();
    assert_eq!(pump(&mut line, &mut tap), Pumped::Refused(CloseReason::HeadTooLong));

    let mut line = Line::new();
    let mut tap = Doubler::default();
    line.writer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(pump(&mut line, &mut tap), Pumped::Over(Outcome::Ended));
    assert_eq!(line.read(1), b"$");
}
