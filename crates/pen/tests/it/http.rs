//! X-Forwarded headers on every request, however its bytes come.

use std::time::Duration;

use pen_test::acts::{self, field, read_head};
use pen_test::{Client, End, Farm, Pen, PenBuilder, TestServer, holds, over_tls, until};

const GET: &str = "GET /page HTTP/1.1\r\nHost: example.test\r\nAccept: */*\r\n\r\n";

fn web() -> (Farm, PenBuilder) {
    let farm = Farm::one(&acts::http());
    let pen = Pen::over(&farm).args(["-H"]);
    (farm, pen)
}

/// Reads one answer of [`acts::http`].
fn answer(client: &Client) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let line = client.read_line();
        assert!(!line.is_empty(), "the stream ended in {head:?}");
        head.push_str(&line);
    }
    let length = field(&head, "content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
    let body = client.read_exact(length).expect("the body");
    String::from_utf8(body).expect("a name")
}

/// Each head the server saw names the client and the protocol exactly once.
fn assert_forwarded(heads: &[String], count: usize) {
    assert_eq!(heads.len(), count);
    for head in heads {
        assert_eq!(field(head, "x-forwarded-for").as_deref(), Some("127.0.0.7"), "{head}");
        let scheme = if over_tls() { "https" } else { "http" };
        assert_eq!(field(head, "x-forwarded-proto").as_deref(), Some(scheme), "{head}");
        assert_eq!(head.to_ascii_lowercase().matches("x-forwarded-for").count(), 1, "{head}");
    }
}

#[test]
fn every_request_of_a_connection() {
    let (farm, pen) = web();
    let pen = pen.start();
    let client = pen.client_from("127.0.0.7");
    for _ in 0..5 {
        client.send(GET).expect("pen takes it");
        assert_eq!(answer(&client), "s0\n");
    }
    assert_forwarded(&farm[0].notes(), 5);
}

#[test]
fn a_head_split_at_any_byte() {
    let (farm, pen) = web();
    let pen = pen.start();
    let client = pen.client_from("127.0.0.7");
    client.set_nodelay();
    for at in 1..GET.len() {
        let (first, rest) = GET.split_at(at);
        client.send(first).expect("pen takes it");
        // A question to pen in between makes it likely that the halves are read apart.
        if at % 8 == 0 {
            assert!(pen.ctl("pid").ends_with('\n'));
        }
        client.send(rest).expect("pen takes it");
        assert_eq!(answer(&client), "s0\n", "split at {at}");
    }
    assert_forwarded(&farm[0].notes(), GET.len() - 1);
}

#[test]
fn pipelined_requests_in_one_segment() {
    let (farm, pen) = web();
    let pen = pen.start();
    let client = pen.client_from("127.0.0.7");
    client.send(GET.repeat(20)).expect("pen takes it");
    for _ in 0..20 {
        assert_eq!(answer(&client), "s0\n");
    }
    assert_forwarded(&farm[0].notes(), 20);
}

