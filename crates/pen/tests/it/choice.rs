//! Which server a client gets.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use pen_test::{End, Farm, Pen, Place, TestServer, acts, until};

#[test]
fn round_robin_alternates_strictly_over_all_workers() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).args(["-r"]).command("workers 4").start();
    let names: Vec<_> = (0..200).map(|_| pen.ask("127.0.0.1")).collect();
    for pair in names.windows(2) {
        assert!(pair[0].is_some());
        assert_ne!(pair[0], pair[1], "not alternating: {names:?}");
    }
}

#[test]
fn round_robin_shares_a_parallel_burst_evenly() {
    let farm = Farm::banners(3);
    let pen = Pen::over(&farm).args(["-r"]).command("workers 4").start();
    thread::scope(|s| {
        for _ in 0..6 {
            s.spawn(|| (0..50).for_each(|_| assert!(pen.ask("127.0.0.1").is_some())));
        }
    });
    for server in farm.iter() {
        assert_eq!(server.accepted(), 100, "{}", server.name());
    }
}

#[test]
fn a_client_returns_to_its_server() {
    let farm = Farm::banners(4);
    let pen = Pen::over(&farm).start();
    let first: BTreeMap<_, _> = clients(40).map(|c| (c.clone(), pen.ask(&c))).collect();
    assert!(first.values().collect::<BTreeSet<_>>().len() > 1);
    for (client, server) in first.iter().rev() {
        assert_eq!(pen.ask(client), *server, "client {client}");
    }
}

#[test]
fn hash_is_the_same_after_restart_and_on_another_pen() {
    let farm = Farm::banners(5);
    let answers = || {
        let pen = Pen::over(&farm).args(["-h", "-N"]).start();
        clients(60).map(|c| pen.ask(&c)).collect::<Vec<_>>()
    };
    let first = answers();
    assert!(first.iter().collect::<BTreeSet<_>>().len() >= 4, "hardly spread: {first:?}");
    assert_eq!(first, answers());
}

#[test]
fn hash_moves_only_the_clients_of_a_dead_server_and_spreads_them() {
    let farm = Farm::banners(5);
    let pen = Pen::over(&farm).args(["-h", "-N"]).start();
    let before: Vec<_> = clients(100).map(|c| pen.ask(&c)).collect();
    pen.set("server 2 blacklist 1000");
    let after: Vec<_> = clients(100).map(|c| pen.ask(&c)).collect();
    let mut heirs = BTreeSet::new();
    for (old, new) in before.iter().zip(&after) {
        if old.as_deref() == Some("s2") {
            heirs.insert(new.clone());
        } else {
            assert_eq!(old, new, "a client of a healthy server moved");
        }
    }
    assert!(!heirs.contains(&None) && heirs.len() >= 2, "heirs of the dead server: {heirs:?}");
}

#[test]
fn least_loaded_by_weight() {
    let farm = Farm::banners(2);
    let pen = Pen::bare()
        .servers([farm[0].word() + ":0:0:1", farm[1].word() + ":0:0:3"])
        .args(["-W", "-r"])
        .start();
    let clients: Vec<_> = (0..40).map(|_| greeted(&pen, "127.0.0.1")).collect();
    let share = clients.iter().filter(|(name, _)| name == "s1").count();
    assert!((29..=31).contains(&share), "{share} of 40 for weight 3 of 4");
}

#[test]
fn several_services_of_one_process_are_strangers() {
    let (web, mail) = (Farm::banners(2), Farm::banners(2));
    let front = Place::free();
    let second = Place::free();
    let builder = Pen::bare();
    let file = format!(
        "service default\nserver 0 address {} port {}\nservice mail\nlisten {}\nroundrobin\n{}\
         server 0 address 127.0.0.1 port {}\nserver 1 address 127.0.0.1 port {}\n\
         acl 1 deny 127.0.0.66\nacl 1 permit 0.0.0.0 0.0.0.0\nclient_acl 1\n",
        "127.0.0.1",
        web[0].place().port(),
        second.word(),
        builder.tls_line(),
        mail[0].place().port(),
        mail[1].place().port(),
    );
    let pen = builder.file(&file).listen(&front).start();
    for n in 0..10 {
        assert_eq!(pen.ask("127.0.0.66").as_deref(), Some("s0"), "turn {n}");
        let client = pen_test::Wire::dial(&second).from("127.0.0.5").connect().expect("listens");
        assert!(client.read_line().starts_with('s'), "turn {n}");
    }
    assert_eq!(web[0].accepted(), 10);
    assert_eq!((mail[0].accepted(), mail[1].accepted()), (5, 5));
    let denied = pen_test::Wire::dial(&second).from("127.0.0.66").connect().expect("listens");
    assert_ne!(denied.end(), End::Silence);
    assert_eq!(mail[0].accepted() + mail[1].accepted(), 10, "its own access list");
    assert_eq!(pen.ctl("service mail servers").lines().count(), 2);
    assert_eq!(pen.ctl("service default servers").lines().count(), 1);
    let names = pen.ctl("services");
    assert!(names.contains("default") && names.contains("mail"), "{names}");
    assert!(pen.ctl("service nobody servers").starts_with("error: "));
}

