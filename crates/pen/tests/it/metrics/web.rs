//! The address of `metrics`: what it shows, to whom, and how it changes.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use pen_test::{Client, Farm, Pen, Sig, TestServer, acts, until};

use super::{Answer, Page};

#[test]
fn nothing_is_shown_unless_asked_for() {
    let farm = Farm::banners(1);
    let (page, other) = (Page::free(), Page::free());
    let pen = Pen::over(&farm).start();
    assert_eq!(pen.ctl("metrics"), "");
    assert!(std::net::TcpStream::connect(page.0).is_err());
    assert_eq!(pen.ctl(&page.command()), format!("{}\n", page.0));
    assert_eq!(page.get("/healthz").body, "ok\n");
    // An address that cannot be had leaves the old one.
    let taken = farm[0].word();
    let refused = pen.ctl(&format!("metrics {taken}"));
    assert!(refused.contains("error: ") && refused.contains(&taken), "{refused}");
    assert_eq!(pen.ctl("metrics"), format!("{}\n", page.0));
    assert_eq!(page.get("/healthz").status, 200);
    assert_eq!(pen.ctl(&other.command()), format!("{}\n", other.0));
    assert_eq!(other.get("/healthz").status, 200);
    until("the old address to close", || std::net::TcpStream::connect(page.0).err());
    assert_eq!(pen.ctl("no metrics"), "");
    until("the address to close", || std::net::TcpStream::connect(other.0).err());
    assert_eq!(pen.ctl(&page.command()), format!("{}\n", page.0), "it may come back");
    assert_eq!(page.get("/").status, 200);
}

#[test]
fn an_address_in_use_fails_the_start() {
    let farm = Farm::banners(1);
    let finished = Pen::over(&farm).command(&format!("metrics {}", farm[0].word())).fail();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("cannot show metrics at"), "{finished:?}");
}

#[test]
fn hup_changes_the_address_and_keeps_the_rest() {
    let farm = Farm::banners(1);
    let (first, second) = (Page::free(), Page::free());
    let pen = Pen::over(&farm).file(&(first.command() + "\n")).start();
    let mut kept = first.connect();
    let ask = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", first.0);
    kept.write_all(ask.as_bytes()).expect("it takes requests");
    assert_eq!(Answer::read(&mut kept).expect("an answer").status, 200);
    std::fs::write(pen.file(), second.command() + "\n").expect("the file is ours");
    pen.signal(Sig::Hup);
    until("the second address", || std::net::TcpStream::connect(second.0).ok());
    assert_eq!(second.get("/healthz").status, 200);
    until("the old address to close", || std::net::TcpStream::connect(first.0).err());
    let mut rest = Vec::new();
    assert_eq!(kept.read_to_end(&mut rest).ok(), Some(0), "the old connection ends");
    let taken = format!("metrics {}\n", farm[0].word());
    std::fs::write(pen.file(), taken).expect("the file is ours");
    pen.signal(Sig::Hup);
    until("a complaint", || pen.stderr().contains("nothing has changed").then_some(()));
    assert_eq!(second.get("/healthz").status, 200);
}

#[test]
fn readiness_follows_servers_and_draining() {
    let mut farm = Farm::banners(1);
    let page = Page::free();
    let pen = Pen::over(&farm).args(["-b", "1"]).command(&page.command()).start();
    let ready = || page.get("/readyz");
    assert_eq!((ready().status, ready().body.as_str()), (200, "ready\n"));
    let place = farm[0].place().clone();
    farm[0].die();
    let refused = until("the service to be unready", || {
        assert_eq!(pen.ask("127.0.0.1"), None);
        Some(ready()).filter(|a| a.status == 503)
    });
    assert_eq!(refused.body, "default: no_server\n");
    assert_eq!(page.get("/healthz").status, 200, "unready is not unwell");
    farm[0] = TestServer::start_at("back", &place, acts::banner());
    until("the service to be ready", || Some(ready()).filter(|a| a.status == 200));
    let held = pen.client();
    assert!(!held.read_line().is_empty());
    pen.signal(Sig::Quit);
    let draining = until("draining", || Some(ready()).filter(|a| a.status == 503));
    assert_eq!(draining.body, "default: draining\n");
}