#[test]
fn bodies_pass_untouched_and_the_next_head_is_found() {
    let (farm, pen) = web();
    let pen = pen.start();
    let client = pen.client_from("127.0.0.7");
    let body = "GET / HTTP/1.1\r\nX-Forwarded-For: body\r\n\r\n";
    let sized =
        format!("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let chunked = format!(
        "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    client.send([sized.as_str(), &chunked, GET, &chunked, &sized, GET].concat()).expect("taken");
    for _ in 0..6 {
        assert_eq!(answer(&client), "s0\n");
    }
    assert_forwarded(&farm[0].notes(), 6);
}

#[test]
fn expect_100_continue() {
    let (farm, pen) = web();
    let pen = pen.start();
    let client = pen.client_from("127.0.0.7");
    client
        .send("PUT /u HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .expect("pen takes it");
    assert_eq!(client.read_line(), "HTTP/1.1 100 Continue\r\n");
    assert_eq!(client.read_line(), "\r\n");
    client.send("12345").expect("pen takes it");
    assert_eq!(answer(&client), "s0\n");
    client.send(GET).expect("pen takes it");
    assert_eq!(answer(&client), "s0\n");
    assert_forwarded(&farm[0].notes(), 2);
}

#[test]
fn a_forged_address_is_never_alone() {
    let forged = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.9.8.7\r\n\r\n";
    for (how, expected) in
        [("append", "10.9.8.7, 127.0.0.7"), ("replace", "127.0.0.7"), ("keep", "10.9.8.7")]
    {
        let (farm, pen) = web();
        let pen = pen.command(&format!("http_forwarded {how}")).start();
        let client = pen.client_from("127.0.0.7");
        client.send(forged).expect("pen takes it");
        assert_eq!(answer(&client), "s0\n");
        let head = &farm[0].notes()[0];
        assert_eq!(field(head, "x-forwarded-for").as_deref(), Some(expected), "{how}: {head}");
    }
}

#[test]
fn upgraded_bytes_pass_untouched() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).args(["-H"]).start();
    let client = pen.client_from("127.0.0.7");
    client
        .send("GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .expect("pen takes it");
    let served = server.next();
    let head = read_head(&served).expect("the request");
    assert_eq!(field(&head, "x-forwarded-for").as_deref(), Some("127.0.0.7"));
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    served.send(switching).expect("pen takes it");
    assert_eq!(client.read_exact(switching.len()), Ok(switching.as_bytes().to_vec()));
    // Looks like a request, is none.
    client.send(GET).expect("pen takes it");
    assert_eq!(served.read_exact(GET.len()), Ok(GET.as_bytes().to_vec()));
}

#[test]
fn what_is_not_http_passes_untouched() {
    let server = TestServer::handing("s0");
    let pen = Pen::bare().servers([server.word()]).args(["-H"]).start();
    let binary: Vec<u8> = (0..=255u8).cycle().take(5_000).collect();
    for bytes in [b"SSH-2.0-client\r\n".to_vec(), binary, b"GETTING\r\n\r\n".to_vec()] {
        let client = pen.client_from("127.0.0.7");
        client.send(&bytes).expect("pen takes it");
        assert_eq!(server.next().read_exact(bytes.len()), Ok(bytes));
    }
}

#[test]
fn a_client_that_never_ends_its_head_is_reset_in_time() {
    let (farm, pen) = web();
    let pen = pen.command("http_head_timeout 1").start();
    let slow = |head: &str| {
        let client = pen.client_from("127.0.0.7");
        client.send(head).expect("pen takes it");
        client
    };
    let silent = pen.client_from("127.0.0.7");
    let method = slow("GE");
    let between = slow(GET);
    assert_eq!(answer(&between), "s0\n");
    let second = slow(&(GET.to_owned() + "GET /two HTTP/1.1\r\nHost: "));
    assert_eq!(answer(&second), "s0\n");
    let dribbling = slow("GET / HTTP/1.1\r\n");
    until("pen to lose patience", || {
        if dribbling.has_ended() {
            return Some(());
        }
        std::thread::sleep(Duration::from_millis(20));
        let _gone = dribbling.send("X: y\r\n");
        None
    });
    for (what, client) in [("a method", method), ("a second head", second)] {
        assert_eq!(client.end(), End::Reset, "{what}");
    }
    assert!(!silent.has_ended() && !between.has_ended(), "who has begun nothing may stay");
    between.send(GET).expect("pen takes it");
    assert_eq!(answer(&between), "s0\n");
    let body = slow("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    assert!(holds(Duration::from_millis(1_300), || !body.has_ended()), "a body may take its time");
    body.send("cd").expect("pen takes it");
    assert_eq!(answer(&body), "s0\n");
    assert_eq!(farm[0].accepted(), 6);
}
