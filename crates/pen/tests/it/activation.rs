//! Listeners that a service manager opened: Pen takes them, and needs no right to open them itself.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use pen_test::{Farm, Place, Scratch, Wire, deadline, over_tls, pen_program, until};

/// A pen that gets `listener` as a service manager would hand it over.
struct Activated {
    child: std::process::Child,
    stderr: std::path::PathBuf,
}

impl Activated {
    fn start(listener: OwnedFd, scratch: &Scratch, words: &[String]) -> Self {
        let stderr = scratch.path("stderr");
        let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"";
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, "sh"]).arg(pen_program()).arg("-f").args(words);
        shell.stdin(Stdio::from(listener)).stdout(Stdio::null());
        shell.stderr(std::fs::File::create(&stderr).expect("the directory is ours"));
        Self { child: shell.spawn().expect("a shell"), stderr }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.stderr).expect("the directory is ours")
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("pen said:\n{}", self.said());
        }
    }
}

fn greeted(place: &Place) -> bool {
    Wire::connect(place).is_ok_and(|client| !client.read_line().is_empty())
}

#[test]
fn a_listener_that_was_handed_over_is_served() {
    if over_tls() {
        eprintln!("skipped: about listeners, not about bytes");
        return;
    }
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    // Nobody else can listen there: if clients are served, it is by this socket.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // A client that was there before Pen is served too.
    let early = std::net::TcpStream::connect(address).expect("the kernel takes it");
    early.set_read_timeout(Some(deadline())).expect("a timeout");
    let mut words = vec![address.to_string()];
    words.extend(farm.words(""));
    let pen = Activated::start(listener.into(), &scratch, &words);
    let mut byte = [0; 1];
    std::io::Read::read_exact(&mut &early, &mut byte).expect("a greeting");
    for _ in 0..20 {
        assert!(greeted(&Place::Tcp(address)), "{}", pen.said());
    }
}

#[test]
fn a_path_that_was_handed_over_is_served_and_stays() {
    if over_tls() {
        eprintln!("skipped: about listeners, not about bytes");
        return;
    }
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    let path = scratch.path("front");
    let listener = UnixListener::bind(&path).expect("a path");
    let mut words = vec![path.display().to_string()];
    words.extend(farm.words(""));
    let _pen = Activated::start(listener.into(), &scratch, &words);
    until("a greeting", || greeted(&Place::Unix(path.clone())).then_some(()));
}

#[test]
fn what_nobody_asked_for_is_closed_and_named() {
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut words = vec![Place::free().word()];
    words.extend(farm.words(""));
    let pen = Activated::start(listener.into(), &scratch, &words);
    let sentence = format!("a listener at {address}, where no service listens; it is closed");
    until("the message", || pen.said().contains(&sentence).then_some(()));
    until("the end of the listener", || std::net::TcpStream::connect(address).err());
    let file = std::fs::File::open("/etc/passwd").expect("every system has it");
    let mut words = vec![Place::free().word()];
    words.extend(farm.words(""));
    let pen = Activated::start(file.into(), &scratch, &words);
    until("the message", || pen.said().contains("are no listeners").then_some(()));
}
