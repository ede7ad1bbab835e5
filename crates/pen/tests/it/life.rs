//! The end of a pen: what signals do to connections, files and the exit status.

use std::time::{Duration, Instant};

use pen_test::{Client, End, Farm, Pen, Sig, TestServer, Wire, acts, scaled, until};

fn open(pen: &Pen) -> Client {
    let client = pen.client();
    assert!(!client.read_line().is_empty());
    client
}

#[test]
fn term_resets_what_is_unfinished_and_removes_the_pid_file() {
    let server = TestServer::start("s0", acts::pour());
    let listener = TestServer::handing("held");
    let mut pen = Pen::bare().servers([server.word(), listener.word()]).args(["-r"]).start();
    let clients: Vec<Client> = (0..6).map(|_| pen.client()).collect();
    let held: Vec<_> = (0..3).map(|_| listener.next()).collect();
    assert!(pen.path("pid").exists());
    assert_eq!(pen.stop(), Some(0));
    for client in &clients {
        assert_eq!(client.end(), End::Reset, "a truncated transfer never looks complete");
    }
    for served in &held {
        assert_eq!(served.end(), End::Reset);
    }
    assert!(!pen.path("pid").exists(), "the pid file stays");
    assert!(Wire::connect(pen.place()).is_err());
}

#[test]
fn quit_drains() {
    let farm = Farm::banners(1);
    let mut pen = Pen::over(&farm).start();
    let client = open(&pen);
    pen.signal(Sig::Quit);
    until("the door to close", || Wire::connect(pen.place()).is_err().then_some(()));
    client.send("last words").expect("the old connection lives");
    assert_eq!(client.read_exact(10), Ok(b"last words".to_vec()));
    assert!(pen.runs());
    client.finish();
    assert_eq!(client.end(), End::Eof);
    assert_eq!(pen.wait_exit(), Some(0));
}

#[test]
fn drain_timeout_lets_term_wait_but_not_for_ever() {
    let farm = Farm::banners(1);
    let mut pen = Pen::over(&farm).command("drain_timeout 1").start();
    let client = open(&pen);
    let begin = Instant::now();
    pen.signal(Sig::Term);
    until("the door to close", || Wire::connect(pen.place()).is_err().then_some(()));
    client.send("still").expect("the old connection lives");
    assert_eq!(client.read_exact(5), Ok(b"still".to_vec()));
    assert_eq!(pen.wait_exit(), Some(0));
    assert!(begin.elapsed() >= Duration::from_millis(900), "{:?}", begin.elapsed());
    assert_eq!(client.end(), End::Reset);
}

#[test]
fn a_second_term_ends_the_drain() {
    let farm = Farm::banners(1);
    let mut pen = Pen::over(&farm).command("drain_timeout 60").start();
    let client = open(&pen);
    pen.signal(Sig::Term);
    until("the door to close", || Wire::connect(pen.place()).is_err().then_some(()));
    pen.signal(Sig::Term);
    assert_eq!(pen.wait_exit(), Some(0));
    assert_eq!(client.end(), End::Reset);
}

#[test]
fn usr1_writes_the_status_page() {
    let farm = Farm::banners(2);
    let builder = Pen::over(&farm);
    let page = builder.path("status.html");
    let pen = builder.args(["-w", &page.display().to_string()]).start();
    assert!(pen.ask("127.0.0.1").is_some());
    pen.signal(Sig::Usr1);
    let text =
        until("the page", || std::fs::read_to_string(&page).ok().filter(|t| t.contains("</html>")));
    assert!(text.contains("Pen status page") && text.contains("2 servers"), "{text}");
}

#[test]
fn usr1_without_a_page_reports_to_stderr() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    pen.signal(Sig::Usr1);
    until("the report", || pen.stderr().contains("Server 0 status").then_some(()));
}

#[test]
fn idle_connections_are_closed_within_a_second_after_the_timeout() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-x", "2000"]).command("idle_timeout 1").start();
    let begin = Instant::now();
    let (idle, busy) = (open(&pen), open(&pen));
    let mut ended = None;
    until("the idle connection to end", || {
        busy.send("x").expect("a busy connection stays");
        assert_eq!(busy.read_exact(1), Ok(b"x".to_vec()));
        ended = idle.has_ended().then(|| begin.elapsed());
        ended
    });
    let after = ended.unwrap_or_default();
    assert!(after >= Duration::from_millis(900), "closed after {after:?}");
    assert!(after <= scaled(Duration::from_millis(2_200)), "closed after {after:?}");
    busy.send("y").expect("a busy connection stays");
    assert_eq!(busy.read_exact(1), Ok(b"y".to_vec()));
}

#[test]
fn half_closed_connections_are_exempt_from_the_idle_timeout() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).command("idle_timeout 1").start();
    let client = pen.client();
    client.send("question").expect("pen takes it");
    client.finish();
    let served = server.next();
    assert_eq!(served.read_to_end().0, b"question");
    assert!(pen_test::holds(Duration::from_millis(2_200), || !client.has_ended()));
    served.send("a late answer").expect("pen takes it");
    served.finish();
    assert_eq!(client.read_to_end(), (b"a late answer".to_vec(), End::Eof));
}

#[test]
fn half_closed_connections_have_a_timeout_of_their_own() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).command("half_close_timeout 1").start();
    let pair = || {
        let client = pen.client();
        client.send("question").expect("pen takes it");
        let served = server.next();
        assert_eq!(served.read_exact(8), Ok(b"question".to_vec()));
        (client, served)
    };
    let ((open, _open), (half, at_half), (busy, at_busy)) = (pair(), pair(), pair());
    for (client, served) in [(&half, &at_half), (&busy, &at_busy)] {
        client.finish();
        assert_eq!(served.end(), End::Eof);
    }
    // Looking whether it has ended would take the reset away.
    let silent = std::thread::spawn(move || half.end());
    until("the silent one to end", || {
        at_busy.send("x").expect("a busy connection stays");
        assert_eq!(busy.read_exact(1), Ok(b"x".to_vec()));
        silent.is_finished().then_some(())
    });
    assert_eq!(silent.join().expect("a client"), End::Reset);
    at_busy.finish();
    assert_eq!(busy.end(), End::Eof);
    assert!(!open.has_ended(), "an open connection stays");
}

#[test]
fn exit_needs_leave() {
    let mut pen = Pen::bare().start();
    assert!(pen.ctl("exit").contains("-X"));
    assert!(pen.runs());
    let mut pen = Pen::bare().args(["-X"]).start();
    pen.set("exit");
    assert_eq!(pen.wait_exit(), Some(0));
}
