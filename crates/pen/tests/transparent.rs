//! `transparent` between machines: clients, Pen and two servers, each in a network namespace of its own,
//! joined by the very commands of docs/transparent.md.
#![forbid(unsafe_code)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pen_test::{
    Farm, Host, Pen, PenBuilder, Place, Scratch, TestServer, UdpClient, UdpServer, Wire, acts,
    in_own_network, is_root, pen_program, run, run_here, until,
};

const PAGE: &str = include_str!("../../../docs/transparent.md");
/// CAP_NET_RAW.
const ONE_RIGHT: u64 = 1 << 13;

/// The commands of the page's block called `name`.
fn block(name: &str) -> Vec<&'static str> {
    let mut lines = PAGE.lines().skip_while(|l| *l != format!("```sh {name}"));
    assert!(lines.next().is_some(), "the page has no block {name}");
    lines.take_while(|l| *l != "```").collect()
}

/// The settings of the page.
fn settings() -> String {
    let lines = PAGE.lines().skip_while(|l| *l != "## Pen").skip(2);
    lines.map_while(|l| l.strip_prefix("    ")).map(|l| format!("{l}\n")).collect()
}

/// The machines around Pen's, which is the test's.
struct Lan {
    client: Host,
    servers: [Host; 2],
}

impl Lan {
    fn build(recipe: Option<&str>) -> Self {
        let client = Host::new("client");
        client.cable("c0", "front");
        client.run("ip addr add 192.0.2.2/24 dev c0; ip addr add 192.0.2.3/24 dev c0");
        for last in 2..=3 {
            client.run(&format!("ip addr add 2001:db8:1::{last}/64 dev c0 nodad"));
        }
        run_here("ip addr add 192.0.2.1/24 dev front");
        run_here("ip addr add 2001:db8:1::1/64 dev front nodad");
        run_here("ip link add back type bridge; ip link set back up");
        run_here("ip addr add 198.51.100.1/24 dev back");
        run_here("ip addr add 2001:db8:2::1/64 dev back nodad");
        let servers = [Host::new("server 0"), Host::new("server 1")];
        for (n, server) in servers.iter().enumerate() {
            server.cable("e0", &format!("b{n}"));
            run_here(&format!("ip link set b{n} master back"));
            server.run(&format!("ip addr add 198.51.100.1{}/24 dev e0", n + 1));
            server.run(&format!("ip addr add 2001:db8:2::1{}/64 dev e0 nodad", n + 1));
            block("server").into_iter().for_each(|c| server.run(c));
        }
        recipe.into_iter().flat_map(block).for_each(run_here);
        Self { client, servers }
    }

    /// Servers that say their name and whom they see, in the order of the page.
    fn farm(&self) -> Farm {
        let at = |n: usize, ip: &str| {
            let place = Place::Tcp(format!("{ip}:80").parse().expect("an address"));
            self.servers[n]
                .inside(|| TestServer::start_at(&format!("s{n}"), &place, acts::banner()))
        };
        let v4 = [at(0, "198.51.100.11"), at(1, "198.51.100.12")];
        let v6 = [at(0, "[2001:db8:2::11]"), at(1, "[2001:db8:2::12]")];
        Farm::from(v4.into_iter().chain(v6))
    }

    /// What the server says to a client at `from`; bytes go both ways after it.
    fn ask(&self, from: &str) -> String {
        let pen = if from.contains(':') { "[2001:db8:1::1]:80" } else { "192.0.2.1:80" };
        let place = Place::Tcp(pen.parse().expect("an address"));
        self.client.inside(|| {
            let client = Wire::dial(&place).from(from).connect().expect("pen accepts");
            let line = client.read_line().trim().to_owned();
            if !line.is_empty() {
                let bytes = vec![b'x'; 200_000];
                client.send(&bytes).expect("the way there");
                assert!(client.read_exact(bytes.len()) == Ok(bytes), "the way back");
            }
            line
        })
    }
}

