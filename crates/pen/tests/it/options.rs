//! Options of sockets: that they are really set, on both sides, at start and while pen runs.

use std::os::fd::OwnedFd;

use pen_test::{Client, Farm, Load, Pen, Place, Scratch, acts, in_own_network, plain_only, until};
use rustix::net::{AddressFamily, SocketType, ipproto, sockopt};

use crate::sockets::{descriptors, socket};

/// Both sockets of the only connection of a pen, in our hands.
fn both(pen: &Pen) -> [OwnedFd; 2] {
    let client = pen.client();
    assert!(!client.read_line().is_empty());
    let both = descriptors(pen).map(|number| socket(pen, number));
    drop(client);
    pen.wait_idle();
    both
}

type Look = fn(&OwnedFd) -> u64;

fn number(n: impl TryInto<u64>) -> u64 {
    n.try_into().ok().expect("no negative option")
}

fn idle(s: &OwnedFd) -> u64 {
    sockopt::tcp_keepidle(s).expect("a socket").as_secs()
}

fn interval(s: &OwnedFd) -> u64 {
    sockopt::tcp_keepintvl(s).expect("a socket").as_secs()
}

fn count(s: &OwnedFd) -> u64 {
    number(sockopt::tcp_keepcnt(s).expect("a socket"))
}

fn user_timeout(s: &OwnedFd) -> u64 {
    number(sockopt::tcp_user_timeout(s).expect("a socket"))
}

// What grows by itself is of no fixed size; what was asked for is there twice.
fn receive(s: &OwnedFd) -> u64 {
    number(sockopt::socket_recv_buffer_size(s).expect("a socket"))
}

fn send(s: &OwnedFd) -> u64 {
    number(sockopt::socket_send_buffer_size(s).expect("a socket"))
}

fn is_reno(s: &OwnedFd) -> u64 {
    u64::from(sockopt::tcp_congestion(s).expect("a socket") == "reno")
}

/// What to look at, the command, the value then, and the command that takes it back.
const OPTIONS: &[(Look, &str, u64, &str)] = &[
    (idle, "keepalive idle 61 interval 11 count 4", 61, "no keepalive"),
    (interval, "keepalive interval 12", 12, "keepalive"),
    (count, "keepalive count 4", 4, "keepalive idle 61"),
    (user_timeout, "user_timeout 7", 7_000, "no user_timeout"),
    (receive, "rcvbuf 50000", 100_000, "no rcvbuf"),
    (send, "sndbuf 60000", 120_000, "no sndbuf"),
];

#[test]
fn options_are_set_on_both_sides_of_new_connections_and_taken_back() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    for (look, command, value, back) in OPTIONS {
        let before = both(&pen).map(|s| look(&s));
        let _ = pen.ctl(command);
        assert_eq!(both(&pen).map(|s| look(&s)), [*value; 2], "{command}");
        let _ = pen.ctl(back);
        assert_eq!(both(&pen).map(|s| look(&s)), before, "{back}");
    }
}

#[test]
fn options_are_there_from_the_start() {
    let farm = Farm::banners(1);
    let mut pen = Pen::over(&farm);
    for (_, command, _, _) in [OPTIONS[0], OPTIONS[3], OPTIONS[4], OPTIONS[5]] {
        pen = pen.command(command);
    }
    let pen = pen.start();
    for s in both(&pen) {
        assert_eq!([idle(&s), interval(&s), count(&s), user_timeout(&s)], [61, 11, 4, 7_000]);
        assert_eq!([receive(&s), send(&s)], [100_000, 120_000]);
    }
}

#[test]
fn buffers_that_are_given_back_grow_again() {
    let farm = Farm::one(&acts::echo());
    let pen = Pen::over(&farm).command("rcvbuf 4096").start();
    let grown = || {
        let client = pen.client();
        let data = vec![7; 8 * 1024 * 1024];
        std::thread::scope(|s| {
            s.spawn(|| client.send(&data).expect("pen takes it"));
            client.read_exact(data.len()).expect("the echo");
        });
        let seen = descriptors(&pen).map(|n| receive(&socket(&pen, n)));
        drop(client);
        pen.wait_idle();
        seen
    };
    assert_eq!(grown(), [8_192; 2]);
    assert_eq!(pen.ctl("rcvbuf 0"), "0\n");
    assert!(grown().iter().any(|bytes| *bytes > 131_072), "the buffers do not grow");
}

#[test]
fn congestion_control_is_chosen_for_both_sides_and_an_unknown_one_refused() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let own = both(&pen).map(|s| sockopt::tcp_congestion(s).expect("a socket"));
    // Every kernel has reno; where it is the default there is nothing to see.
    pen.set("congestion reno");
    assert_eq!(both(&pen).map(|s| is_reno(&s)), [1, 1]);
    let reply = pen.ctl("congestion nosuch");
    assert!(
        reply.contains("service default: congestion nosuch: the kernel does not offer"),
        "{reply}"
    );
    assert!(reply.contains("reno"), "{reply}");
    assert_eq!(pen.ctl("congestion"), "reno\n");
    pen.set("no congestion");
    assert_eq!(both(&pen).map(|s| sockopt::tcp_congestion(s).expect("a socket")), own);
    let finished = Pen::over(&farm).command("congestion nosuch").fail();
    assert_ne!(finished.code, Some(0));
    assert!(finished.stderr.contains("congestion nosuch"), "{}", finished.stderr);
}

