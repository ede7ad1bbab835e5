//! penlog and penlogd together, from outside: IPv6 and names, lines of every length, junk, rotation,
//! the end, bounded memory.
#![forbid(unsafe_code)]

use std::io::Write;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use pen_test::{Program, Scratch, Sig, Vitals, free_port, until};

const PENLOG: &str = env!("CARGO_BIN_EXE_penlog");
const PENLOGD: &str = env!("CARGO_BIN_EXE_penlogd");

struct Collector {
    program: Program,
    scratch: Scratch,
    port: u16,
}

impl Collector {
    fn start(args: &[&str]) -> Self {
        Self::launch(&[&["-b"], args].concat())
    }

    /// It may keep lines back for a moment.
    fn launch(args: &[&str]) -> Self {
        let (scratch, port) = (Scratch::new(), free_port());
        let mut command = Command::new(PENLOGD);
        command.args(["-f", "-l", "log", "-p", "pid"]).args(args).arg(port.to_string());
        let mut collector = Self { program: Program::start(command, &scratch), scratch, port };
        until("penlogd to receive", || {
            assert_eq!(collector.program.ended(), None, "{}", collector.program.stderr());
            collector.scratch.path("pid").exists().then_some(())
        });
        collector
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.path("log")).unwrap_or_default()
    }

    /// A socket that sends to it.
    fn sender(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(("127.0.0.1", self.port)).expect("loopback");
        socket
    }

    /// Ends it; answers the log and what it said at the end.
    fn end(self) -> (String, String) {
        Sig::Term.send(self.program.pid());
        let Self { program, scratch, .. } = self;
        let finished = program.finished();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(!scratch.path("pid").exists());
        let log = std::fs::read_to_string(scratch.path("log")).expect("a log");
        (log, finished.stderr)
    }
}