/// Pen with the settings of the page, as the user nobody.
fn start() -> Pen {
    let pen = Pen::bare()
        .args(["-r"])
        .listen(&Place::Tcp("192.0.2.1:80".parse().expect("an address")))
        .file(&settings());
    open(pen)
}

/// Starts it as the user nobody.
fn open(pen: PenBuilder) -> Pen {
    let pen = pen.args(["-u", "nobody"]);
    // The pid file is written by the new user.
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(pen.path("."), open).expect("the directory is ours");
    pen.start()
}

fn possible(program: &str) -> bool {
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    let has = places.iter().any(|dir| Path::new(dir).join(program).exists());
    if !is_root() {
        println!("skipped: becoming another user needs root");
    } else if !has {
        println!("skipped: there is no {program} here");
    }
    is_root() && has
}

fn servers_see_the_clients(recipe: &str) {
    let lan = Lan::build(Some(recipe));
    let (code, said) = inspect();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("wrong: "), "{said}");
    streams(&lan);
    datagrams(&lan);
}

fn datagrams(lan: &Lan) {
    let at = |n: usize, ip: &str| lan.servers[n].inside(|| UdpServer::echo(ip));
    let servers = [
        at(0, "198.51.100.11"),
        at(1, "198.51.100.12"),
        at(0, "2001:db8:2::11"),
        at(1, "2001:db8:2::12"),
    ];
    let listen = ["192.0.2.1:5300", "[2001:db8:1::1]:5300"];
    let file = format!("listen {}\nprotocol udp\ntransparent\nroundrobin\n", listen.join(" "));
    let pen = open(Pen::bare().file(&file).servers(servers.iter().map(UdpServer::word)));
    for (client, door) in [
        ("192.0.2.2", listen[0]),
        ("192.0.2.3", listen[0]),
        ("2001:db8:1::2", listen[1]),
        ("2001:db8:1::3", listen[1]),
    ] {
        let place = Place::Tcp(door.parse().expect("an address"));
        lan.client.inside(|| {
            for _ in 0..4 {
                let socket = UdpClient::at(client, &place);
                for text in ["one", "two"] {
                    assert_eq!(socket.ask(text.as_bytes()), text.as_bytes());
                }
            }
        });
        let family = if client.contains(':') { &servers[2..] } else { &servers[..2] };
        for (n, server) in family.iter().enumerate() {
            let saw = server.seen().iter().any(|(from, _)| from.ip().to_string() == client);
            assert!(saw, "server {n} did not see {client}");
        }
    }
    // Nobody else was seen.
    let seen: usize = servers.iter().map(|s| s.seen().len()).sum();
    assert_eq!(seen, 4 * 4 * 2);
    let froms = servers.iter().flat_map(|s| s.seen()).map(|(from, _)| from.ip().to_string());
    assert!(
        froms.into_iter().all(|ip| ip.starts_with("192.0.2.") || ip.starts_with("2001:db8:1:"))
    );
    pen.set("server 0 blacklist 60");
    pen.set("server 1 blacklist 60");
    let place = Place::Tcp(listen[0].parse().expect("an address"));
    lan.client.inside(|| UdpClient::at("192.0.2.2", &place).send(b"lost"));
    until("the reason", || {
        pen.ctl("flows").contains("not_transparent").then_some(())?;
        pen.stderr().contains("client 192.0.2.2: no server that can be used").then_some(())
    });
}

