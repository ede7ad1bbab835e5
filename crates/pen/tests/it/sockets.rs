//! What Pen does to the sockets themselves: where connections leave from, what the kernel is asked
//! to do for them.

use std::os::fd::OwnedFd;
use std::time::Duration;

use pen_test::{Farm, Pen, TestServer, acts, holds, plain_only, until};

#[test]
fn source_is_where_connections_leave_from_until_it_is_taken_back() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).command("source 127.0.0.9").start();
    let from = || {
        let client = pen.client();
        let served = server.next();
        let address = served.other_end().expect("a connected socket");
        drop((client, served));
        address.ip().to_string()
    };
    assert_eq!(from(), "127.0.0.9");
    pen.set("source 127.0.0.10");
    assert_eq!(from(), "127.0.0.10");
    pen.set("no source");
    assert_eq!(from(), "127.0.0.1");
}

#[test]
fn a_source_that_is_not_there_is_ignored_with_a_message() {
    let farm = Farm::banners(1);
    // An address for documentation: no machine has it.
    let pen = Pen::over(&farm).command("source 192.0.2.77").start();
    for _ in 0..3 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    }
    until("the message", || pen.stderr().contains("192.0.2.77").then_some(()));
}

#[test]
fn keepalive_is_asked_for_on_both_sides_of_new_connections() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm).start();
    let ports = [pen.place().port(), farm[0].place().port()];
    let plain = pen.client();
    assert!(!plain.read_line().is_empty());
    assert!(holds(Duration::from_millis(50), || keepalives(&pen, ports) == [0, 0]));
    pen.set("keepalive");
    let probed = pen.client();
    assert!(!probed.read_line().is_empty());
    // The timer of a socket that waits for an acknowledgement shows first.
    until("its timers", || (keepalives(&pen, ports) == [1, 1]).then_some(()));
    pen.set("no keepalive");
    let after = pen.client();
    assert!(!after.read_line().is_empty());
    assert!(holds(Duration::from_millis(50), || keepalives(&pen, ports) == [1, 1]));
}

#[test]
fn tcp_nodelay_is_set_on_both_sides_of_new_connections() {
    if plain_only("TLS always sends at once") {
        return;
    }
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let look = |command: &str| {
        pen.set(command);
        let client = pen.client();
        assert!(!client.read_line().is_empty());
        let both = descriptors(&pen).map(|number| nodelay(&pen, number));
        drop(client);
        pen.wait_idle();
        both
    };
    assert_eq!(look("no tcp_nodelay"), [false, false]);
    assert_eq!(look("tcp_nodelay"), [true, true]);
    assert_eq!(look("no tcp_nodelay"), [false, false]);
}

/// How many of pen's connections have a keepalive timer: those of clients at the first port, those
/// to servers at the second.
fn keepalives(pen: &Pen, ports: [u16; 2]) -> [usize; 2] {
    let table = std::fs::read_to_string(format!("/proc/{}/net/tcp", pen.pid())).expect("Linux");
    let rows: Vec<Vec<&str>> = table.lines().map(|l| l.split_whitespace().collect()).collect();
    [1, 2].map(|column: usize| {
        let end = format!(":{:04X}", ports[column - 1]);
        // 01 is an established connection, timer 02 the one of keepalive.
        let is_one = |r: &&Vec<&str>| {
            r.len() > 5 && r[column].ends_with(&end) && r[3] == "01" && r[5].starts_with("02:")
        };
        rows.iter().filter(is_one).count()
    })
}

/// The descriptors of the only connection: the client's and the server's.
pub(crate) fn descriptors(pen: &Pen) -> [i32; 2] {
    let reply = (0..16).map(|n| pen.ctl(&format!("connection {n}"))).find(|r| r.contains("= 2\n"));
    let reply = reply.expect("an open connection");
    ["downfd = ", "upfd = "].map(|name| {
        let (_, after) = reply.split_once(name).expect("as documented");
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a descriptor")
    })
}

/// Whether TCP_NODELAY is set on a descriptor of pen's.
fn nodelay(pen: &Pen, number: i32) -> bool {
    rustix::net::sockopt::tcp_nodelay(socket(pen, number)).expect("a socket")
}

/// A descriptor of pen's, in our hands.
pub(crate) fn socket(pen: &Pen, number: i32) -> OwnedFd {
    use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
    let pid = i32::try_from(pen.pid()).ok().and_then(Pid::from_raw).expect("a process");
    let process = pidfd_open(pid, PidfdFlags::empty()).expect("it runs");
    pidfd_getfd(process, number, PidfdGetfdFlags::empty()).expect("it is open")
}
