//! Clients of the address of `metrics` that are slow, many or hostile: traffic and other readers go on.

use std::io::{Read, Write};
use std::net::TcpStream;

use pen_test::{Farm, Pen, until};

use super::{Answer, Page};

#[test]
fn a_slow_request_is_timed_out_and_nobody_else_waits() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let pen = Pen::over(&farm).command(&page.command()).start();
    let mut slow = page.connect();
    slow.write_all(b"GET / HTTP/1.1\r\nHo").expect("it takes pieces");
    let mut silent = page.connect();
    assert_eq!(page.get("/healthz").status, 200);
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    // A byte now and then does not make it last longer.
    let answer = until("the end of the slow one", || {
        let _ = slow.write_all(b"x");
        slow.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a time");
        Answer::read(&mut slow)
    });
    assert_eq!(answer.status, 408);
    assert_eq!(silent.read(&mut [0]).ok(), Some(0), "who says nothing is closed");
}

#[test]
fn what_is_too_large_is_refused() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let _pen = Pen::over(&farm).command(&page.command()).start();
    let long = "x".repeat(20_000);
    let many = "a: b\r\n".repeat(100);
    for (request, expected) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nx: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (format!("POST /control HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n{long}"), 413),
    ] {
        assert_eq!(page.send(&request).status, expected);
    }
    assert_eq!(page.get("/healthz").status, 200);
}

#[test]
fn a_full_house_makes_room_for_the_next_reader() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let pen = Pen::over(&farm).command(&page.command()).start();
    let crowd: Vec<TcpStream> = (0..200).map(|_| page.connect()).collect();
    assert_eq!(page.get("/healthz").status, 200);
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    drop(crowd);
    assert_eq!(page.get("/healthz").status, 200);
}

#[test]
fn garbage_of_any_kind_leaves_it_well() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let mut pen = Pen::over(&farm).command(&page.command()).start();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200_usize {
        let mut stream = page.connect();
        let bytes: Vec<u8> = (0..round)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                (seed >> 32) as u8
            })
            .collect();
        let start: &[u8] = if round % 2 == 0 { b"GET / HTTP/1.1\r\nHost: a\r\n" } else { b"" };
        let _ = stream.write_all(start).and_then(|()| stream.write_all(&bytes));
        if round % 3 == 0 {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }
    assert_eq!(page.get("/healthz").status, 200);
    assert!(pen.runs());
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
}

#[test]
fn without_descriptors_it_comes_back_by_itself() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let pen = Pen::over(&farm).command(&page.command()).descriptors(160).start();
    let crowd: Vec<_> =
        (0..60).filter_map(|_| pen_test::Client::connect(pen.place()).ok()).collect();
    let readers: Vec<TcpStream> = (0..20).map(|_| page.connect()).collect();
    drop(readers);
    assert_eq!(page.get("/healthz").status, 200);
    drop(crowd);
    until("service as before", || pen.ask("127.0.0.1"));
    assert_eq!(page.get("/readyz").status, 200);
}
