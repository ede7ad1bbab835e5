//! Both engines over real sockets: the same bytes, ends and back-pressure, and the way from one to
//! the other and back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use pen_core::memory::Stage;

use super::*;

const ALL: [Choice; 3] = [Choice::Auto, Choice::Copy, Choice::Splice];

/// Both ends of a connection; the second does not block.
pub(super) fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    (far, near)
}

/// Bytes in which a shifted or lost piece shows.
pub(super) fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 31 % 251) as u8).collect()
}

/// A flow between the near ends of two connections.
struct Line {
    flow: Flow,
    source: TcpStream,
    sink: TcpStream,
    scratch: Scratch,
}

impl Line {
    fn new(choice: Choice) -> (TcpStream, Self, TcpStream) {
        let ((writer, source), (reader, sink)) = (pair(), pair());
        let mut flow = Flow::default();
        flow.choose(choice);
        (writer, Self { flow, source, sink, scratch: Scratch::new() }, reader)
    }

    /// As after an event.
    fn ready(&mut self) -> Pumped {
        self.flow.source_ready(false);
        self.flow.pump(self.source.as_fd(), self.sink.as_fd(), &mut self.scratch, None)
    }

    fn until(&mut self, done: impl Fn(&Flow, Pumped) -> bool) -> Pumped {
        loop {
            let pumped = self.ready();
            if done(&self.flow, pumped) {
                return pumped;
            }
        }
    }
}

#[test]
fn every_engine_moves_all_bytes_and_then_the_end() {
    for choice in ALL {
        let (mut writer, mut line, mut reader) = Line::new(choice);
        let all = pattern(8 << 20);
        let bytes = all.clone();
        let sending = thread::spawn(move || {
            writer.write_all(&bytes).unwrap();
            writer
        });
        let reading = thread::spawn(move || {
            let mut got = vec![0; 8 << 20];
            reader.read_exact(&mut got).unwrap();
            (got, reader)
        });
        line.until(|flow, _| flow.written == 8 << 20);
        let (got, _reader) = reading.join().unwrap();
        assert!(got == all, "{choice:?}");
        drop(sending.join().unwrap());
        let end = line.until(|_, pumped| matches!(pumped, Pumped::Over(_)));
        assert_eq!(end, Pumped::Over(Outcome::Ended), "{choice:?}");
        assert_eq!((line.flow.read, line.flow.unsent()), (8 << 20, 0));
    }
}

#[test]
fn a_full_sink_stops_every_engine_within_its_bound() {
    for choice in ALL {
        let (mut writer, mut line, reader) = Line::new(choice);
        writer.set_nonblocking(true).unwrap();
        let piece = pattern(64 * 1024);
        let mut stuck = 0;
        while stuck < 100 {
            match writer.write(&piece) {
                Ok(_) => stuck = 0,
                Err(_) => stuck += 1,
            }
            line.ready();
        }
        assert_eq!(line.ready(), Pumped::Blocked, "{choice:?}");
        let held = line.flow.unsent();
        assert!(held > 0 && held <= limits::PIPE_SIZE as u64, "{choice:?} holds {held}");
        assert_eq!(line.flow.read - line.flow.written, held);
        line.flow.end(&mut line.scratch);
        assert_eq!(line.flow.unsent(), 0);
        drop(reader);
    }
}

#[test]
fn nothing_is_read_while_memory_allows_nothing_and_all_of_it_afterwards() {
    for choice in ALL {
        let (mut writer, mut line, mut reader) = Line::new(choice);
        let all = pattern(10_000);
        writer.write_all(&all).unwrap();
        line.scratch.allowance = Allowance::after_look(Stage::Critical, 1, 1, 1);
        line.scratch.allowance.take(limits::MEMORY_TRICKLE);
        assert_eq!(line.ready(), Pumped::Withheld, "{choice:?}");
        assert_eq!((line.flow.read, line.flow.waits()), (0, true), "{choice:?}");
        line.scratch.allowance.give_back(1);
        line.until(|flow, _| flow.written == 10_000);
        let mut got = vec![0; 10_000];
        reader.read_exact(&mut got).unwrap();
        assert!(got == all, "{choice:?}: what passes costs nothing of the allowance");
    }
}

#[test]
fn what_a_slow_reader_pins_counts_until_it_is_gone() {
    for choice in ALL {
        let (mut writer, mut line, _reader) = Line::new(choice);
        writer.set_nonblocking(true).unwrap();
        let allowance = Allowance::after_look(Stage::Calm, 0, 1 << 30, 1);
        line.scratch.allowance = allowance;
        while line.ready() != Pumped::Blocked {
            let _ = writer.write(&pattern(64 * 1024));
        }
        let mut left = allowance;
        left.take(line.flow.unsent());
        assert!(line.flow.unsent() > 0 && line.scratch.allowance == left, "{choice:?}");
        line.flow.end(&mut line.scratch);
        assert_eq!(line.scratch.allowance, allowance, "{choice:?}");
    }
}

