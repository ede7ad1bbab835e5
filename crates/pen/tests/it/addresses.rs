//! Addresses of the machine that come and go.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use pen_test::{
    Client, Farm, Pen, Place, UdpServer, in_own_network, pen_program, run, run_here, until,
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