#[test]
fn with_defer_accept_a_silent_client_costs_no_server_a_connection() {
    if plain_only("clients of TLS speak first") {
        return;
    }
    let farm = Farm::one(&acts::echo());
    let pen = Pen::over(&farm).command("workers 1").start();
    let served_before_a_speaker = || {
        let silent = pen.client();
        let before = farm[0].accepted();
        let speaker = pen.client();
        speaker.send("x").expect("pen takes it");
        assert_eq!(speaker.read_exact(1), Ok(b"x".to_vec()));
        let at_once = farm[0].accepted() - before;
        silent.send("y").expect("pen takes it");
        assert_eq!(silent.read_exact(1), Ok(b"y".to_vec()), "who speaks late is served");
        drop((silent, speaker));
        pen.wait_idle();
        at_once
    };
    let listener = |seconds: &str| {
        assert_eq!(pen.ctl(&format!("defer_accept {seconds}")), format!("{seconds}\n"));
    };
    listener("20");
    assert_eq!(served_before_a_speaker(), 1, "the speaker only");
    listener("0");
    // One worker accepts in the order of coming, so the silent one comes to the server too.
    until("both to be served", || (served_before_a_speaker() != 1).then_some(()));
}

#[test]
fn mptcp_takes_clients_of_both_kinds() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).command("mptcp").start();
    let (Ok(client), Ok(plain)) =
        (Client::dial(pen.place()).multipath().connect(), Client::connect(pen.place()))
    else {
        println!("skipped: no Multipath TCP here");
        return assert!(pen.stderr().contains("mptcp"), "{}", pen.stderr());
    };
    for client in [&client, &plain] {
        assert!(!client.read_line().is_empty());
    }
    drop(plain);
    until("the plain one to go", || (pen.conns() == 1).then_some(()));
    let protocol = |of: OwnedFd| sockopt::socket_protocol(of).expect("a socket");
    let [down, up] = descriptors(&pen).map(|n| protocol(socket(&pen, n)));
    assert_eq!(down, Some(ipproto::MPTCP));
    assert_eq!(up, Some(ipproto::TCP));
    client.finish();
    assert_eq!(client.end(), pen_test::End::Eof);
}

#[test]
fn a_change_of_mptcp_waits_for_new_listeners_and_loses_no_client() {
    let farm = Farm::banners(1);
    // With few numbers, the one of a connection is found soon.
    let pen = Pen::over(&farm).args(["-x", "8"]).start();
    let protocol = || {
        let client = Client::dial(pen.place())
            .multipath()
            .connect()
            .or_else(|_| Client::connect(pen.place()));
        let client = client.expect("pen accepts");
        assert!(!client.read_line().is_empty());
        let protocol = sockopt::socket_protocol(socket(&pen, descriptors(&pen)[0]));
        drop(client);
        pen.wait_idle();
        protocol.expect("a socket")
    };
    assert_eq!(protocol(), Some(ipproto::TCP));
    let mut load = Load::on(pen.place(), 2);
    for command in ["mptcp", "no mptcp", "mptcp"] {
        pen.set(command);
        let seen = load.asked();
        until("a few clients", || (load.asked() > seen + 20).then_some(()));
    }
    load.stop();
    assert_eq!(load.failed(), 0, "of {}", load.asked());
    pen.wait_idle();
    until("the warning", || pen.stderr().contains("stays as it is until").then_some(()));
    assert_eq!(protocol(), Some(ipproto::TCP));
    let Ok(_) = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::MPTCP))
    else {
        println!("skipped: no Multipath TCP here");
        return;
    };
    pen.set("no listen");
    assert!(pen.ctl(&format!("listen {}", pen.place().word())).contains(&pen.place().word()));
    assert_eq!(protocol(), Some(ipproto::MPTCP));
}

#[test]
fn one_source_address_serves_more_connections_than_there_are_ports() {
    const PORTS: usize = 32;
    in_own_network(
        "options::one_source_address_serves_more_connections_than_there_are_ports",
        "echo 40000 40031 > /proc/sys/net/ipv4/ip_local_port_range",
        || {
            let farm = Farm::banners(2);
            // The clients come from elsewhere: they need no ports.
            let scratch = Scratch::new();
            let door = Place::Unix(scratch.path("door"));
            let pen = Pen::over(&farm).args(["-r"]).listen(&door);
            let pen = pen.command("source 127.0.0.9").start();
            let clients: Vec<Client> = (0..PORTS + PORTS / 2).map(|_| pen.client()).collect();
            for client in &clients {
                assert!(client.read_line().contains("127.0.0.9"), "no server was reached");
            }
            assert_eq!(pen.conns() as usize, clients.len());
        },
    );
}

#[test]
fn a_buffer_that_the_kernel_cuts_is_told() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).start();
    let _ = pen.ctl("sndbuf 1000000000");
    until("the warning", || {
        pen.stderr().contains("sndbuf 1000000000: the kernel gives").then_some(())
    });
}