#[test]
fn peek_chooses_when_the_first_bytes_are_there() {
    let farm = Farm::one(&acts::echo());
    let pen = Pen::over(&farm).command("peek").start();
    let client = pen.client();
    let other = pen.client();
    other.send("later").expect("pen takes it");
    assert_eq!(other.read_exact(5), Ok(b"later".to_vec()));
    assert_eq!(farm[0].accepted(), 1, "the silent client costs no server");
    client.send("first").expect("pen takes it");
    assert_eq!(client.read_exact(5), Ok(b"first".to_vec()));
}

#[test]
fn per_server_access_list_sends_to_the_next_server() {
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).args(["-r"]).start();
    pen.set("acl 3 permit 127.0.2.0 255.255.255.0");
    pen.set("server 0 acl 3");
    for _ in 0..4 {
        assert_eq!(pen.ask("127.0.0.9").as_deref(), Some("s1"));
    }
    let allowed: BTreeSet<_> = (0..4).map(|_| pen.ask("127.0.2.9")).collect();
    assert_eq!(allowed.len(), 2);
}

#[test]
fn a_denied_client_never_reaches_the_emergency_server() {
    let farm = Farm::banners(1);
    let emergency = TestServer::start("help", acts::banner());
    let pen = Pen::over(&farm).args(["-e", &emergency.word()]).start();
    pen.set("acl 1 deny 127.0.0.66");
    assert_eq!(pen.ctl("client_acl 1"), "1\n");
    assert_eq!(pen.ask("127.0.0.66"), None);
    assert_eq!(pen.ask("127.0.0.67").as_deref(), Some("s0"));
    assert_eq!((emergency.accepted(), farm[0].accepted()), (0, 1));
}

#[test]
fn a_client_is_forgotten_after_the_tracking_time() {
    let farm = Farm::banners(3);
    let pen = Pen::over(&farm).args(["-T", "1"]).start();
    let first = pen.ask("127.0.0.5");
    assert_eq!(pen.ask("127.0.0.5"), first, "remembered");
    assert!(pen.ctl("recent").starts_with("127.0.0.5 connects 2 "), "{}", pen.ctl("recent"));
    until("it to be forgotten", || pen.ctl("recent").is_empty().then_some(()));
    assert_ne!(pen.ask("127.0.0.5"), first, "the next in turn, as for a stranger");
    assert!(pen.ctl("recent").starts_with("127.0.0.5 connects 1 "), "{}", pen.ctl("recent"));
}

#[test]
fn abuse_server_gets_the_denied_and_nobody_else() {
    let farm = Farm::banners(1);
    let abuse = TestServer::start("abuse", acts::banner());
    let pen = Pen::over(&farm).args(["-B", &abuse.word()]).start();
    pen.set("acl 1 deny 127.0.0.66");
    assert_eq!(pen.ctl("client_acl 1"), "1\n");
    assert_eq!(pen.ask("127.0.0.66").as_deref(), Some("abuse"));
    assert_eq!(pen.ask("127.0.0.67").as_deref(), Some("s0"));
    until("one visit", || (abuse.accepted() == 1).then_some(()));
}

fn clients(count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(|n| format!("127.0.3.{n}"))
}

fn greeted(pen: &Pen, source: &str) -> (String, pen_test::Client) {
    let client = pen.client_from(source);
    let line = client.read_line();
    (line.split_whitespace().next().unwrap_or_default().to_owned(), client)
}
