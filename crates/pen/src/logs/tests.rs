//! The log thread with real files, sockets and a stuck standard error.

use std::io::{self, Write};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// Stands for standard error: what is written can be read, and writing can be stopped.
#[derive(Clone, Default)]
struct Paper {
    text: Arc<Mutex<String>>,
    gate: Arc<Mutex<()>>,
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _open = self.gate.lock().unwrap();
        self.text.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

fn foreground() -> (Logs, JoinHandle<()>, Paper) {
    let paper = Paper::default();
    let sinks = Sinks::new(Box::new(paper.clone()), None);
    let (logs, thread) = Logs::start_with(sinks, 1).unwrap();
    (logs, thread, paper)
}

fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pen-logs-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn batch(form: Form, lines: &[&str]) -> Batch {
    let mut batch = Batch::new(form);
    for line in lines {
        batch.push(|out| out.extend_from_slice(line.as_bytes()));
    }
    batch
}

fn file(path: &std::path::Path) -> Target {
    Target::open(&Place::File(path.to_owned())).unwrap()
}

#[test]
fn messages_are_stamped_escaped_and_chosen_by_level() {
    let (logs, thread, paper) = foreground();
    logs.say(Level::Always, || "one\ntwo".to_owned());
    logs.say(Level::Debug(1), || "debug".to_owned());
    logs.say(Level::Debug(2), || panic!("must not be asked"));
    logs.set_debug(2);
    logs.say_lines(Level::Debug(2), || "first\nsec\x07ond\n".to_owned());
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    let text = paper.text();
    let lines: Vec<&str> = text.lines().collect();
    let said: Vec<&str> = lines.iter().filter_map(|l| l.get(19..)).collect();
    assert_eq!(said, [": one\\x0atwo", ": debug", ": first", ": sec\\x07ond"]);
    assert!(lines.iter().all(|l| l.starts_with("20") && l.as_bytes()[10] == b' '));
}

#[test]
fn silence_begins_when_the_level_is_set() {
    let (logs, _thread, paper) = foreground();
    logs.set_debug(1);
    for n in 0..200 {
        logs.say(Level::Debug(1), || format!("line {n}"));
    }
    logs.set_debug(0);
    assert_eq!(paper.text().lines().count(), 200);
}

#[test]
fn what_traffic_says_is_bounded_and_counted() {
    let (logs, thread, paper) = foreground();
    for n in 0..1_000 {
        logs.say_often(Topic::NoServer, Level::Always, || format!("client {n}"));
    }
    let deadline = Instant::now() + PATIENCE;
    while !paper.text().contains("left out") {
        assert!(Instant::now() < deadline, "{}", paper.text());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    let said = paper.text().matches(": client ").count();
    // The loop may cross the edge of a second.
    assert!(said <= 2 * limits::MESSAGES_PER_S as usize, "{said}");
}

#[test]
fn background_messages_go_to_syslog_and_important_ones_to_the_terminal_at_first() {
    let socket = path("syslog");
    let daemon = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    daemon.set_read_timeout(Some(PATIENCE)).unwrap();
    let paper = Paper::default();
    let syslog = pen_sys::syslog::Syslog::open(&socket, "pen");
    let sinks = Sinks::new(Box::new(paper.clone()), Some(syslog));
    let (logs, thread) = Logs::start_with(sinks, 1).unwrap();
    logs.say(Level::Debug(1), || "curious".to_owned());
    logs.say(Level::Always, || "important".to_owned());
    assert!(logs.started(PATIENCE));
    logs.say(Level::Always, || "later".to_owned());
    for word in ["curious", "important", "later"] {
        let mut buffer = [0; 200];
        let n = daemon.recv(&mut buffer).unwrap();
        let line = String::from_utf8_lossy(&buffer[..n]).into_owned();
        assert!(line.starts_with("<15>") && line.ends_with(&format!("]: {word}")), "{line}");
    }
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    assert!(paper.text().ends_with(": important\n") && !paper.text().contains("curious"));
    std::fs::remove_file(&socket).unwrap();
}

#[test]
fn a_stuck_writer_never_holds_up_those_who_hand_over() {
    let (logs, thread, paper) = foreground();
    let log = path("stuck");
    logs.install(LogId(1), file(&log), Shape::Classic).unwrap();
    let gate = Arc::clone(&paper.gate);
    let closed = gate.lock().unwrap();
    logs.say(Level::Always, || "stuck".to_owned());
    let begin = Instant::now();
    let queue = limits::LOG_QUEUE as u64;
    for _ in 0..queue * 2 {
        logs.lines(LogId(1), batch(Form::File, &["line\n", "line\n"]));
    }
    logs.say(Level::Always, || "lost".to_owned());
    logs.reopen_all().unwrap();
    assert!(!logs.flush(Duration::from_millis(50)));
    assert!(begin.elapsed() < PATIENCE);
    drop(closed);
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    let written = std::fs::read_to_string(&log).unwrap().lines().count() as u64;
    let text = paper.text();
    let (_, count) = text.split_once("1 messages were lost").expect("reported");
    let count = count.lines().find(|l| l.contains("log lines were lost")).expect("reported");
    let lost: u64 = count.split_ascii_whitespace().nth(2).unwrap().parse().unwrap();
    assert_eq!(written + lost, queue * 4);
    std::fs::remove_file(&log).unwrap();
}

#[test]
fn files_are_appended_switched_rotated_and_closed() {
    let (logs, thread, paper) = foreground();
    let (one, two) = (path("one"), path("two"));
    std::fs::write(&one, "old\n").unwrap();
    logs.lines(LogId(7), batch(Form::File, &["no log yet\n"]));
    logs.install(LogId(7), file(&one), Shape::Classic).unwrap();
    logs.lines(LogId(7), batch(Form::File, &["a\n", "b\n"]));
    logs.install(LogId(7), file(&two), Shape::Classic).unwrap();
    logs.lines(LogId(7), batch(Form::File, &["c\n"]));
    assert!(logs.flush(PATIENCE));
    assert_eq!(std::fs::read_to_string(&one).unwrap(), "old\na\nb\n");
    assert_eq!(std::fs::read_to_string(&two).unwrap(), "c\n");

    let moved = path("moved");
    std::fs::rename(&two, &moved).unwrap();
    logs.reopen_all().unwrap();
    logs.lines(LogId(7), batch(Form::File, &["d\n"]));
    assert!(logs.flush(PATIENCE));
    assert_eq!(std::fs::read_to_string(&moved).unwrap(), "c\n");
    assert_eq!(std::fs::read_to_string(&two).unwrap(), "d\n");

    std::fs::remove_file(&two).unwrap();
    std::fs::create_dir(&two).unwrap();
    std::fs::rename(&moved, &one).unwrap();
    logs.reopen_all().unwrap();
    assert!(logs.flush(PATIENCE));
    assert!(paper.text().contains("the old file stays in use"), "{}", paper.text());

    logs.close(LogId(7)).unwrap();
    logs.lines(LogId(7), batch(Form::File, &["nobody\n"]));
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    std::fs::remove_dir(&two).unwrap();
    std::fs::remove_file(&one).unwrap();
    let place = Place::File("/no/such/dir/pen.log".into());
    assert!(Target::open(&place).unwrap_err().starts_with("log /no/such/dir/pen.log: "));
}

#[test]
fn a_file_that_cannot_be_written_is_reported_once() {
    let (logs, thread, paper) = foreground();
    logs.install(LogId(1), file(std::path::Path::new("/dev/full")), Shape::Classic).unwrap();
    for _ in 0..3 {
        logs.lines(LogId(1), batch(Form::File, &["x\n", "y\n"]));
        assert!(logs.flush(PATIENCE));
    }
    // With nothing written it does not work again.
    logs.reopen_all().unwrap();
    logs.close(LogId(1)).unwrap();
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    assert!(!paper.text().contains("works again"), "{}", paper.text());
    assert_eq!(paper.text().matches("log /dev/full: ").count(), 1, "{}", paper.text());
    assert!(paper.text().contains("; 2 lines lost so far"), "{}", paper.text());
}

#[test]
fn a_line_is_one_datagram() {
    let (logs, thread, _paper) = foreground();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = server.local_addr().unwrap();
    let place = Place::Datagrams("here".to_owned(), address);
    logs.install(LogId(1), Target::open(&place).unwrap(), Shape::Classic).unwrap();
    logs.lines(LogId(1), batch(Form::File, &["of another form\n"]));
    logs.lines(LogId(1), batch(Form::Datagrams, &["+ a\n", "", "+ bc\n"]));
    let mut buffer = [0; 100];
    for expected in ["+ a\n", "+ bc\n"] {
        let n = server.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], expected.as_bytes());
    }
    drop(server);
    for _ in 0..5 {
        logs.lines(LogId(1), batch(Form::Datagrams, &["nobody there\n"]));
        assert!(logs.flush(PATIENCE));
    }
    let server = UdpSocket::bind(address).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    logs.lines(LogId(1), batch(Form::Datagrams, &["back\n"]));
    let n = server.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..n], b"back\n");
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
}

