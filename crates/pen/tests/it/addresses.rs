//! Addresses of the machine that come and go.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use pen_test::{
    Client, End, Farm, Pen, Place, UdpClient, UdpServer, in_own_network, pen_program, run,
    run_here, until,
};

const V4: &str = "192.0.2.1";
const V6: &str = "2001:db8::1";

/// `address` comes to this machine, or leaves it.
fn address(what: &str, address: &str) {
    let (bits, rest) = if address.contains(':') { (128, " nodad") } else { (32, "") };
    let rest = if what == "add" { rest } else { "" };
    run_here(&format!("ip address {what} {address}/{bits} dev lo{rest}"));
}

fn place(address: &str, port: u16) -> Place {
    Place::Tcp(SocketAddr::new(address.parse().expect("an address"), port))
}

/// Who answers a datagram to `to` from that address.
fn ask(to: &Place) -> io::Result<String> {
    let Place::Tcp(to) = to else { panic!("an address") };
    let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(Duration::from_millis(300)))?;
    socket.send(b"who?")?;
    let mut answer = [0; 64];
    let length = socket.recv(&mut answer)?;
    Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
}

#[test]
fn listeners_wait_for_their_addresses() {
    in_own_network("addresses::listeners_wait_for_their_addresses", "true", || {
        let farm = Farm::banners(1);
        let server = UdpServer::named("udp");
        let builder = Pen::bare();
        let tls = builder.tls_line();
        let file = format!(
            "freebind\nlisten {V4}:80 [{V6}]:80\nserver 0 address 127.0.0.1 port {}\n{tls}\
             service dns\nprotocol udp\nfreebind\nlisten {V4}:53 [{V6}]:53\n\
             server 0 address 127.0.0.1 port {}\n",
            farm[0].place().port(),
            server.place().port(),
        );
        let pen = builder.file(&file).listen(&Place::local(8_000)).start();
        for at in [format!("{V4}:80"), format!("[{V6}]:80"), format!("{V4}:53")] {
            let told = format!("no interface has the address of {at} yet");
            until(&told, || pen.stderr().contains(&told).then_some(()));
        }
        for ip in [V4, V6] {
            assert!(Client::connect(&place(ip, 80)).is_err());
            // Twice: it is served when it comes again, too.
            for _ in 0..2 {
                address("add", ip);
                // The kernel takes a moment to route to a new address of IPv6.
                let client = until("a connection", || Client::connect(&place(ip, 80)).ok());
                assert!(client.read_line().starts_with("s0 "));
                assert!(until("an answer", || ask(&place(ip, 53)).ok()).starts_with("udp"));
                drop(client);
                address("del", ip);
            }
        }
    });
}

#[test]
fn an_address_that_is_not_there_is_refused_unless_it_may_come() {
    in_own_network(
        "addresses::an_address_that_is_not_there_is_refused_unless_it_may_come",
        "true",
        || {
            let listen = format!("{V4}:80");
            for udp in [&[][..], &["-U"]] {
                let words = [&["-f"], udp, &[&listen, "127.0.0.1:81"]].concat();
                let end = run(&pen_program(), words);
                assert_eq!(end.code, Some(1), "{}", end.stderr);
                let said = format!("cannot listen on {listen}: Cannot assign requested address");
                assert!(end.stderr.contains(&said), "{}", end.stderr);
                assert!(end.stderr.contains("'freebind'"), "{}", end.stderr);
            }
            let pen = Pen::bare().start();
            let refused = pen.ctl(&format!("listen {listen}"));
            assert!(refused.starts_with("error: ") && refused.contains("'freebind'"), "{refused}");
            pen.set("freebind");
            assert_eq!(pen.ctl(&format!("listen {listen}")), format!("{listen}\n"));
            let written = pen.path("written");
            pen.set(&format!("write {}", written.display()));
            let written = std::fs::read_to_string(written).expect("it was written");
            assert!(written.lines().any(|line| line == "freebind"), "{written}");
            let live = run(
                &pen_program(),
                ["--check", "--live", "-u", "root", "-O", "freebind", &listen, "127.0.0.1:81"],
            );
            assert!(live.stdout.contains("no address of this machine yet"), "{}", live.stdout);
        },
    );
}

/// How often a reason has occurred.
fn count(pen: &Pen, service: usize, reason: &str) -> u64 {
    let all: serde_json::Value = serde_json::from_str(&pen.ctl("overview json")).expect("JSON");
    all["services"][service]["totals"]["closed"][reason].as_u64().unwrap_or(0)
}

