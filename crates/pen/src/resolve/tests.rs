//! The resolver with look-ups that answer, refuse and hang.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use super::*;

const LONG: Duration = Duration::from_secs(5);

fn ip(n: u8) -> IpAddr {
    [10, 0, 0, n].into()
}

/// A resolver that knows `good`, hangs on names with `hang` in them until the returned sender is
/// dropped, and knows nothing else.
fn stage(patience: Duration) -> (Resolver, std::sync::mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let hanging = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hanging);
    let lookup = move |name: &str| {
        if name.contains("hang") {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = held.lock().map(|h| h.recv());
        }
        if name == "good" { Ok(ip(1)) } else { Err(format!("{name}?")) }
    };
    (Resolver::start_with(Box::new(lookup), patience).unwrap(), release, hanging)
}

fn ask(resolver: &Resolver, names: &[&str]) -> Receiver<Answers> {
    let (sender, receiver) = channel();
    let names = names.iter().map(|n| (*n).to_owned());
    resolver.ask(names, move |answers| sender.send(answers).unwrap()).unwrap();
    receiver
}

#[test]
fn answers_come_together() {
    let (resolver, _release, _) = stage(LONG);
    let answers = ask(&resolver, &["good", "bad", "good"]).recv_timeout(LONG).unwrap();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers["good"], Ok(ip(1)));
    assert_eq!(answers["bad"], Err("bad?".to_owned()));
    assert!(ask(&resolver, &[]).recv_timeout(LONG).unwrap().is_empty());
}

#[test]
fn a_resolver_that_hangs_costs_its_names_only_and_few_threads() {
    let (resolver, release, hanging) = stage(Duration::from_millis(200));
    let mixed = ask(&resolver, &["good", "hang"]);
    let answers = mixed.recv_timeout(LONG).unwrap();
    assert_eq!(answers["good"], Ok(ip(1)));
    assert!(answers["hang"].as_ref().unwrap_err().contains("said nothing"));

    let many: Vec<String> = (0..20).map(|n| format!("hang{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(ask(&resolver, &many).recv_timeout(LONG).unwrap().len(), 20);
    assert_eq!(hanging.load(Ordering::SeqCst), limits::RESOLVE_THREADS);
    // All threads hang: a later question has its deadline all the same.
    assert!(ask(&resolver, &["good"]).recv_timeout(LONG).unwrap()["good"].is_err());

    drop(release);
    let deadline = Instant::now() + LONG;
    while ask(&resolver, &["good"]).recv_timeout(LONG).unwrap()["good"].is_err() {
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn waiting_names_are_bounded() {
    let (resolver, release, _) = stage(LONG);
    let names = |n: usize| (0..n).map(|i| format!("hang{i}")).collect::<Vec<_>>();
    assert!(resolver.ask(names(limits::RESOLVE_QUEUE + 1), |_| {}).is_err());
    resolver.ask(names(limits::RESOLVE_QUEUE), |_| {}).unwrap();
    assert!(resolver.ask(names(limits::RESOLVE_THREADS + 1), |_| {}).is_err());
    drop(release);
}

#[test]
fn the_system_knows_this_machine() {
    assert!(now("localhost").unwrap().is_loopback());
    assert_eq!(now("127.0.0.1"), Ok([127, 0, 0, 1].into()));
    assert!(now("").is_err());
    assert!(now("a\0b").is_err());
}
