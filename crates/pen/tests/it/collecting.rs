//! Pen's log over UDP, penlog and penlogd together, with IPv6 addresses and host names in every place
//! that takes an address.

use std::io::Write;
use std::process::{Command, Stdio};

use pen_test::{Pen, Place, Program, Scratch, TestServer, Wire, acts, free_port, log_tool, until};

/// penlogd at `host`, and what it has written.
fn collector(host: &str) -> (Program, Scratch, u16) {
    let (scratch, port) = (Scratch::new(), free_port());
    let mut command = Command::new(log_tool("penlogd"));
    command.args(["-f", "-b", "-l", "log", "-p", "pid", &format!("{host}:{port}")]);
    let mut program = Program::start(command, &scratch);
    until("penlogd to receive", || {
        assert_eq!(program.ended(), None, "{}", program.stderr());
        scratch.path("pid").exists().then_some(())
    });
    (program, scratch, port)
}

fn send(host: &str, port: u16, own: &str, line: &str) {
    let mut command = Command::new(log_tool("penlog"));
    command.args([host, &port.to_string(), own]).stdin(Stdio::piped());
    let mut penlog = command.spawn().expect("penlog starts");
    penlog.stdin.take().expect("piped").write_all(line.as_bytes()).expect("penlog reads");
    assert!(penlog.wait().expect("it is ours").success());
}

#[test]
fn addresses_of_both_kinds_and_names_work_everywhere() {
    for (host, server, client) in [
        ("[::1]", "::1", "::1"),
        ("::1", "::1", "127.0.0.7"),
        ("127.0.0.1", "127.0.0.1", "::1"),
        ("localhost", "127.0.0.1", "127.0.0.7"),
    ] {
        let (_penlogd, scratch, port) = collector(host);
        let at = Place::Tcp((server.parse::<std::net::IpAddr>().expect("an address"), 0).into());
        let web = TestServer::start_at("s0", &at, acts::http());
        let listen =
            format!("{}:{}", if client.contains(':') { "[::1]" } else { "127.0.0.1" }, free_port());
        let place = Place::Tcp(listen.parse().expect("an address"));
        let pen = Pen::bare().listen(&place).args(["-l", &format!("{host}:{port}")]);
        let pen = pen.servers([web.word()]).start();
        let wire = until("pen to listen", || Wire::dial(pen.place()).from(client).connect().ok());
        wire.send("GET /page HTTP/1.0\r\n\r\n").expect("it takes requests");
        assert_eq!(wire.read_exact(5).as_deref().ok(), Some(&b"HTTP/"[..]));
        let rest = "- - [09/Jan/2002:00:28:50 +0100] \"GET /page HTTP/1.0\" 200 42\n";
        // The entry may arrive after the line: it is sent until it got its client.
        until("the client's line", || {
            send(host, port, server, &format!("pen {rest}"));
            let log = std::fs::read_to_string(scratch.path("log")).unwrap_or_default();
            log.contains(&format!("{client} {rest}")).then_some(())
        });
    }
}
