//! `transparent` where it cannot be: what is said, and that no server sees a wrong address. Where it can
//! is `tests/transparent.rs`.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use pen_test::{
    Client, Farm, Pen, PenBuilder, Place, Program, Scratch, Sig, TestServer, acts, in_own_network,
    is_root, pen_program, until,
};

fn skipped() -> bool {
    if !is_root() {
        println!("skipped: carrying foreign addresses needs root");
    }
    !is_root()
}

/// As the user nobody.
fn unprivileged(pen: PenBuilder) -> Pen {
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(pen.path("."), open).expect("the directory is ours");
    pen.args(["-u", "nobody"]).start()
}

fn said(pen: &Pen, what: &str) {
    until(what, || pen.stderr().contains(what).then_some(()));
}

#[test]
fn local_servers_see_local_clients() {
    if skipped() {
        return;
    }
    let farm = Farm::banners(1);
    let pen = unprivileged(Pen::over(&farm).command("transparent"));
    for source in ["127.0.0.5", "127.0.0.6"] {
        assert_eq!(pen.client_from(source).read_line().trim(), format!("s0 {source}"));
    }
    // source wins; one that is not there does not count.
    pen.set("source 127.0.0.9");
    assert_eq!(pen.client_from("127.0.0.5").read_line().trim(), "s0 127.0.0.9");
    pen.set("source 192.0.2.77");
    assert_eq!(pen.client_from("127.0.0.5").read_line().trim(), "s0 127.0.0.5");
    said(&pen, "source 192.0.2.77 is no address of this machine");
}

#[test]
fn switched_on_after_the_right_is_gone_it_is_refused_whole() {
    if skipped() {
        return;
    }
    let farm = Farm::banners(1);
    let pen = unprivileged(Pen::over(&farm).file("blacklist 11\n"));
    let reply = pen.ctl("transparent");
    assert!(reply.starts_with("error: "), "{reply}");
    for word in ["IP_TRANSPARENT", "CAP_NET_RAW", "start Pen again", "nothing is changed"] {
        assert!(reply.contains(word), "{word}: {reply}");
    }
    std::fs::write(pen.file(), "blacklist 12\ntransparent\n").expect("the file is ours");
    pen.signal(Sig::Hup);
    said(&pen, "CAP_NET_RAW");
    assert_eq!(pen.ctl("blacklist"), "11\n", "nothing half applied");
    assert_eq!(pen.client_from("127.0.0.5").read_line().trim(), "s0 127.0.0.1");
    // Who says that any address will do gets it, and is told.
    pen.set("transparent_fallback");
    pen.set("transparent");
    assert_eq!(pen.client_from("127.0.0.5").read_line().trim(), "s0 127.0.0.1");
    said(&pen, "the kernel refuses IP_TRANSPARENT");
    let reply = pen.ctl("no transparent_fallback");
    assert!(reply.starts_with("error: "), "{reply}");
}

#[test]
fn without_the_right_there_is_no_start() {
    if skipped() {
        return;
    }
    let scratch = Scratch::new();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(pen_program());
    let port = Place::free().word();
    command.args(["-f", "-O", "transparent", &port, "127.0.0.1:9"]);
    if Command::new("setpriv").arg("--version").output().is_err() {
        println!("skipped: no setpriv here");
        return;
    }
    let end = Program::start(command, &scratch).finished();
    assert_eq!(end.code, Some(1), "{}", end.stderr);
    assert!(end.stderr.contains("CAP_NET_RAW") && end.stderr.contains("setcap"), "{}", end.stderr);
}

#[test]
fn spare_connections_are_refused_at_load() {
    for words in [["idlers 2", "transparent"], ["transparent", "idlers 2"]] {
        let end = Pen::bare().command(words[0]).command(words[1]).servers(["127.0.0.1:9"]).fail();
        assert_eq!(end.code, Some(1), "{words:?}");
        assert!(end.stderr.contains("transparent: 'idlers 2'"), "{}", end.stderr);
    }
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).command("idlers 1").start();
    let reply = pen.ctl("transparent");
    assert!(reply.starts_with("error: ") && reply.contains("idlers 1"), "{reply}");
}

fn is_turned_away(client: &Client) {
    assert_eq!(client.read_line(), "", "no server is reached");
}

#[test]
fn clients_without_a_fitting_address_are_refused_or_fall_back() {
    if skipped() {
        return;
    }
    let v6 =
        TestServer::start_at("six", &Place::Tcp("[::1]:0".parse().expect("ok")), acts::banner());
    let scratch = Scratch::new();
    let unix = Place::Unix(scratch.path("door"));
    let file = format!(
        "listen 127.0.0.1:{} {}\ntransparent\nserver 0 address ::1 port {}\n",
        pen_test::free_port(),
        unix.word(),
        v6.place().port()
    );
    let pen = Pen::bare().file(&file).start();
    // Told when the settings are read, before anybody comes.
    said(&pen, "server 0 (::1) is IPv6");
    said(&pen, "have no address to show");
    let door = pen.ctl("listen");
    let v4 = Place::Tcp(door.split_whitespace().next().expect("one").parse().expect("an address"));
    for place in [&v4, &unix] {
        is_turned_away(&Client::connect(place).expect("pen accepts"));
    }
    said(&pen, "(server 0, [::1]:");
    said(&pen, "a client of a Unix socket has none");
    assert_eq!(v6.accepted(), 0);
    assert!(!pen.ctl("servers").contains("blacklist"), "it is not the server's fault");
    pen.set("transparent_fallback");
    for place in [&v4, &unix] {
        let client = Client::connect(place).expect("pen accepts");
        assert_eq!(client.read_line().trim(), "six ::1");
    }
}

#[test]
fn an_address_that_cannot_leave_is_refused() {
    let prepare = "ip link add d0 type veth peer name d1; ip addr add 192.0.2.1/24 dev d0; \
                   ip link set d0 up; ip link set d1 up";
    let test = "transparent::an_address_that_cannot_leave_is_refused";
    in_own_network(test, prepare, || {
        let pen = Pen::bare().command("transparent").servers(["192.0.2.9:80"]).start();
        is_turned_away(&pen.client());
        said(&pen, "the kernel refuses connect from that address");
        said(&pen, "not blacklisted");
    });
}
