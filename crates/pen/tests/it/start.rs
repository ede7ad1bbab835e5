//! The start of a pen: background, readiness, refusals.

use std::os::unix::net::UnixDatagram;

use pen_test::{Farm, Pen, Place, Sig, TestServer, Wire, acts, deadline, is_root, until};

#[test]
fn background_parent_returns_when_the_service_listens() {
    let farm = Farm::banners(1);
    for _ in 0..5 {
        // No control socket: nothing but the parent's return says that pen is ready.
        let mut pen = Pen::over(&farm).background().no_control().start();
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"), "at once, without a retry");
        pen.stop();
        assert!(!pen.path("pid").exists());
    }
}

#[test]
fn background_parent_fails_with_the_reason() {
    let farm = Farm::banners(1);
    let busy = TestServer::start("busy", acts::echo());
    let failed = Pen::over(&farm).background().listen(busy.place()).fail();
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains(&busy.place().port().to_string()), "{}", failed.stderr);
    let failed = Pen::over(&farm).background().args(["-l", "/no/such/directory/log"]).fail();
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("/no/such/directory/log"), "{}", failed.stderr);
}

#[test]
fn foreground_fails_with_the_reason() {
    let farm = Farm::banners(1);
    let unwritable = "/no/such/directory/pid";
    for (args, word) in [
        (vec!["-p", unwritable], unwritable),
        (vec!["-u", "no-such-user-here"], "no-such-user-here"),
        (vec!["-j", "/no/such/jail"], "/no/such/jail"),
    ] {
        if args[0] != "-p" && !is_root() {
            eprintln!("skipped: {args:?} needs root");
            continue;
        }
        let failed = Pen::over(&farm).args(args).fail();
        assert_eq!(failed.code, Some(1), "{word}: {}", failed.stderr);
        assert!(failed.stderr.contains(word), "{}", failed.stderr);
    }
}

#[test]
fn abort_on_error_makes_a_failure_an_abort() {
    let busy = TestServer::start("busy", acts::echo());
    let failed = Pen::bare().listen(busy.place()).command("abort_on_error").fail();
    assert_eq!(failed.code, None, "ended by no signal: {}", failed.stderr);
    assert!(failed.stderr.contains(&busy.place().port().to_string()), "{}", failed.stderr);
}

#[test]
fn a_second_copy_on_the_same_port_is_refused() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let failed = Pen::over(&farm).listen(pen.place()).fail();
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains(&pen.place().port().to_string()), "{}", failed.stderr);
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"), "the first is unharmed");
}

#[test]
fn a_restart_on_the_same_port_works_at_once() {
    let farm = Farm::banners(1);
    let place = Place::free();
    for _ in 0..3 {
        let mut pen = Pen::over(&farm).listen(&place).start();
        for _ in 0..5 {
            assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
        }
        assert_eq!(pen.stop(), Some(0));
    }
}

#[test]
fn only_a_stale_unix_socket_is_replaced() {
    let farm = Farm::banners(1);
    let builder = Pen::over(&farm);
    let path = builder.path("front");
    let place = Place::Unix(path.clone());
    let mut pen = builder.listen(&place).start();
    let failed = Pen::over(&farm).listen(&place).fail();
    assert_eq!(failed.code, Some(1), "a living socket is not taken over: {}", failed.stderr);
    assert!(!pen.client().read_line().is_empty());
    pen.signal(Sig::Kill);
    pen.wait_exit();
    assert!(path.exists(), "killed, so the socket is stale");
    let heir = Pen::over(&farm).listen(&place).start();
    assert!(!heir.client().read_line().is_empty());
    drop(heir);
    let builder = Pen::over(&farm);
    let file = builder.path("file");
    std::fs::write(&file, "precious").expect("the directory is ours");
    let failed = builder.listen(&Place::Unix(file)).fail();
    assert_eq!(failed.code, Some(1));
}

#[test]
fn readiness_is_told_to_systemd() {
    let farm = Farm::banners(1);
    let builder = Pen::over(&farm);
    let path = builder.path("notify");
    let socket = UnixDatagram::bind(&path).expect("the directory is ours");
    socket.set_read_timeout(Some(deadline())).expect("a timeout");
    let pen = builder.no_control().env("NOTIFY_SOCKET", path).start();
    let mut message = [0; 256];
    let length = socket.recv(&mut message).expect("a message");
    let text = String::from_utf8_lossy(&message[..length]).into_owned();
    assert!(text.lines().any(|l| l == "READY=1"), "{text}");
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
}

