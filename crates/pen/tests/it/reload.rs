//! HUP: all or nothing, and never a lost connection.

use pen_test::{Farm, Load, Pen, Sig, TestServer, acts, until};

#[test]
fn hup_under_load_fails_no_connection() {
    let farm = Farm::banners(3);
    let file = |n: u32| {
        let port = farm[2].place().port();
        format!(
            "blacklist {n}\nserver 2 address 127.0.0.1 port {port} max {n}\nacl 4 deny 10.0.0.{n}\n"
        )
    };
    let pen = Pen::over(&farm).args(["-r"]).file(&file(100)).start();
    let long = pen.client();
    assert!(!long.read_line().is_empty());
    let mut load = Load::on(pen.place(), 3);
    for n in 101..=120 {
        std::fs::write(pen.file(), file(n)).expect("the file is ours");
        pen.signal(Sig::Hup);
        let expected = format!("{n}\n");
        until("the reload", || (pen.ctl("blacklist") == expected).then_some(()));
    }
    until("load", || (load.asked() > 200).then_some(()));
    load.stop();
    assert_eq!(load.failed(), 0, "of {}", load.asked());
    long.send("still here").expect("the old connection lives");
    assert_eq!(long.read_exact(10), Ok(b"still here".to_vec()));
    drop(long);
    pen.wait_idle();
}

#[test]
fn a_broken_file_changes_nothing_and_is_named() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).file("blacklist 11\nacl 1 deny 127.0.0.66\n").start();
    let before = (pen.ctl("blacklist"), pen.ctl("servers"), pen.ctl("mode"));
    for (broken, place, word) in [
        ("blacklist 12\nroundrobbin\n", "pen.conf:2", "roundrobbin"),
        ("blacklist 12\nserver 0 max -3\n", "pen.conf:2", "-3"),
        ("hash\nserver 1 address no-such-host.invalid\n", "pen.conf", "no-such-host.invalid"),
        ("blacklist 12\n\nacl 77 permit 1.2.3.4\n", "pen.conf:3", "77"),
        ("stubborn\nserver 0 port 99999\n", "pen.conf:2", "99999"),
    ] {
        std::fs::write(pen.file(), broken).expect("the file is ours");
        let said = pen.stderr().len();
        pen.signal(Sig::Hup);
        let complaint = until("a complaint", || {
            let all = pen.stderr();
            all.get(said..).filter(|new| new.contains("pen.conf")).map(str::to_owned)
        });
        assert!(complaint.contains(place) && complaint.contains(word), "{broken:?}: {complaint}");
        assert_eq!((pen.ctl("blacklist"), pen.ctl("servers"), pen.ctl("mode")), before);
    }
    std::fs::write(pen.file(), "blacklist 13\n").expect("the file is ours");
    pen.signal(Sig::Hup);
    until("the repaired file", || (pen.ctl("blacklist") == "13\n").then_some(()));
}

#[test]
fn a_reload_replaces_access_lists() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).file("acl 1 deny 127.0.0.66\nclient_acl 1\n").start();
    assert_eq!(pen.ask("127.0.0.66"), None);
    std::fs::write(pen.file(), "blacklist 3\nacl 1 deny 127.0.0.67\nclient_acl 1\n").expect("ours");
    pen.signal(Sig::Hup);
    until("the reload", || (pen.ctl("blacklist") == "3\n").then_some(()));
    assert_eq!(pen.ask("127.0.0.66").as_deref(), Some("s0"));
    assert_eq!(pen.ask("127.0.0.67"), None);
}

#[test]
fn a_missing_file_is_a_warning_and_may_appear_later() {
    let farm = Farm::banners(1);
    let builder = Pen::over(&farm);
    let file = builder.path("later.conf");
    let pen = builder.args(["-F", &file.display().to_string()]).start();
    assert!(pen.stderr().contains("later.conf"), "no warning: {}", pen.stderr());
    std::fs::write(&file, "blacklist 21\n").expect("the directory is ours");
    pen.signal(Sig::Hup);
    until("the file to be read", || (pen.ctl("blacklist") == "21\n").then_some(()));
}

#[test]
fn hup_reopens_the_log() {
    let farm = Farm::banners(1);
    let builder = Pen::over(&farm);
    let (log, old) = (builder.path("log"), builder.path("log.1"));
    let pen = builder.args(["-l", &log.display().to_string()]).start();
    let speak = |text: &str| {
        let client = pen.client();
        client.send(format!("{text}\n")).expect("pen takes it");
        client.finish();
        assert!(client.read_to_end().0.ends_with(format!("{text}\n").as_bytes()));
    };
    let holds_line = |path: &std::path::Path, text: &str| {
        std::fs::read_to_string(path).unwrap_or_default().contains(text).then_some(())
    };
    speak("before");
    std::fs::rename(&log, &old).expect("the log is there");
    pen.signal(Sig::Hup);
    until("the old log", || holds_line(&old, "before"));
    until("a new log", || log.exists().then_some(()));
    speak("after");
    pen.signal(Sig::Hup);
    until("the new log", || holds_line(&log, "after"));
}

#[test]
fn a_reload_that_removes_a_server_keeps_its_connections() {
    let farm = Farm::banners(2);
    let spare = TestServer::start("spare", acts::banner());
    let line = |server: &TestServer| {
        format!("server 1 address 127.0.0.1 port {}\n", server.place().port())
    };
    let pen = Pen::over(&farm).args(["-r"]).file(&line(&farm[1])).start();
    let old: Vec<_> = (0..2).map(|_| pen.client()).collect();
    for client in &old {
        assert!(!client.read_line().is_empty());
    }
    std::fs::write(pen.file(), line(&spare)).expect("the file is ours");
    pen.signal(Sig::Hup);
    until("the new server", || (pen.ask("127.0.0.1").as_deref() == Some("spare")).then_some(()));
    for client in &old {
        client.send("alive").expect("the old connection lives");
        assert_eq!(client.read_exact(5), Ok(b"alive".to_vec()));
    }
}

#[test]
fn replies_that_nobody_reads_stop_nothing() {
    let farm = Farm::banners(1);
    let mut pen = Pen::over(&farm).stuck_output().file("blacklist 11\n").start();
    let much = format!("{}blacklist 12\n", "mode\n".repeat(4_000));
    std::fs::write(pen.file(), much).expect("the file is ours");
    pen.signal(Sig::Hup);
    until("the reload", || (pen.ctl("blacklist") == "12\n").then_some(()));
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    assert_eq!(pen.stop(), Some(0));
}