#[test]
fn the_page_and_its_fields() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let _pen = Pen::over(&farm).command(&page.command()).start();
    let index = page.get("/");
    assert!(
        index.head.contains("Content-Type: text/html") && index.body.contains("<!doctype html>")
    );
    for field in [
        "Content-Security-Policy: default-src 'none'",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        "Connection: close",
    ] {
        assert!(index.head.contains(field), "{field}: {}", index.head);
    }
    assert!(!index.head.contains("Access-Control"), "no other page may read it");
    assert!(page.get("/page.js?x").head.contains("Content-Type: text/javascript"));
    assert!(page.get("/page.css").head.contains("Content-Type: text/css"));
    let mut head = page.connect();
    head.write_all(b"HEAD / HTTP/1.0\r\n\r\n").expect("it takes requests");
    let mut all = String::new();
    head.read_to_string(&mut all).expect("the head, then the end");
    let length = format!("Content-Length: {}\r\n", index.body.len());
    assert!(all.contains(&length) && all.ends_with("\r\n\r\n"), "{all}");
    let status = page.status();
    assert_eq!(
        (&status["pen"]["control"], &status["history"]["step_s"]),
        (&false.into(), &5.into())
    );
    assert!(status.get("token").is_none());
    for (request, expected) in [
        ("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("POST /status.json HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /control HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(page.send(request).status, expected, "{request:?}");
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let _pen = Pen::over(&farm).command(&page.command()).start();
    let mut stream = page.connect();
    for _ in 0..20 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").expect("it takes requests");
        assert_eq!(Answer::read(&mut stream).expect("an answer").body, "ok\n");
    }
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    assert!(Answer::read(&mut stream).expect("an answer").head.contains("Connection: close"));
    assert_eq!(stream.read(&mut [0]).ok(), Some(0));
}

#[test]
fn the_access_list_decides() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let pen = Pen::over(&farm).command(&page.command()).start();
    assert_eq!(page.get("/healthz").status, 200, "an empty list lets in loopback");
    pen.set("acl 3 permit 127.0.0.5");
    pen.set("acl 3 deny 127.0.0.0 255.0.0.0");
    let mut kept = page.connect();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").expect("it takes requests");
    assert_eq!(Answer::read(&mut kept).expect("an answer").status, 200);
    assert_eq!(pen.ctl("metrics_acl 3"), "3\n");
    let ask = |source: &str| {
        let mut stream = page.connect_from(source);
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").ok()?;
        Answer::read(&mut stream)
    };
    assert!(ask("127.0.0.1").is_none());
    assert_eq!(ask("127.0.0.5").expect("it is permitted").status, 200);
    // Who is in already is asked again.
    let _ = kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(Answer::read(&mut kept).is_none());
    until("a line in the log", || {
        pen.stderr().contains("metrics: 127.0.0.1 may not come in").then_some(())
    });
}

#[test]
fn a_unix_socket_serves_too() {
    let farm = Farm::banners(1);
    let builder = Pen::over(&farm);
    let path = builder.path("metrics.sock");
    let _pen = builder.command(&format!("metrics {}", path.display())).start();
    let mut stream = UnixStream::connect(&path).expect("it listens");
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").expect("it takes requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, then the end");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
}