#[test]
fn control_socket_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let pen = Pen::bare().start();
    let mode = std::fs::metadata(pen.control().word()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn another_user_is_not_served_whatever_the_mode_of_the_control_socket() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !is_root() {
        return eprintln!("skipped: needs root");
    }
    let pen = Pen::bare().start();
    let open_to_all = |path: &std::path::Path| {
        let mode = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(path, mode).expect("it is ours");
    };
    // A copy, because the way to the built one may be closed to others.
    let penctl = pen.path("penctl");
    std::fs::copy(pen_test::penctl_program(), &penctl).expect("room for a copy");
    for name in ["penctl", "ctl", ""] {
        open_to_all(&pen.path(name));
    }
    let asked_as = |user: u32| {
        let mut command = std::process::Command::new(&penctl);
        let said = command.arg(pen.control().word()).arg("pid").uid(user).output();
        String::from_utf8_lossy(&said.expect("it runs").stdout).into_owned()
    };
    assert_eq!(asked_as(0).trim(), pen.pid().to_string());
    assert_eq!(asked_as(65_534), "");
    until("the message", || pen.stderr().contains("uid 65534").then_some(()));
}

#[test]
fn root_without_user_gets_no_control_port() {
    if !is_root() {
        return eprintln!("skipped: needs root");
    }
    let farm = Farm::banners(1);
    let builder = Pen::over(&farm).no_control();
    let control = builder.path("ctl");
    let pen = builder.args(["-C", &control.display().to_string()]).start();
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    assert!(Wire::connect(&Place::Unix(control)).is_err());
    until("the message", || pen.stderr().contains("-u").then_some(()));
}

#[test]
fn listens_on_several_addresses_of_both_families() {
    let farm = Farm::banners(1);
    let (second, third) = (Place::free(), Place::free());
    let builder = Pen::over(&farm);
    let unix = builder.path("also");
    let pen = builder.start();
    let v6 = format!("::1:{}", third.port());
    let reply = pen.ctl(&format!("listen {} {v6} {}", second.word(), unix.display()));
    assert!(!reply.starts_with("error"), "{reply}");
    let v6_place = Place::Tcp((std::net::Ipv6Addr::LOCALHOST, third.port()).into());
    for place in [second, v6_place, Place::Unix(unix)] {
        let client = until("the address", || Wire::connect(&place).ok());
        assert!(client.read_line().starts_with("s0"), "{}", place.word());
    }
    until("the old address to close", || Wire::connect(pen.place()).is_err().then_some(()));
}

#[test]
fn several_services_listen_on_addresses_of_every_kind_and_one_goes_by_draining() {
    let farm = Farm::banners(2);
    let builder = Pen::bare();
    let mut places = Vec::new();
    let mut file = String::new();
    for (name, server) in ["web", "mail"].iter().zip(farm.iter()) {
        let (v4, v6, unix) = (Place::free(), Place::free().port(), builder.path(name));
        let path = unix.display();
        let port = server.place().port();
        let tls = builder.tls_line();
        file += &format!("service {name}\n{tls}listen {} [::1]:{v6} {path}\n", v4.word());
        file += &format!("server 0 address 127.0.0.1 port {port} name own\n");
        let v6 = Place::Tcp((std::net::Ipv6Addr::LOCALHOST, v6).into());
        places.push([v4, v6, Place::Unix(unix)]);
    }
    let pen = builder.file(&file).start();
    let greeted = |place: &Place| {
        let client = Wire::connect(place).expect("listens");
        (client.read_line(), client)
    };
    for (server, places) in farm.iter().zip(&places) {
        for place in places {
            assert!(greeted(place).0.starts_with(server.name()), "{}", place.word());
        }
    }
    assert_eq!((farm[0].accepted(), farm[1].accepted()), (3, 3));
    let (_, stays) = greeted(&places[1][0]);
    pen.set("no service mail");
    for place in &places[1] {
        until("the door to close", || Wire::connect(place).is_err().then_some(()));
    }
    stays.send("still here").expect("the old connection lives");
    assert_eq!(stays.read_exact(10), Ok(b"still here".to_vec()));
    assert!(!pen.ctl("services").contains("mail"));
    assert!(pen.ctl("service mail servers").starts_with("error: "));
    assert!(greeted(&places[0][0]).0.starts_with("s0"), "the other service is untouched");
}
