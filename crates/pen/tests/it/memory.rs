//! The memory budget: load far beyond it is shed, Pen is never ended for memory, and who reads is served.

use std::sync::Arc;

use pen_test::acts::Act;
use pen_test::storm::{Asker, Storm, is_answered};
use pen_test::{
    Client, End, Farm, Group, Pen, Place, Scratch, UdpClient, UdpServer, is_root, plain_only, until,
};
use serde_json::Value;

fn memory(pen: &Pen) -> Value {
    serde_json::from_str(&pen.ctl("memory json")).expect("a json reply")
}

fn number(pen: &Pen, field: &str) -> u64 {
    memory(pen)[field].as_u64().expect("a number")
}

fn stage(pen: &Pen) -> String {
    memory(pen)["stage"].as_str().expect("a word").to_owned()
}

/// Answers without end to `GET`, and `pong` to everything else.
fn server() -> Act {
    Arc::new(|served| {
        while let Ok(asked) = served.read_exact(4) {
            let piece = vec![7; 64 * 1024];
            while asked == b"GET\n" && served.send(&piece).is_ok() {}
            if served.send(b"pong").is_err() {
                return;
            }
        }
    })
}

/// Settings that take megabytes, whoever is connected.
fn bulky_settings() -> String {
    let entry = |n: u32| format!("acl 9 permit {}\n", std::net::Ipv4Addr::from_bits(n * 256));
    (0..60_000).map(entry).collect()
}

fn asks(client: &Client) -> bool {
    client.send(b"ping").is_ok() && client.read_exact(4).is_ok_and(|b| b == b"pong")
}

/// A control group with so many bytes; nothing, with a line that says why, where there can be none.
fn limited(bytes: u64) -> Option<Group> {
    if !is_root() {
        println!("skipped: this is not root");
        return None;
    }
    let group = Group::limited(bytes);
    if group.is_none() {
        println!("skipped: no control groups for memory here");
    }
    group
}

/// A client that read was always answered, and whoever comes after the storm is too.
fn passes_over(mut storm: Storm, steady: Asker, mut pen: Pen) {
    let (answers, all) = steady.end();
    assert!(all && answers > 0, "a client that reads: {answers} answers");
    storm.pass_over();
    until("calm", || (stage(&pen) == "calm").then_some(()));
    assert!(is_answered(&pen.client()), "a client after the storm");
    assert_eq!(pen.stop(), Some(0));
}

#[test]
fn without_a_limit_nothing_is_shed_and_nothing_looked_at() {
    let farm = Farm::one(&server());
    let pen = Pen::over(&farm).start();
    let row = memory(&pen);
    if row["limit"] != 0 {
        println!("skipped: this machine limits the memory of the tests");
        return;
    }
    assert_eq!((row["budget"].as_u64(), row["stage"].as_str()), (Some(0), Some("calm")));
    until("a look", || (number(&pen, "used") > 0).then_some(()));
}

#[test]
fn a_budget_that_is_too_small_sheds_and_one_that_is_not_ends_it() {
    if plain_only("a client that must wait cannot shake hands before it sends") {
        return;
    }
    let farm = Farm::one(&server());
    let pen = Pen::over(&farm)
        .command("mem_max 1000")
        .command("idlers 2")
        .file(&bulky_settings())
        .start();
    let idlers = |reply: &str| (pen.ctl("idlers") == reply).then_some(());
    until("the spare connections", || idlers("Idlers: 2/2\n"));
    let clients: Vec<Client> = (0..5).map(|_| pen.client()).collect();
    assert!(clients.iter().all(asks));
    assert_eq!(stage(&pen), "calm");

    assert_eq!(pen.ctl("mem_max 1"), "1\n");
    until("the worst", || (stage(&pen) == "critical").then_some(()));
    until("all to be closed", || (number(&pen, "shed") >= 5).then_some(()));
    for client in &clients {
        assert_eq!(client.end(), End::Reset);
    }
    until("the server to see it", || (farm[0].open_now() == 0).then_some(()));
    let waiting = pen.client();
    waiting.send(b"ping").expect("the kernel takes it");
    assert!(pen_test::holds(std::time::Duration::from_millis(300), || farm[0].open_now() == 0));
    assert!(pen.stderr().contains("memory: critical: "), "{}", pen.stderr());
    until("no spare connections", || idlers("Idlers: 0/2\n"));

    assert_eq!(pen.ctl("mem_max 1000"), "1000\n");
    assert_eq!(waiting.read_exact(4), Ok(b"pong".to_vec()), "who waited is served");
    assert_eq!(stage(&pen), "calm");
    assert!(pen.stderr().contains("memory: calm: "), "{}", pen.stderr());
}

