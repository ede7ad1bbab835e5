//! Moving bytes: nothing lost, nothing added, ends and aborts passed on as what they are.

use std::thread;
use std::time::{Duration, Instant};

use pen_test::{
    Client, End, Farm, Pattern, Pen, TestServer, Wire, acts, fingerprint, holds, scaled, until,
};

/// Runs `job` `times` times, on four threads.
fn spread(times: usize, job: impl Fn(usize) + Sync) {
    thread::scope(|s| {
        for lane in 0..4 {
            let job = &job;
            s.spawn(move || (lane..times).step_by(4).for_each(job));
        }
    });
}

#[test]
fn half_close_1000_of_1000_answers_of_100_kb_arrive_whole() {
    let farm = Farm::one(&acts::answer_after_eof(100_000));
    let pen = Pen::over(&farm).start();
    let expected = Pattern::new(7).take(100_000);
    spread(1_000, |n| {
        let client = pen.client();
        client.send("question").expect("pen takes it");
        client.finish();
        let (answer, end) = client.read_to_end();
        assert_eq!((answer.len(), end), (expected.len(), End::Eof), "attempt {n}");
        assert!(answer == expected, "attempt {n}: other bytes");
    });
}

#[test]
fn server_reset_after_10000_bytes_100_of_100_clients_get_bytes_then_reset() {
    let farm = Farm::one(&acts::reset_after(10_000));
    let pen = Pen::over(&farm).start();
    let expected = Pattern::new(7).take(10_000);
    spread(100, |n| {
        let client = pen.client();
        client.send("go\n").expect("pen takes it");
        let (answer, end) = client.read_to_end();
        assert_eq!((answer.len(), end), (10_000, End::Reset), "attempt {n}");
        assert!(answer == expected, "attempt {n}: other bytes");
    });
}

#[test]
fn a_slow_reader_gets_what_was_read_before_the_reset() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).start();
    let dial = Wire::dial(pen.place()).receive_buffer(4_096);
    let client = dial.connect().expect("pen listens");
    client.send("x").expect("pen takes it");
    let served = server.next();
    served.read_exact(1).expect("the question");
    // More than the client's window holds, less than pen's socket: it waits there.
    let sent = Pattern::new(5).take(150_000);
    served.send(&sent).expect("pen takes it");
    until("pen to read it", || (pen.servers()[0].received == 150_000).then_some(()));
    served.abort();
    assert!(holds(Duration::from_millis(300), || !client.has_ended()));
    let (got, end) = client.read_to_end();
    assert_eq!((got.len(), end), (sent.len(), End::Reset));
    assert!(got == sent, "other bytes");
}

#[test]
fn client_reset_reaches_the_server_as_reset_after_the_bytes() {
    let farm = Farm::one(&acts::listen_only());
    let pen = Pen::over(&farm).start();
    for n in 1..=20 {
        let client = pen.client();
        client.send("0123456789").expect("pen takes it");
        // Only what pen has read can be passed on: a reset overtakes the kernel's queue.
        until("the bytes to pass", || (pen.servers()[0].sent >= 10 * n).then_some(()));
        client.abort();
    }
    until("20 connections to end", || (farm[0].notes().len() == 20).then_some(()));
    for note in farm[0].notes() {
        assert!(note.starts_with("Reset"), "the server saw {note}");
    }
}

#[test]
fn client_end_of_stream_is_not_a_reset() {
    let farm = Farm::one(&acts::listen_only());
    let pen = Pen::over(&farm).start();
    let client = pen.client();
    client.send("0123456789").expect("pen takes it");
    client.finish();
    assert_eq!(client.end(), End::Eof);
    assert_eq!(farm[0].notes(), ["Eof after 10"]);
}

/// Sends `total` bytes of the pattern and finishes; answers their fingerprint.
fn send_pattern(wire: &Wire, seed: u64, total: usize) -> (u64, u64) {
    let (mut pattern, mut print) = (Pattern::new(seed), fingerprint());
    let mut block = vec![0; 65_536];
    for _ in 0..total / block.len() {
        pattern.fill(&mut block);
        print.add(&block);
        wire.send(&block).expect("the other side reads");
    }
    wire.finish();
    print.value()
}

/// Reads to the end; answers the fingerprint.
fn read_print(wire: &Wire) -> (u64, u64) {
    let mut print = fingerprint();
    let mut block = vec![0; 65_536];
    loop {
        match wire.read_some(&mut block) {
            Ok(n) => print.add(&block[..n]),
            Err(end) => {
                assert_eq!(end, End::Eof);
                return print.value();
            }
        }
    }
}

#[test]
fn sixty_four_mib_both_ways_at_once() {
    const TOTAL: usize = 64 << 20;
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).start();
    let client = pen.client();
    client.send("x").expect("pen takes it");
    let served = server.next();
    served.read_exact(1).expect("the first byte");
    thread::scope(|s| {
        let up = s.spawn(|| send_pattern(&client, 1, TOTAL));
        let down = s.spawn(|| send_pattern(&served, 2, TOTAL));
        let up_seen = s.spawn(|| read_print(&served));
        let down_seen = s.spawn(|| read_print(&client));
        assert_eq!(up.join().expect("sender"), up_seen.join().expect("reader"));
        assert_eq!(down.join().expect("sender"), down_seen.join().expect("reader"));
    });
    drop((client, served));
    pen.wait_idle();
    let row = &pen.servers()[0];
    assert_eq!((row.sent, row.received), (TOTAL as u64 + 1, TOTAL as u64));
}