#[test]
fn the_end_comes_even_while_others_keep_talking() {
    let (logs, thread, _paper) = foreground();
    let (stop, stopped): (Sender<()>, Receiver<()>) = channel();
    let talker = {
        let logs = logs.clone();
        std::thread::spawn(move || {
            while stopped.try_recv().is_err() {
                logs.say(Level::Always, || "talk".to_owned());
            }
        })
    };
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    stop.send(()).unwrap();
    talker.join().unwrap();
    logs.say(Level::Always, || "into the void".to_owned());
    assert!(!logs.flush(Duration::from_millis(20)));
}

fn record() -> Record {
    use pen_core::addr::{ClientAddr, Peer};
    use pen_core::config::Protocol;
    use pen_core::connlog::What;
    use pen_core::moment::WallMs;
    use pen_core::reasons::CloseReason;
    Record {
        what: What::Closed(CloseReason::NoServer),
        wall: WallMs(1_700_000_000_123),
        protocol: Protocol::Tcp,
        number: 7,
        listener: None,
        client: Peer { addr: ClientAddr::Ip([192, 0, 2, 1].into()), port: 9 },
        server: None,
        server_name: None,
        place: None,
        trail: None,
        asked_ms: None,
        connected_ms: None,
        first_byte_ms: None,
        total_ms: 3,
        bytes_in: 1,
        bytes_out: 2,
        tls: None,
        server_tls: false,
        client_tcp: None,
        server_tcp: None,
    }
}