fn penlog(words: &[&str]) -> Child {
    let mut command = Command::new(PENLOG);
    command.args(words).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// Sends a text and answers what penlog said.
fn sent(words: &[&str], text: &str) -> String {
    let mut child = penlog(words);
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it takes bytes");
    let ended = child.wait_with_output().expect("its end");
    assert_eq!(ended.status.code(), Some(0));
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

fn web(request: &str) -> String {
    format!("x - - [09/Jan/2002:00:28:50 +0100] \"{request}\" 200 1\n")
}

#[test]
fn addresses_of_both_kinds_and_names() {
    let collector = Collector::start(&[]);
    let port = collector.port.to_string();
    for (n, (words, server)) in [
        (vec!["::1", &port], "::1"),
        (vec!["[::1]", &port, "::1"], "::1"),
        (vec!["localhost", &port], "127.0.0.1"),
        (vec!["localhost", &port, "127.0.0.9"], "127.0.0.9"),
        (vec!["127.0.0.1", &port, "localhost"], "127.0.0.1"),
    ]
    .into_iter()
    .enumerate()
    {
        let request = format!("GET /{n}");
        let said = sent(&words, &format!("+ 2001:db8::{n} {server} {request}\n{}", web(&request)));
        assert_eq!(said, "");
        let expected = format!("2001:db8::{n} - - ");
        until("the line", || collector.log().contains(&expected).then_some(()));
    }
    collector.end();
}

#[test]
fn lines_of_every_length_and_junk() {
    let collector = Collector::start(&[]);
    let port = collector.port.to_string();
    let mut expected = String::new();
    for len in [1_023, 1_024, 1_025, 5_000, 64_000] {
        let text = web(&format!("GET /{}", "x".repeat(len - web("GET /").len())));
        assert_eq!(sent(&["127.0.0.1", &port], &text), "");
        expected += &text;
        until("the line", || (collector.log() == expected).then_some(()));
    }
    let text = format!("{}{}", web(&format!("GET / {}", "x".repeat(200_000))), web("GET /after"));
    let said = sent(&["127.0.0.1", &port], &text);
    assert!(said.contains("1 lines were longer than 65000 bytes"), "{said}");
    expected += &web("GET /after");
    until("the line after", || {
        collector.log().ends_with(&expected[expected.len() - 60..]).then_some(())
    });
    let sender = collector.sender();
    for junk in [&b""[..], b"\n", b"+", b"+ two words\n", b"\xff\0\"", &[b'+'; 60_000]] {
        sender.send(junk).unwrap();
    }
    sender.send(web("GET /\u{1b}[2J").as_bytes()).unwrap();
    until("the last line", || collector.log().ends_with("GET /\\x1b[2J\" 200 1\n").then_some(()));
    let (log, said) = collector.end();
    assert_eq!(log, expected + &web("GET /\\x1b[2J"));
    // The cut line has one quote only, so it is junk as well.
    assert!(said.contains("(client found 0, not found 7), junk 7,"), "{said}");
}

#[test]
fn rotation_and_a_log_that_cannot_be_opened() {
    let collector = Collector::start(&[]);
    let sender = collector.sender();
    let log = collector.scratch.path("log");
    sender.send(web("GET /1").as_bytes()).unwrap();
    until("the first line", || (collector.log() == web("GET /1")).then_some(()));
    std::fs::rename(&log, collector.scratch.path("log.1")).unwrap();
    std::fs::create_dir(&log).unwrap();
    Sig::Hup.send(collector.program.pid());
    until("a word about it", || collector.program.stderr().contains("log log: ").then_some(()));
    sender.send(web("GET /2").as_bytes()).unwrap();
    let old = collector.scratch.path("log.1");
    let both = web("GET /1") + &web("GET /2");
    until("the old log to go on", || {
        (std::fs::read_to_string(&old).unwrap() == both).then_some(())
    });
    std::fs::remove_dir(&log).unwrap();
    Sig::Hup.send(collector.program.pid());
    until("the new log", || log.exists().then_some(()));
    sender.send(web("GET /3").as_bytes()).unwrap();
    until("the third line", || (collector.log() == web("GET /3")).then_some(()));
    collector.end();
}

#[test]
fn what_has_arrived_is_written_at_the_end() {
    for collector in [Collector::start(&[]), Collector::launch(&[])] {
        arrived_before_the_end(collector);
    }
}

fn arrived_before_the_end(collector: Collector) {
    let sender = collector.sender();
    Sig::Stop.send(collector.program.pid());
    for n in 0..50 {
        sender.send(web(&format!("GET /{n}")).as_bytes()).expect("loopback");
    }
    Sig::Term.send(collector.program.pid());
    Sig::Cont.send(collector.program.pid());
    let (log, said) = collector.end();
    assert_eq!(log.lines().count(), 50);
    assert!(said.contains("lost in the kernel's queue 0, not written 0"), "{said}");
}

#[test]
fn a_flood_of_entries_takes_bounded_memory() {
    let collector = Collector::start(&["-n", "100"]);
    let sender = collector.sender();
    let resident = || Vitals::of(collector.program.pid()).expect("it runs").rss_kib;
    let flood = |from: u32| {
        for n in from..from + 40_000 {
            let entry = format!("+ 10.0.0.1 127.0.0.1 GET /{n}{}\n", "x".repeat(500));
            sender.send(entry.as_bytes()).unwrap();
        }
        // What is sent too fast is lost by the kernel; the rest has been taken when this is there.
        let last = format!("GET /last{from}");
        until("the last one", || {
            sender.send(web(&last).as_bytes()).unwrap();
            collector.log().contains(&last).then_some(())
        });
    };
    flood(0);
    let before = resident();
    flood(100_000);
    assert!(resident() < before + 2_000, "{before} KiB became {} KiB", resident());
    let (_, said) = collector.end();
    assert!(said.contains("remembered 100, forgotten"), "{said}");
}

#[test]
fn nobody_listens() {
    let port = free_port().to_string();
    let mut child = penlog(&["127.0.0.1", &port]);
    let mut stdin = child.stdin.take().expect("a pipe");
    for _ in 0..100 {
        stdin.write_all(b"line\n").unwrap();
    }
    drop(stdin);
    let ended = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0));
    assert!(
        said.contains("lines are lost so far, 127.0.0.1") && said.contains("refused"),
        "{said}"
    );
}

#[test]
fn term_sends_what_is_there() {
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a port");
    receiver.set_read_timeout(Some(pen_test::deadline())).unwrap();
    let port = receiver.local_addr().unwrap().port().to_string();
    let mut child = penlog(&["127.0.0.1", &port]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut piece = [0; 100];
    stdin.write_all(b"first\n").unwrap();
    let n = receiver.recv(&mut piece).unwrap();
    assert_eq!(piece.get(..n), Some(&b"first\n"[..]));
    Sig::Stop.send(child.id());
    stdin.write_all(b"second\nhalf").unwrap();
    Sig::Term.send(child.id());
    Sig::Cont.send(child.id());
    for expected in [&b"second\n"[..], b"half"] {
        let n = receiver.recv(&mut piece).unwrap();
        assert_eq!(piece.get(..n), Some(expected));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
