//! A terminal at the other end, as with ssh: every keystroke comes back at once.

use std::process::Command;
use std::time::{Duration, Instant};

use pen_test::{Pen, Place, Scratch, scaled};

use crate::{Real, find};

#[test]
fn keystrokes_through_a_pseudo_terminal() {
    let Some(program) = find("socat") else { return };
    let (scratch, place) = (Scratch::new(), Place::free());
    let mut command = Command::new(program);
    let listen = format!("TCP-LISTEN:{},bind=127.0.0.1,reuseaddr,fork,nodelay", place.port());
    command.args([listen.as_str(), "EXEC:cat,pty,raw,echo=0"]);
    let server = Real::start(command, place, scratch);
    let pen = Pen::bare().servers([server.place.word()]).start();
    let client = pen.client();
    client.set_nodelay();
    client.send("!").expect("pen takes it");
    client.read_exact(1).expect("its echo");
    let begin = Instant::now();
    for key in b"ls -l /var/log\n".repeat(20) {
        client.send([key]).expect("pen takes it");
        assert_eq!(client.read_exact(1), Ok(vec![key]));
    }
    // 300 keystrokes; held back by 40 ms each they would take 12 seconds.
    assert!(begin.elapsed() < scaled(Duration::from_secs(2)), "{:?}", begin.elapsed());
}