#[test]
fn what_is_bound_to_an_address_that_leaves_is_closed() {
    let test = "addresses::what_is_bound_to_an_address_that_leaves_is_closed";
    in_own_network(test, "true", || {
        let farm = Farm::banners(1);
        let pen = Pen::over(&farm).listen(&place("::", 8_000)).start();
        [V4, V6].into_iter().for_each(|ip| address("add", ip));
        let client = |ip: &str| {
            let dial = || Client::connect(&place(ip, 8_000)).ok();
            let client = until("a connection", dial);
            assert!(client.read_line().starts_with("s0 "));
            client
        };
        let stays = client("127.0.0.1");
        for (n, ip) in [(2, V4), (4, V6)] {
            let lost = [client(ip), client(ip)];
            address("del", ip);
            until("the connections to be closed", || {
                (count(&pen, 0, "address_left") == n).then_some(())
            });
            until("the server to be free of them", || (pen.conns() == 1).then_some(()));
            let resets = || farm[0].notes().iter().filter(|note| *note == "Reset").count() as u64;
            until("the server to see resets", || (resets() == n).then_some(()));
            drop(lost);
            let said = format!(
                "address {ip} has left this machine; 2 connections and 0 flows that used it are closed"
            );
            until(&said, || pen.stderr().contains(&said).then_some(()));
            let events = pen.ctl("events json");
            assert!(events.contains(r#""key":"address_left""#), "{events}");
            assert!(events.contains(&format!(r#""address":"{ip}""#)), "{events}");
            address("add", ip);
            drop(client(ip));
            until("the last to end", || (pen.conns() == 1).then_some(()));
        }
        assert_eq!(pen.stderr().matches("has left this machine").count(), 2);
        stays.send("still here\n").expect("its address is there");
        assert_eq!(stays.read_line(), "still here\n");
    });
}

#[test]
fn flows_and_ways_to_servers_are_closed_with_their_address() {
    let test = "addresses::flows_and_ways_to_servers_are_closed_with_their_address";
    in_own_network(test, "true", || {
        let (farm, server) = (Farm::banners(1), UdpServer::named("udp"));
        [V4, V6, "192.0.2.2"].into_iter().for_each(|ip| address("add", ip));
        let file = format!(
            "source 192.0.2.2\nserver 0 address 127.0.0.1 port {}\n\
             service all\nprotocol udp\nlisten 0.0.0.0:53\nserver 0 address 127.0.0.1 port {1}\n\
             service one\nprotocol udp\nlisten {V4}:54 [{V6}]:54\n\
             server 0 address 127.0.0.1 port {1}\n",
            farm[0].place().port(),
            server.place().port(),
        );
        let pen = Pen::bare().file(&file).start();
        let client = pen.client();
        assert_eq!(client.read_line().trim_end(), "s0 192.0.2.2");
        let udp = |ip, port| {
            let from = if ip == V6 { "::1" } else { "127.0.0.1" };
            let client = UdpClient::at(from, &place(ip, port));
            until("an answer", || {
                client.send(b"who?");
                client.receive_within(Duration::from_millis(300))
            });
            client
        };
        let (_lost, _stays) = ([udp(V4, 53), udp(V4, 54), udp(V6, 54)], udp("127.0.0.1", 53));
        let flows = || [1, 2].map(|service| count(&pen, service, "address_left"));
        address("del", V4);
        until("two flows to end", || (flows() == [1, 1]).then_some(()));
        address("del", V6);
        until("another to end", || (flows() == [1, 2]).then_some(()));
        assert_eq!(count(&pen, 0, "address_left"), 0);
        address("del", "192.0.2.2");
        until("the connection to end", || (count(&pen, 0, "address_left") == 1).then_some(()));
        assert_eq!(client.end(), End::Reset);
        assert!(pen.stderr().contains("0 connections and 2 flows"), "{}", pen.stderr());
    });
}

#[test]
fn an_address_that_is_soon_back_has_not_left() {
    in_own_network("addresses::an_address_that_is_soon_back_has_not_left", "true", || {
        let farm = Farm::banners(1);
        let pen = Pen::over(&farm).listen(&place("0.0.0.0", 8_000)).start();
        address("add", V4);
        let client = Client::connect(&place(V4, 8_000)).expect("pen listens");
        assert!(client.read_line().starts_with("s0 "));
        for _ in 0..3 {
            run_here(&format!("ip address del {V4}/32 dev lo; ip address add {V4}/32 dev lo"));
        }
        // Another one goes for good; when that is told, the first has had its time.
        address("add", "192.0.2.9");
        let other = Client::connect(&place("192.0.2.9", 8_000)).expect("pen listens");
        assert!(other.read_line().starts_with("s0 "));
        address("del", "192.0.2.9");
        until("the other one", || (count(&pen, 0, "address_left") == 1).then_some(()));
        client.send("again\n").expect("nothing has happened");
        assert_eq!(client.read_line(), "again\n");
        pen.set("leaving_addresses keep");
        assert_eq!(pen.ctl("leaving_addresses"), "keep\n");
        address("del", V4);
        pen.set("leaving_addresses keep");
        std::thread::sleep(Duration::from_millis(1_500));
        assert_eq!((count(&pen, 0, "address_left"), pen.conns()), (1, 1));
    });
}