#[test]
fn a_bulky_flow_is_spliced_and_a_small_one_copied_again() {
    let (mut writer, mut line, mut reader) = Line::new(Choice::Auto);
    let reading = thread::spawn(move || {
        let mut got = vec![0; 16 << 20];
        reader.read_exact(&mut got).unwrap();
        reader
    });
    let bulk = pattern(16 << 20);
    let sending = thread::spawn(move || {
        writer.write_all(&bulk).unwrap();
        writer
    });
    let mut spliced = false;
    while line.flow.written < 16 << 20 {
        line.ready();
        spliced |= line.flow.piped.is_some();
    }
    assert!(spliced, "16 MiB at once are bulky");
    let (mut writer, mut reader) = (sending.join().unwrap(), reading.join().unwrap());
    for n in 1..=2 * u64::from(limits::SMALL_TURNS) {
        writer.write_all(b"x").unwrap();
        line.until(|flow, _| flow.written == (16 << 20) + n);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 1);
        line.ready();
    }
    assert!(!line.flow.bulky() && line.flow.piped.is_none(), "single bytes are not bulky");
}

#[test]
fn a_tap_sees_every_byte_that_the_pipe_had_not_taken() {
    struct Upper;
    impl Tap for Upper {
        fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason> {
            out.extend(input.iter().map(u8::to_ascii_uppercase));
            Ok(())
        }
        fn finish(&mut self, _out: &mut Vec<u8>) {}
        fn paused(&self) -> bool {
            false
        }
        fn resumed(&mut self) -> bool {
            false
        }
    }
    let (mut writer, mut line, mut reader) = Line::new(Choice::Splice);
    writer.write_all(b"plain").unwrap();
    line.until(|flow, _| flow.written == 5);
    writer.write_all(b"seen").unwrap();
    while line.flow.written < 9 {
        line.flow.source_ready(false);
        let (source, sink) = (line.source.as_fd(), line.sink.as_fd());
        line.flow.pump(source, sink, &mut line.scratch, Some(&mut Upper));
    }
    let mut got = [0; 9];
    reader.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"plainSEEN");
}

#[test]
fn what_was_read_early_comes_first() {
    for choice in ALL {
        for early in [0, 1, 70_000] {
            let all = pattern(early + 500);
            let (mut writer, mut line, mut reader) = Line::new(choice);
            line.flow.begin_with(all[..early].to_vec());
            assert_eq!(line.flow.unsent(), early as u64, "{choice:?}");
            writer.write_all(&all[early..]).unwrap();
            drop(writer);
            let reading = thread::spawn(move || {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).map(|_| bytes)
            });
            let over = line.until(|_, p| matches!(p, Pumped::Over(_)));
            assert_eq!(over, Pumped::Over(Outcome::Ended));
            let moved = (line.flow.read, line.flow.written, line.flow.unsent());
            assert_eq!(moved, (all.len() as u64, all.len() as u64, 0), "{choice:?} {early}");
            line.sink.shutdown(std::net::Shutdown::Write).unwrap();
            assert!(reading.join().unwrap().unwrap() == all, "{choice:?} {early}: other bytes");
        }
    }
}

#[test]
fn every_input_of_the_fuzzer_keeps_the_promises() {
    pen_fuzz::corpus::check("relay", &witness::seeds(), witness::run);
}

#[test]
fn whatever_happens_in_whatever_order_keeps_the_promises() {
    let mut dice = pen_fuzz::dice::Dice(1);
    let seeds = witness::seeds();
    for n in 0..300 {
        // Every other one goes on from where a seed has led.
        let mut input = match seeds.get(dice.roll(seeds.len())) {
            Some((_, seed)) if n % 2 == 0 => seed.clone(),
            _ => Vec::new(),
        };
        input.truncate(2 * dice.roll(1 + input.len() / 2));
        let length = 2 + 2 * dice.roll(120);
        input.extend((0..length).map(|_| dice.roll(256) as u8));
        println!("{input:?}");
        witness::run(&input);
    }
}

#[test]
#[ignore = "writes the corpus of the fuzzer"]
fn write_the_corpus() {
    pen_fuzz::corpus::write("relay", &witness::seeds()).unwrap();
}

#[test]
fn what_a_unix_socket_was_given_counts_as_held_and_is_little_while_memory_is_short() {
    for choice in ALL {
        let ((mut writer, source), (mut reader, sink)) = (pair(), UnixStream::pair().unwrap());
        sink.set_nonblocking(true).unwrap();
        let (mut flow, mut scratch) = (Flow::default(), Scratch::new());
        flow.choose(choice);
        flow.leads_to_unix(true);
        let mut ready = |scratch: &mut Scratch| {
            flow.source_ready(false);
            let pumped = flow.pump(source.as_fd(), sink.as_fd(), scratch, None);
            (pumped, flow.written)
        };
        let mut left = Allowance::after_look(Stage::Calm, 0, 1 << 30, 1);
        scratch.allowance = left;
        writer.write_all(b"hello").unwrap();
        assert_eq!(ready(&mut scratch), (Pumped::Drained, 5), "{choice:?}");
        left.take(5);
        assert_eq!(scratch.allowance, left, "{choice:?}: written, and not given back");
        writer.write_all(&pattern(10_000)).unwrap();
        scratch.allowance = Allowance::after_look(Stage::Tight, 0, 1 << 30, 1);
        assert_eq!(ready(&mut scratch), (Pumped::Blocked, 5), "{choice:?}: the first is unread");
        reader.read_exact(&mut [0; 5]).unwrap();
        let (pumped, written) = ready(&mut scratch);
        assert!(
            pumped == Pumped::Blocked && written <= 5 + limits::READ_TIGHT as u64,
            "{choice:?}"
        );
        scratch.allowance = Allowance::BOUNDLESS;
        assert_eq!(ready(&mut scratch).1, 10_005, "{choice:?}");
        let mut got = vec![0; 10_000];
        reader.read_exact(&mut got).unwrap();
        assert!(got == pattern(10_000), "{choice:?}");
    }
}