fn connections() -> Shape {
    Shape::Connections { format: Format::Text, service: "web".to_owned() }
}

#[test]
fn a_journal_gets_each_field_apart_and_is_found_again() {
    let (logs, thread, paper) = foreground();
    let place = path("journal");
    let journal = || {
        let socket = std::os::unix::net::UnixDatagram::bind(&place).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let read = |socket: &std::os::unix::net::UnixDatagram| {
        let mut buffer = [0; 4_096];
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..n].to_vec()).unwrap()
    };
    let socket = journal();
    logs.install(LogId::connections(1), Target::journal_at(&place), connections()).unwrap();
    logs.records(LogId::connections(1), vec![record()]);
    let text = read(&socket);
    let fields: Vec<&str> = text.lines().collect();
    for field in ["PRIORITY=6", "PEN_SERVICE=web", "PEN_CLIENT=192.0.2.1", "PEN_REASON=no_server"] {
        assert!(fields.contains(&field), "{text}");
    }
    assert!(
        fields.iter().any(|f| f.starts_with("MESSAGE=time=2023-11-14T22:13:20.123Z event=end "))
    );
    assert!(text.ends_with('\n') && fields.iter().all(|f| f.contains('=')), "{text}");

    logs.install(LogId::EVENTS, Target::journal_at(&place), Shape::Events { json: false }).unwrap();
    let subject = Subject::new(pen_core::event::EventKey::ServerDown).at("web").because("refused");
    logs.event(subject, |e| e.saying("a\nPEN_KEY=forged"));
    let text = read(&socket);
    assert!(text.contains("\nPRIORITY=3\n") || text.contains("PRIORITY=3\n"), "{text}");
    assert_eq!(
        text.lines().filter(|l| l.starts_with("PEN_KEY=")).collect::<Vec<_>>(),
        ["PEN_KEY=server_down"]
    );

    drop(socket);
    std::fs::remove_file(&place).unwrap();
    logs.records(LogId::connections(1), vec![record(), record()]);
    assert!(logs.flush(PATIENCE));
    // And the event that says so.
    assert!(logs.lost().1 >= 2);
    let socket = journal();
    let deadline = Instant::now() + PATIENCE;
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4_096];
    while socket.recv(&mut buffer).is_err() {
        assert!(Instant::now() < deadline, "the journal was not found again");
        logs.records(LogId::connections(1), vec![record()]);
        assert!(logs.flush(PATIENCE));
    }
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    assert!(paper.text().contains("log journald works again; "), "{}", paper.text());
    std::fs::remove_file(&place).unwrap();
}

#[test]
fn connections_that_find_no_room_are_counted() {
    let (logs, thread, paper) = foreground();
    let gate = paper.gate.lock().unwrap();
    logs.say(Level::Always, || "stuck".to_owned());
    for _ in 0..limits::LOG_QUEUE + 10 {
        logs.records(LogId::connections(1), vec![record(), record()]);
    }
    assert!(logs.lost().1 >= 2 * 8, "{}", logs.lost().1);
    drop(gate);
    assert!(logs.flush_and_stop(PATIENCE));
    thread.join().unwrap();
    assert!(paper.text().contains(" log lines were lost: writing could not keep up"));
}
