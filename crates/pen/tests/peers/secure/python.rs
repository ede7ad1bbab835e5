//! Python's ssl: megabytes both ways, sessions that come back, streams that end on one side, on both,
//! or without a word.

use pen_test::{Farm, Finished, Pen, acts, run, until};

use super::Office;
use crate::find;

const SCRIPT: &str = include_str!("streams.py");

/// Runs one function of the script against `pen`.
fn python(office: &Office, pen: &Pen, act: &str) -> Option<Finished> {
    let program = find("python3")?;
    let script = office.scratch.write("streams.py", SCRIPT).display().to_string();
    let port = pen.place().port().to_string();
    let said = run(&program, [script.as_str(), act, &port, &office.file("root.crt")]);
    assert_eq!(said.code, Some(0), "{act}: {}{}", said.stdout, said.stderr);
    Some(said)
}

#[test]
fn megabytes_come_back_unchanged_and_sessions_are_resumed() {
    let (office, farm) = (Office::new(), Farm::one(&acts::echo()));
    if find("python3").is_none() {
        return;
    }
    let pen = office.pen(&farm).command("ssl_alpn h2,http/1.1").start();
    python(&office, &pen, "echo_12");
    python(&office, &pen, "echo_13");
    pen.wait_idle();
}

#[test]
fn half_close_delivers_every_byte() {
    let (office, farm) = (Office::new(), Farm::one(&acts::answer_after_eof(100_000)));
    if find("python3").is_none() {
        return;
    }
    let pen = office.pen(&farm).start();
    python(&office, &pen, "half_close");
    pen.wait_idle();
}

#[test]
fn a_server_that_ends_is_announced_and_unwrap_is_answered() {
    let (office, farm) = (Office::new(), Farm::one(&acts::server_first(&["hello", "bye"])));
    if find("python3").is_none() {
        return;
    }
    let pen = office.pen(&farm).start();
    python(&office, &pen, "server_ends");
    python(&office, &pen, "client_unwraps");
}

#[test]
fn a_server_that_aborts_is_no_good_end() {
    let (office, farm) = (Office::new(), Farm::one(&acts::reset_after(10_000)));
    if find("python3").is_none() {
        return;
    }
    let pen = office.pen(&farm).start();
    python(&office, &pen, "server_aborts");
}

#[test]
fn a_client_that_vanishes_is_an_abort_and_one_that_says_so_is_not() {
    let (office, farm) = (Office::new(), Farm::one(&acts::listen_only()));
    if find("python3").is_none() {
        return;
    }
    let pen = office.pen(&farm).start();
    let notes =
        |count: usize| until("notes", || Some(farm[0].notes()).filter(|n| n.len() == count));
    python(&office, &pen, "client_vanishes");
    assert!(notes(1)[0].starts_with("Reset"), "{:?}", farm[0].notes());
    python(&office, &pen, "client_leaves");
    assert_eq!(notes(2)[1], "Eof after 9");
}