#[test]
fn the_page_steers_only_when_it_may() {
    let farm = Farm::banners(2);
    let page = Page::free();
    let pen = Pen::over(&farm).command(&page.command()).start();
    let post = |token: &str, origin: &str, command: &str| {
        let body = serde_json::json!({ "command": command }).to_string();
        page.send(&format!(
            "POST /control HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nX-Pen-Token: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            page.0,
            body.len()
        ))
    };
    let own = format!("http://{}", page.0);
    assert_eq!(post("", &own, "server 0 blacklist 60").status, 403, "it is off");
    pen.set("metrics_control");
    let status = page.status();
    assert_eq!(status["pen"]["control"], true);
    let token = status["token"].as_str().expect("a token").to_owned();
    for (token, origin) in
        [("0", own.as_str()), (&token, "http://evil.example"), (&token, ""), ("", &own)]
    {
        assert_eq!(post(token, origin, "server 0 blacklist 60").status, 403, "{token} {origin}");
    }
    for command in ["exit", "server 0 port 1", "include /etc/passwd", "server 0 blacklist no"] {
        assert_eq!(post(&token, &own, command).status, 400, "{command}");
    }
    assert!(page.status()["services"][0]["servers"][0]["usable"] == true, "nothing has changed");
    let done = post(&token, &own, "service default server 0 blacklist 60 weight 7");
    assert_eq!((done.status, done.body.as_str()), (200, "{\"reply\":\"\"}\n"));
    let server = &until("the overview", || {
        Some(page.status()).filter(|s| s["services"][0]["servers"][0]["blacklisted"] == true)
    })["services"][0]["servers"][0];
    assert_eq!(server["weight"], 7);
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s1"));
    let unknown = post(&token, &own, "service nothing server 0 blacklist 60");
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("no service called"), "{unknown:?}");
    until("a line in the log", || {
        let line = "control: 127.0.0.1 by the page: service default server 0 blacklist 60";
        pen.stderr().contains(line).then_some(())
    });
    // By a name that anybody may point here there is no token.
    let named =
        page.send("GET /status.json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(!named.body.contains(&token));
    pen.set("no metrics_control");
    assert_eq!(post(&token, &own, "server 0 blacklist 0").status, 403);
}

#[test]
fn the_history_grows_while_it_is_shown() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let pen = Pen::over(&farm).command(&page.command()).start();
    for _ in 0..3 {
        let client: Client = pen.client();
        assert!(!client.read_line().is_empty());
    }
    let curve = until("a step", || {
        let history = page.status()["history"]["services"]["default"].clone();
        history["accepted"].as_array().filter(|c| !c.is_empty())?;
        Some(history)
    });
    let sum: u64 = curve["accepted"].as_array().unwrap().iter().filter_map(|n| n.as_u64()).sum();
    assert!(sum <= 3, "{curve}");
    assert!(curve["servers"]["0"]["connections"].is_array(), "{curve}");
}

#[test]
fn it_works_when_pen_is_shut_in() {
    let farm = Farm::banners(1);
    let (page, other) = (Page::free(), Page::free());
    let pen = Pen::over(&farm).command("sandbox strict").command(&page.command()).start();
    let text = page.get("/metrics").body;
    for name in ["process_open_fds", "process_resident_memory_bytes", "process_threads"] {
        let value = text.lines().find_map(|l| l.strip_prefix(name)?.trim().parse::<u64>().ok());
        assert!(value.is_some_and(|n| n > 0), "{name} in {text}");
    }
    assert_eq!(pen.ctl(&other.command()), format!("{}\n", other.0));
    assert_eq!(other.get("/readyz").body, "ready\n");
}

#[test]
fn check_looks_at_the_words() {
    let farm = Farm::banners(1);
    let check = |command: &str| Pen::over(&farm).args(["--check"]).command(command).fail();
    let good = check("metrics 127.0.0.1:9404");
    assert_eq!((good.code, good.stdout.as_str()), (Some(0), "configuration is good\n"), "{good:?}");
    for wrong in ["metrics 127.0.0.1", "metrics nosuch", "metrics_acl 10"] {
        let finished = check(wrong);
        assert_eq!(finished.code, Some(1), "{wrong}: {finished:?}");
    }
}

#[test]
fn metrics_say_what_happened() {
    let farm = Farm::banners(1);
    let page = Page::free();
    let pen = Pen::over(&farm).command(&page.command()).start();
    for _ in 0..3 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    }
    pen.wait_idle();
    let text = until("the numbers to be fresh", || {
        let text = page.get("/metrics").body;
        text.contains(
            "pen_connections_closed_total{service=\"default\",reason=\"client_finished\"} 3\n",
        )
        .then_some(text)
    });
    for line in [
        "pen_connections_total{service=\"default\"} 3",
        "pen_connections_current{service=\"default\"} 0",
        "pen_server_connections_total{service=\"default\",server=\"0\"} 3",
        "pen_connection_duration_seconds_count{service=\"default\"} 3",
        "pen_connection_first_byte_seconds_count{service=\"default\"} 3",
        "pen_service_ready{service=\"default\"} 1",
        "pen_draining 0",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line} is not in {text}");
    }
}