fn streams(lan: &Lan) {
    let mut farm = lan.farm();
    let pen = start();
    for from in ["192.0.2.2", "192.0.2.3", "2001:db8:1::2", "2001:db8:1::3"] {
        let seen: Vec<String> = (0..4).map(|_| lan.ask(from)).collect();
        for n in 0..2 {
            assert!(seen.contains(&format!("s{n} {from}")), "server {n}: {seen:?}");
        }
        assert!(seen.iter().all(|line| line.ends_with(from)), "{seen:?}");
    }
    assert_rights(pen.pid());
    // Switched off and, since the right is there, on again.
    pen.set("no transparent");
    assert!(lan.ask("192.0.2.2").ends_with(" 198.51.100.1"));
    assert!(lan.ask("2001:db8:1::2").ends_with(" 2001:db8:2::1"));
    pen.set("transparent");
    // Failover goes on with the client's address.
    drop(farm.remove(0));
    for _ in 0..3 {
        assert_eq!(lan.ask("192.0.2.3"), "s1 192.0.2.3");
    }
    pen.set("server 1 blacklist 60");
    // The servers of the other family are no way out.
    assert_eq!(lan.ask("192.0.2.2"), "");
    until("the reason", || {
        let said = pen.stderr();
        let named = said.contains("client 192.0.2.2: no server that can be used");
        (named && said.contains("one is IPv4, the other IPv6")).then_some(())
    });
    pen.set("transparent_fallback");
    assert!(lan.ask("192.0.2.2").ends_with(" 2001:db8:2::1"));
}

/// What `--check --live` says of this host and the settings of the page.
fn inspect() -> (Option<i32>, String) {
    let scratch = Scratch::new();
    let file = scratch.write("pen.cfg", &settings()).display().to_string();
    let end = run(&pen_program(), ["--check", "--live", "-u", "nobody", "-F", &file]);
    (end.code, end.stdout + &end.stderr)
}

/// Every thread has the one right or none, and it is nobody's.
fn assert_rights(pid: u32) {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("pen lives");
    let mut with = 0;
    for task in tasks.flatten() {
        let status = std::fs::read_to_string(task.path().join("status")).expect("a thread");
        let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).expect("a line");
        let rights = |name: &str| u64::from_str_radix(field(name).trim(), 16).expect("a number");
        let kept = rights("CapPrm:");
        assert!(kept == ONE_RIGHT || kept == 0, "{status}");
        assert_eq!(rights("CapEff:"), kept, "{status}");
        assert_eq!(rights("CapInh:") | rights("CapAmb:"), 0, "{status}");
        assert!(field("Uid:").split_whitespace().all(|id| id != "0"), "{status}");
        with += usize::from(kept == ONE_RIGHT);
    }
    assert!(with >= 2, "the control thread and the workers have it");
}

#[test]
fn servers_see_the_clients_by_marks() {
    if possible("nft") {
        in_own_network("servers_see_the_clients_by_marks", "true", || {
            servers_see_the_clients("pen")
        });
    }
}

#[test]
fn servers_see_the_clients_by_interface() {
    if possible("ip") {
        in_own_network("servers_see_the_clients_by_interface", "true", || {
            servers_see_the_clients("pen-without-nft");
        });
    }
}

#[test]
fn what_is_missing_is_told_with_what_mends_it() {
    if !possible("nft") {
        return;
    }
    in_own_network("what_is_missing_is_told_with_what_mends_it", "true", || {
        let (code, said) = inspect();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("wrong: service default: listening address 192.0.2.1:80"), "{said}");
        assert!(said.contains("server 3 (2001:db8:2::12): there is no route to it"), "{said}");
        let _lan = Lan::build(None);
        let mended = |said: &str| {
            let wrong = said.lines().find(|l| l.starts_with("wrong: ")).map(str::to_owned)?;
            Some(wrong.split_once("; do: ").expect("a command").1.to_owned())
        };
        // The way back is missing; each command it prints mends something until nothing is wrong.
        let (_, mut said) = inspect();
        assert!(said.contains("do: ip rule add iif back lookup 100"), "{said}");
        for _ in 0..4 {
            let Some(command) = mended(&said) else { break };
            run_here(&command);
            said = inspect().1;
        }
        assert_eq!(mended(&said), None, "{said}");
        // Marks that nothing sets.
        run_here("ip rule del iif back lookup 100; ip rule add fwmark 7 lookup 100");
        let (code, said) = inspect();
        assert_eq!(code, Some(1), "{said}");
        run_here(&mended(&said).expect("a command"));
        let (code, said) = inspect();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("marks them 7"), "{said}");
    });
}
