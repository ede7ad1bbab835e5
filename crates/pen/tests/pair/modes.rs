//! Direct server return and `transparent` in a pair.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use pen_test::{deadline, dial_from, in_own_network, run_here, until};

use crate::clients::Crowd;
use crate::hall::{Hall, SWITCH, VIP, VIP6, configuration, lacking};

/// Its flows are known to nobody else, and go on.
#[test]
fn direct_server_return_goes_on() {
    if let Some(why) = lacking() {
        return println!("skipped: {why}");
    }
    in_own_network("modes::direct_server_return_goes_on", SWITCH, || {
        let mut hall = Hall::new();
        for server in &hall.servers {
            server.run(&format!(
                "sysctl -q -w net.ipv4.conf.all.arp_ignore=1; \
                 sysctl -q -w net.ipv4.conf.all.arp_announce=2; ip address add {VIP}/32 dev lo"
            ));
        }
        hall.serve([VIP, VIP]);
        let settings = format!(
            "dsr_if eth0\ndsr_standby\nlisten {VIP}:80\n\
             server 0 address 192.0.2.11\nserver 1 address 192.0.2.12\n"
        );
        hall.up_with(&settings, |control| {
            // The service's address is on no balancer; this one is for keepalived alone.
            let shipped = configuration(control).replace(&format!("{VIP6}/64"), "");
            let shipped = shipped.replace(&format!("{VIP}/24"), "192.0.2.250/32 dev lo");
            shipped.replace(&format!("{control}\""), &format!("{control} default\""))
        });
        assert!(!hall.pens[0].ctl("dsr").contains("standby"), "{}", hall.pens[0].ctl("dsr"));
        assert!(hall.pens[1].ctl("dsr").contains("standby"), "{}", hall.pens[1].ctl("dsr"));
        let crowd = Crowd::start(&hall);
        let trouble = Instant::now();
        hall.pens[0].reach(false);
        hall.pens[0].kill();
        until("the other one to take over", || hall.pens[1].is("MASTER").then_some(()));
        crowd.wait_served(Instant::now());
        let seen = crowd.end(trouble);
        assert_eq!((seen.wrong, seen.ended, seen.stuck), (0, 0, 0), "{seen:?}");
        assert!(!hall.pens[1].ctl("dsr").contains("standby"));
        // Whoever reads its file again is soon what it was: pen-ready sees to it.
        let control = hall.pens[1].ctl("service default dsr_standby");
        assert_eq!(control, "");
        until("to be active again", || {
            (!hall.pens[1].ctl("dsr").contains("standby")).then_some(())
        });
        crate::cases::report(&format!(
            "| direct server return: machine dead | {0:.2} s | {0:.2} s | {1} | {2} | {3} | {4} |\n",
            seen.without_service.as_secs_f64(),
            seen.failed,
            seen.ended,
            seen.wrong,
            seen.stuck
        ));
    });
}

#[test]
fn transparent_services_move_with_the_way_back() {
    if let Some(why) = lacking() {
        return println!("skipped: {why}");
    }
    let test = "modes::transparent_services_move_with_the_way_back";
    in_own_network(test, SWITCH, || {
        let mut hall = Hall::new();
        run_here("ip link add back type bridge mcast_snooping 0; ip link set back up");
        for (n, server) in hall.servers.iter().enumerate() {
            server.cable("eth1", &format!("x{n}"));
            run_here(&format!("ip link set x{n} master back"));
            server.run(&format!(
                "ip address flush dev eth0; ip address add 198.51.100.1{}/24 dev eth1; \
                 ip route add default via 198.51.100.1",
                n + 1
            ));
        }
        hall.serve(["198.51.100.11", "198.51.100.12"]);
        for (n, machine) in hall.pens.iter().enumerate() {
            machine.host.cable("eth1", &format!("y{n}"));
            run_here(&format!("ip link set y{n} master back"));
            machine.host.run(&format!(
                "ip address add 198.51.100.{}/24 dev eth1; ip rule add iif eth1 lookup 100; \
                 ip route add local default dev lo table 100",
                n + 2
            ));
        }
        let settings = format!(
            "freebind\ntransparent\nhash\nlisten {VIP}:80\n\
             server 0 address 198.51.100.11 port 80\nserver 1 address 198.51.100.12 port 80\n"
        );
        hall.up_with(&settings, |control| {
            // The servers' way back moves with the service.
            let gateway = "198.51.100.1/24 dev eth1";
            configuration(control).replace(&format!("{VIP6}/64"), gateway)
        });
        let waiting = [1, 2].map(|client| connection(&hall, client));
        let trouble = Instant::now();
        hall.pens[0].stop_keepalived();
        until("the other one to take over", || hall.pens[1].is("MASTER").then_some(()));
        // The old Pen may carry any address: who only waits hears from it that it is over.
        for mut wire in waiting {
            let end = wire.read(&mut [0; 9]).map_err(|e| e.kind());
            assert_eq!(end, Err(ErrorKind::ConnectionReset));
        }
        assert!(trouble.elapsed() < deadline());
        until("the old one to say so", || {
            hall.pens[0].said().contains("2 connections and 0 flows").then_some(())
        });
        drop(connection(&hall, 3));
        let crowd = Crowd::start(&hall);
        let since = Instant::now();
        crowd.wait_served(since);
        let seen = crowd.end(since);
        assert_eq!((seen.failed, seen.wrong, seen.stuck), (0, 0, 0), "{seen:?}");
    });
}

/// A connection whose server sees the client's own address.
fn connection(hall: &Hall, client: u8) -> TcpStream {
    let from = SocketAddr::new([192, 0, 2, 100 + client].into(), 0);
    let to = SocketAddr::new(VIP.parse().expect("an address"), 80);
    let dial = || hall.client.inside(|| dial_from(from, to, Duration::from_secs(1)).ok());
    let wire = until("a connection", dial);
    wire.set_read_timeout(Some(deadline())).expect("it is longer than 0");
    let mut line = String::new();
    let mut reader = BufReader::new(&wire);
    reader.read_line(&mut line).expect("a server answers");
    assert_eq!(line.split_whitespace().nth(1), Some(from.ip().to_string().as_str()));
    wire
}
