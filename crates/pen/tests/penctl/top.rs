//! `penctl top` in a terminal: pages of every size, keys, signals, a pen that comes and goes.

use pen_test::{
    Farm, Pen, PenBuilder, Place, Scratch, Screen, Sig, UdpServer, free_port, penctl_program, until,
};

const ABLE: [(&str, &str); 2] = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")];

fn top(pen: &Pen, words: &[&str], env: &[(&str, &str)], size: (u16, u16)) -> Screen {
    let control = pen.control().word();
    let words = [&[control.as_str(), "top", "--interval", "1"][..], words].concat();
    Screen::start(&penctl_program(), &words, env, size)
}

/// Two servers with names, the second one out.
fn pen(farm: &Farm) -> Pen {
    let pen = Pen::over(farm).args(["-r"]).start();
    pen.set("server 0 name red");
    pen.set("server 1 name blue");
    pen.set("server 1 blacklist 1000");
    pen
}

#[test]
fn the_page_shows_what_happens_and_goes_without_a_trace() {
    let farm = Farm::banners(2);
    let pen = pen(&farm);
    let mut screen = top(&pen, &[], &ABLE, (80, 24));
    let text = screen.shows("service default: 1 of 2 servers out");
    assert!(text.starts_with("pen "), "{text}");
    assert!(text.contains("0 red 127.0.0.1:") && text.contains(" out "), "{text}");
    assert!(screen.is_taken_over() && !screen.has_cursor() && !screen.echoes());
    let held: Vec<_> = (2..6).map(|n| pen.client_from(&format!("127.0.0.{n}"))).collect();
    let _ = screen.shows("4 connections");
    let _ = screen.shows("127.0.0.5 ");
    pen.set("server 1 blacklist 0");
    let _ = screen.shows("all is well");
    drop(held);
    let _ = screen.shows("0 connections");
    let _ = screen.shows("closed: ");
    for (keys, text) in [
        ("s", "s sort: connections"),
        ("ss", "s sort: bytes per second"),
        ("p", "(paused)"),
        ("?", "look less often"),
        ("x", "CLIENT"),
        ("+", "every 2 s"),
    ] {
        screen.press(keys);
        let _ = screen.shows(text);
    }
    screen.press("q");
    assert_eq!(screen.wait().code(), Some(0));
    until("the terminal as it was", || (!screen.is_taken_over()).then_some(()));
    assert!(screen.has_cursor() && screen.echoes());
    assert_eq!(screen.text().trim(), "");
}

#[test]
fn every_size_and_kind_of_terminal() {
    let farm = Farm::banners(2);
    let pen = pen(&farm);
    let screen = top(&pen, &[], &ABLE, (40, 10));
    let text = screen.shows("1 blue");
    assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    screen.resize((200, 50));
    let text = screen.shows("FAILED");
    assert!(text.contains(" out 16m "), "{text}");
    screen.resize((20, 5));
    until("the small page", || {
        let text = screen.text();
        (text.contains("service default") && !text.contains("FAILED")).then_some(())
    });
    drop(screen);

    // Without colours, on an old terminal, on one of another language.
    for (env, colours) in [
        (&[("TERM", "xterm"), ("NO_COLOR", "1"), ("LANG", "C.UTF-8")][..], false),
        (&[("TERM", "vt100")], false),
        (&[("TERM", "xterm"), ("LANG", "C")], true),
    ] {
        let screen = top(&pen, &[], env, (80, 24));
        let _ = screen.shows("1 of 2 servers out");
        let sent = String::from_utf8(screen.sent()).unwrap();
        assert_eq!(sent.contains("\x1b[0;1;31m"), colours, "{env:?}");
        assert!(sent.is_ascii() || env.contains(&("LANG", "C.UTF-8")), "{env:?}");
    }

    // One that can do nothing gets page after page.
    let mut screen = top(&pen, &[], &[("TERM", "dumb")], (80, 60));
    until("two pages", || (screen.text().matches("1 of 2 servers out").count() > 1).then_some(()));
    assert!(!String::from_utf8(screen.sent()).unwrap().contains('\x1b'));
    screen.press("\x03");
    assert!(!screen.wait().success());
}

#[test]
fn only_what_changes_is_sent() {
    let farm = Farm::banners(2);
    let pen = pen(&farm);
    let screen = top(&pen, &[], &ABLE, (80, 24));
    let _ = screen.shows("1 of 2 servers out");
    let first = screen.sent().len();
    let up = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let before = up(&screen.text());
    for _ in 0..3 {
        let now = up(&screen.text());
        until("the next second", || (up(&screen.text()) != now).then_some(()));
    }
    assert_ne!(up(&screen.text()), before);
    let more = screen.sent().len() - first;
    assert!(more < first, "{more} bytes in some looks, {first} for a page");
}

