//! `penctl watch`: a stand-in tells events, disappears, comes back.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};

use pen_test::{Farm, Pen, Scratch, Sig, deadline, penctl_program, until};

/// Somebody who answers as Pen does: `pid` and the number of the last event at once, `watch` with what
/// the test sends.
struct StandIn {
    path: PathBuf,
    watched: Receiver<(String, UnixStream)>,
}

fn stand_in(scratch: &Scratch, pid: u32, last: u64) -> StandIn {
    let path = scratch.path("ctl");
    // The one before has gone.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let (sender, watched) = mpsc::channel();
    std::thread::spawn(move || serve(&listener, pid, last, &sender));
    StandIn { path, watched }
}

fn serve(listener: &UnixListener, pid: u32, last: u64, watched: &Sender<(String, UnixStream)>) {
    for socket in listener.incoming() {
        let mut socket = socket.unwrap();
        let mut line = String::new();
        BufReader::new(&socket).read_line(&mut line).unwrap();
        let line = line.trim().to_owned();
        if line.starts_with("watch") {
            if watched.send((line, socket)).is_err() {
                return;
            }
            continue;
        }
        let reply = match line.as_str() {
            "pid" => format!("{pid}\n"),
            _ => format!("{{\"events\":[],\"lost\":0,\"last\":{last}}}\n"),
        };
        // A client that has gone hears nothing.
        let _ = socket.write_all(reply.as_bytes());
    }
}

impl StandIn {
    fn next(&self) -> (String, UnixStream) {
        self.watched.recv_timeout(deadline()).expect("penctl asks for events")
    }
}

fn watch(stand_in: &StandIn, words: &[&str]) -> Child {
    let mut command = Command::new(penctl_program());
    command.arg(&stand_in.path).arg("watch").args(words).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

#[test]
fn events_are_printed_as_they_come_and_none_is_lost_with_the_connection() {
    let scratch = Scratch::new();
    let first = stand_in(&scratch, 41, 7);
    let mut child = watch(&first, &[]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let (asked, mut socket) = first.next();
    assert_eq!(asked, "watch since 7", "from now on");
    socket.write_all(b"time=1 seq=8 key=server_down text=\"x\"\ntime=2 se").unwrap();
    assert_eq!(line(&mut out), "time=1 seq=8 key=server_down text=\"x\"\n");
    socket.write_all(b"q=9 key=server_up\nkey=events_lost count=3\n").unwrap();
    assert_eq!(line(&mut out), "time=2 seq=9 key=server_up\n");
    assert_eq!(line(&mut out), "key=events_lost count=3\n");
    drop(socket);
    assert!(line(&mut err).contains("the connection was lost; trying again"));
    let (asked, socket) = first.next();
    assert_eq!(asked, "watch since 9", "what came in between");
    assert!(line(&mut err).contains("answers again"));

    // Another process counts its events anew.
    let path = first.path.clone();
    std::fs::remove_file(&path).unwrap();
    let second = stand_in(&scratch, 42, 2);
    drop((socket, first));
    let (asked, mut socket) = second.next();
    assert_eq!(asked, "watch since 0");
    socket.write_all(b"seq=1 key=started\n").unwrap();
    assert_eq!(line(&mut out), "seq=1 key=started\n");
    Sig::Term.send(child.id());
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_running_pen_tells_what_happens() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    let mut command = Command::new(penctl_program());
    command.args([&pen.control().word(), "watch"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    // It watches from some moment on, which nothing tells: what happens goes on until it is told.
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || sender.send(line(&mut out)));
    let told = until("an event", || {
        pen.set("server 1 blacklist 100");
        pen.set("server 1 blacklist 0");
        told.recv_timeout(std::time::Duration::from_millis(50)).ok()
    });
    assert!(told.contains(" key=server_") && told.contains("seq="), "{told}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn json_and_a_beginning() {
    let scratch = Scratch::new();
    let pen = stand_in(&scratch, 41, 7);
    let mut child = watch(&pen, &["--json", "since", "3"]);
    let (asked, mut socket) = pen.next();
    assert_eq!(asked, "watch since 3 json");
    socket.write_all(b"{\"seq\":4,\"key\":\"reload\"}\n").unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut out), "{\"seq\":4,\"key\":\"reload\"}\n");
    drop(socket);
    assert_eq!(pen.next().0, "watch since 4 json");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn who_stops_reading_ends_it_quietly_even_if_nothing_happens() {
    let scratch = Scratch::new();
    let pen = stand_in(&scratch, 41, 7);
    let mut child = watch(&pen, &[]);
    let (_, _socket) = pen.next();
    drop(child.stdout.take());
    let status = until("the end of it", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn a_refusal_and_nobody_there_are_said() {
    let scratch = Scratch::new();
    let pen = stand_in(&scratch, 41, 7);
    let child = watch(&pen, &[]);
    let (_, mut socket) = pen.next();
    socket.write_all(b"error: 16 sessions watch already\n").unwrap();
    drop(socket);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"error: 16 sessions watch already\n");
    let finished = pen_test::run(&penctl_program(), ["/no/such/socket", "watch"]);
    assert_eq!(finished.code, Some(1));
    let finished = pen_test::run(&penctl_program(), ["/x", "watch", "snice", "1"]);
    assert_eq!(finished.code, Some(2));
}