#[test]
fn ten_thousand_connections_leave_no_descriptor() {
    let farm = Farm::one(&acts::banner());
    let pen = Pen::over(&farm).args(["-c", "100"]).start();
    spread(400, |n| assert!(pen.ask(&address(n)).is_some()));
    pen.wait_idle();
    let before = pen.vitals();
    spread(10_000, |n| assert_eq!(pen.ask(&address(n)).as_deref(), Some("s0"), "connection {n}"));
    pen.wait_idle();
    let settled = || {
        let now = pen.vitals();
        // Workers keep some pipes for splicing; a leak would be counted in thousands.
        (now.descriptors <= before.descriptors + 64).then_some(now)
    };
    let after = until("the descriptors of before", settled);
    let grown = after.anonymous_kib.saturating_sub(before.anonymous_kib);
    assert!(grown < 8 * 1024, "{grown} KiB more than before");
}

/// One of 200 client addresses: more than the client table holds, so that it has to forget.
fn address(n: usize) -> String {
    format!("127.0.1.{}", n % 200 + 1)
}

#[test]
fn server_speaks_first_without_delay() {
    let lines = &["220 mail ready", "250 hello", "221 bye"];
    let farm = Farm::one(&acts::server_first(lines));
    let pen = Pen::over(&farm).start();
    drop(pen.client());
    let begin = Instant::now();
    for _ in 0..20 {
        let client = pen.client();
        for line in lines {
            assert_eq!(client.read_line(), format!("{line}\r\n"));
            client.send("EHLO client\r\n").expect("the dialogue goes on");
        }
        assert_eq!(client.end(), End::Eof);
    }
    // 20 dialogues of 3 turns; one delayed acknowledgement (40 ms) per dialogue would break this.
    assert!(begin.elapsed() < scaled(Duration::from_millis(800)), "{:?}", begin.elapsed());
}

#[test]
fn interactive_keystrokes_are_not_held_back() {
    let farm = Farm::one(&acts::echo());
    let pen = Pen::over(&farm).start();
    let client = pen.client();
    client.set_nodelay();
    client.send("!").expect("pen takes it");
    client.read_exact(1).expect("its echo");
    let begin = Instant::now();
    for key in b"the quick brown fox jumps over the lazy dog".repeat(10) {
        client.send([key]).expect("pen takes it");
        assert_eq!(client.read_exact(1), Ok(vec![key]));
    }
    // 430 keystrokes; held back by 40 ms each they would take 17 seconds.
    assert!(begin.elapsed() < scaled(Duration::from_secs(2)), "{:?}", begin.elapsed());
}

/// Writes until nothing moves any more; answers how much went in.
fn fill(client: &Client) -> usize {
    let block = vec![b'x'; 65_536];
    let mut sent = 0;
    let mut stuck_since = Instant::now();
    while stuck_since.elapsed() < Duration::from_millis(400) {
        match client.send_some(&block) {
            Ok(n) => {
                sent += n;
                stuck_since = Instant::now();
            }
            Err(_) => thread::yield_now(),
        }
        assert!(sent < 200 << 20, "nothing ever stops the writer");
    }
    sent
}

#[test]
fn slow_reader_stops_the_fast_writer_and_memory_stays_bounded() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).start();
    let before = pen.vitals().anonymous_kib;
    let client = pen.client();
    client.send("x").expect("pen takes it");
    let served = server.next();
    let sent = fill(&client) + 1;
    let held = pen.vitals().anonymous_kib.saturating_sub(before);
    assert!(held < 2 * 1024, "{held} KiB for one stuck connection");
    let busy = pen.vitals();
    assert!(holds(Duration::from_millis(300), || !served.has_ended()));
    assert!(pen.vitals().ticks - busy.ticks <= 3, "pen spins while a reader is slow");
    client.finish();
    let (bytes, end) = served.read_to_end();
    assert_eq!((bytes.len(), end), (sent, End::Eof));
}

#[test]
fn unix_sockets_on_both_sides() {
    let builder = Pen::bare();
    let server = TestServer::start_unix("s0", &builder.path("server"), acts::answer_after_eof(5));
    let front = pen_test::Place::Unix(builder.path("front"));
    let pen = builder.listen(&front).servers([server.word()]).start();
    for _ in 0..10 {
        let client = pen.client();
        client.send("question").expect("pen takes it");
        client.finish();
        assert_eq!(client.read_to_end(), (Pattern::new(7).take(5), End::Eof));
    }
    assert!(pen.ctl("recent").lines().count() <= 1, "Unix clients are one client");
}

#[test]
fn tcp_fastclose_ends_both_sides_after_delivery() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).command("tcp_fastclose up").start();
    let client = pen.client();
    client.send("x").expect("pen takes it");
    let served = server.next();
    served.send(Pattern::new(9).take(50_000)).expect("pen takes it");
    served.finish();
    let (bytes, _) = client.read_to_end();
    assert_eq!(bytes.len(), 50_000);
    served.read_exact(1).expect("the question");
    assert_ne!(served.end(), End::Silence, "the client's side is closed as well");
}