#[test]
fn flows_make_room_instead_of_growing() {
    let server = UdpServer::echo("127.0.0.1");
    let pen = Pen::bare()
        .args(["-U"])
        .servers([server.word()])
        .command("mem_max 1")
        .command("workers 1")
        .file(&bulky_settings())
        .start();
    until("the worst", || (stage(&pen) == "critical").then_some(()));
    for _ in 0..20 {
        assert_eq!(UdpClient::of(pen.place()).ask(b"hello"), b"hello");
    }
    let flows: Value = serde_json::from_str(&pen.ctl("flows json")).expect("a json reply");
    assert!(flows["flows"].as_u64().is_some_and(|n| n <= 2), "{flows}");
    assert!(flows["ended"]["recycled"].as_u64().is_some_and(|n| n >= 18), "{flows}");
}

#[test]
fn pen_outlives_a_load_that_its_group_has_no_memory_for() {
    const LIMIT: u64 = 16 << 20;
    if plain_only("what a slow reader pins is bytes, and a thousand handshakes take a minute") {
        return;
    }
    let Some(group) = limited(LIMIT) else { return };
    let mut storm = Storm::new();
    let mut pen = Pen::bare()
        .in_group(group.path())
        .args(["-x", "3000"])
        .servers([storm.word()])
        .command("engine copy")
        .command("pending_max 3000")
        // The kernel would hold the bytes otherwise, and Pen nothing.
        .command("sndbuf 4096")
        .start();
    assert_eq!(number(&pen, "limit"), LIMIT);
    let steady = Asker::start(pen.place());
    // The connections alone fill the budget; without a bound what they hold would be as much again.
    let served = storm.gather(pen.place(), 2_000);
    assert!(served >= 500, "{served} were taken in");
    storm.break_loose(&[pen.pid()]);
    until("the worst", || pen.stderr().contains("memory: critical: ").then_some(()));
    assert!(is_answered(&pen.client()), "a client in the storm");
    until("connections to be shed", || (number(&pen, "shed") > 0).then_some(()));
    assert!(pen_test::holds(std::time::Duration::from_secs(3), || pen.runs()), "pen was ended");
    assert_eq!(group.kills(), 0);
    assert!(storm.cut() > 0);
    passes_over(storm, steady, pen);
}

#[test]
fn pen_outlives_a_unix_server_that_reads_nothing() {
    const LIMIT: u64 = 24 << 20;
    if plain_only("a thousand handshakes take a minute") {
        return;
    }
    if std::env::var("PEN_TEST_ENGINE").is_ok_and(|engine| engine == "splice") {
        println!("skipped: what is spliced into a Unix socket is not counted as Pen's");
        return;
    }
    let Some(group) = limited(LIMIT) else { return };
    let scratch = Scratch::new();
    let mut storm = Storm::at(&Place::Unix(scratch.path("server")));
    let mut pen = Pen::bare()
        .in_group(group.path())
        .args(["-x", "1000"])
        .servers([storm.word()])
        .command("engine copy")
        .start();
    let steady = Asker::start(pen.place());
    // What each leaves in its socket, 64 kB, the kernel counts as Pen's.
    assert_eq!(storm.gather(pen.place(), 500), 500);
    storm.break_loose(&[pen.pid()]);
    // It may stop at what makes memory short.
    until("the sockets to fill", || (number(&pen, "used") > LIMIT / 2).then_some(()));
    assert!(pen_test::holds(std::time::Duration::from_secs(3), || pen.runs()), "pen was ended");
    assert_eq!(group.kills(), 0);
    passes_over(storm, steady, pen);
}