#[test]
fn signals_give_the_terminal_back() {
    let farm = Farm::banners(2);
    let pen = pen(&farm);
    for (keys, signal, status) in [
        ("\x03", None, 0),
        ("", Some(Sig::Term), 143),
        ("", Some(Sig::Hup), 129),
        ("\x1c", None, 131),
    ] {
        let mut screen = top(&pen, &[], &ABLE, (80, 24));
        let _ = screen.shows("1 of 2 servers out");
        screen.press(keys);
        if let Some(signal) = signal {
            screen.signal(signal);
        }
        assert_eq!(screen.wait().code(), Some(status), "{keys:?} {signal:?}");
        until("the terminal as it was", || (!screen.is_taken_over()).then_some(()));
        assert!(screen.echoes() && screen.has_cursor(), "{keys:?} {signal:?}");
    }
}

#[test]
fn it_can_be_stopped_and_goes_on() {
    let farm = Farm::banners(2);
    let pen = pen(&farm);
    let mut screen = top(&pen, &[], &ABLE, (80, 24));
    let _ = screen.shows("1 of 2 servers out");
    screen.press("\x1a");
    until("it to stand still", || screen.is_stopped().then_some(()));
    until("the shell's page", || (!screen.is_taken_over()).then_some(()));
    assert!(screen.echoes() && screen.has_cursor());
    pen.set("server 1 blacklist 0");
    screen.signal(Sig::Cont);
    let _ = screen.shows("all is well");
    assert!(screen.is_taken_over() && !screen.echoes());
    screen.press("q");
    assert_eq!(screen.wait().code(), Some(0));
}

#[test]
fn a_pen_that_goes_is_waited_for() {
    let farm = Farm::banners(2);
    let scratch = Scratch::new();
    let (control, port) = (Place::Unix(scratch.path("ctl")), Place::local(free_port()));
    let start = |builder: PenBuilder| {
        let owner = if pen_test::is_root() { &["-u", "root"][..] } else { &[] };
        let place = control.word();
        let words = [&["-C", &place][..], owner].concat();
        builder.no_control().listen(&port).args(words).start()
    };
    let mut pen = start(Pen::over(&farm));
    let control_word = control.word();
    until("the control socket", || scratch.path("ctl").exists().then_some(()));
    let words = [control_word.as_str(), "top", "--interval", "1"];
    let mut screen = Screen::start(&penctl_program(), &words, &ABLE, (80, 24));
    let _ = screen.shows("all is well");
    let _ = pen.stop();
    let text = screen.shows("connection lost: cannot connect to");
    assert!(text.contains("0 127.0.0.1:"), "what was known stays: {text}");
    let _pen = start(Pen::over(&farm));
    let text = screen.shows("(Pen was started anew)");
    assert!(!text.contains("connection lost"), "{text}");
    screen.press("q");
    assert_eq!(screen.wait().code(), Some(0));
}

#[test]
fn services_are_looked_at_one_by_one() {
    let farm = Farm::banners(1);
    let server = UdpServer::named("a");
    let port = server.place().port();
    let file = format!(
        "service dns\nprotocol udp\nlisten 127.0.0.1:{}\nserver 0 address 127.0.0.1 port {port}\n",
        free_port()
    );
    let pen = Pen::over(&farm).file(&file).start();
    let mut screen = top(&pen, &[], &ABLE, (80, 24));
    let _ = screen.shows("service default (1 of 2)");
    screen.press("\t");
    let _ = screen.shows("service dns (2 of 2)");
    screen.press("\x1b[D");
    let _ = screen.shows("service default (1 of 2)");
    screen.press("\x03");
    assert_eq!(screen.wait().code(), Some(0));
    let screen = top(&pen, &["dns"], &ABLE, (80, 24));
    let _ = screen.shows("service dns (2 of 2)");
    let words = [pen.control().word(), "top".to_owned(), "dsn".to_owned()];
    let finished = pen_test::run(&penctl_program(), words);
    assert_eq!(finished.code, Some(3));
    assert!(finished.stderr.contains("no service called 'dsn'; did you mean 'dns'?"));
}

#[test]
fn one_page_for_a_pipe() {
    let farm = Farm::banners(2);
    let pen = pen(&farm);
    let finished = pen_test::run(&penctl_program(), [pen.control().word(), "top".to_owned()]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    assert!(!finished.stdout.contains('\x1b'));
    for part in ["\nservice default: 1 of 2 servers out\n", "\n0 red 127.0.0.1:", "\nSERVER "] {
        assert!(finished.stdout.contains(part), "{}", finished.stdout);
    }
    let gone = pen_test::run(&penctl_program(), ["/no/such/socket", "top"]);
    assert_eq!(gone.code, Some(1));
    let words = ["--json".to_owned(), pen.control().word(), "top".to_owned()];
    let finished = pen_test::run(&penctl_program(), words);
    assert!(finished.stdout.starts_with("{\"pen\":{"), "{}", finished.stdout);
}
