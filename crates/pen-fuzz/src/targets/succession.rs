//! What two processes say to each other when one takes the other's place.
//!
//! The first byte says whether the process before speaks, in records, or the new one answers.

use pen_core::succession::{ALL, Answer, GREETING, Heard, LISTENERS, Listener, PID_FILE, YOURS};

use super::named;
use crate::{Choices, record};

pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    match choices.byte() {
        0 => estate(choices),
        _ => answer(choices.0),
    }
}

/// Who is understood has greeted first, once, and has ended; nothing is understood after the end.
fn estate(mut choices: Choices<'_>) {
    let mut listener = Listener::default();
    let (mut said, mut heard) = (Vec::new(), Vec::new());
    while !choices.is_empty() {
        let text = choices.record();
        said.push(text);
        match listener.hear(text) {
            Some(one) => heard.push(one),
            None => break,
        }
    }
    let words = ["pen-upgrade 1", "listeners", "pid_file", "all"].map(str::as_bytes);
    let kinds = [Heard::Greeting, Heard::Listeners, Heard::PidFile, Heard::All];
    for (n, text) in said.iter().enumerate() {
        let ended = said.iter().take(n).any(|text| *text == words[3]);
        let kind =
            words.iter().position(|word| word == text).filter(|kind| (*kind == 0) == (n == 0));
        let meant = kind.filter(|_| !ended).and_then(|kind| kinds.get(kind));
        assert_eq!(heard.get(n), meant, "{n} of {said:?}");
    }
}

/// What is read can stand in a line, and says the same when it is said again.
fn answer(text: &[u8]) {
    let answer = Answer::read(text);
    let again = answer.text(usize::MAX);
    assert!(!again.contains(char::is_control), "{again:?}");
    assert_eq!(Answer::read(again.as_bytes()), answer);
    let cut = answer.text(text.len() / 2);
    assert!(cut.len() <= text.len() / 2 && again.starts_with(&cut));
    let lossy = String::from_utf8_lossy(text);
    let words: Vec<&str> = lossy.split(|c: char| c == ' ' || c.is_control()).collect();
    match (&answer, words.as_slice()) {
        (Answer::Ready { pid, version }, ["ready", number, word, ..]) => {
            let digits = number.trim_start_matches(['+', '0']);
            let shown = if *pid == 0 { String::new() } else { pid.to_string() };
            assert_eq!((digits, version.as_str()), (shown.as_str(), *word));
        }
        (Answer::Ready { .. }, _) => panic!("{text:?} is {answer:?}"),
        (Answer::Failed(_), ["ready", number, word, ..]) if !word.is_empty() => {
            let digits = number.len() < 10 && number.bytes().all(|b| b.is_ascii_digit());
            assert!(!digits || number.is_empty(), "{text:?}: a process is not heard");
        }
        (Answer::Failed(_), _) => {}
    }
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let said = |texts: &[&str]| -> Vec<u8> {
        let records = texts.iter().flat_map(|text| record(text.as_bytes()));
        [0].into_iter().chain(records).collect()
    };
    let answer = |text: &str| [&[1], text.as_bytes()].concat();
    let ready = Answer::Ready { pid: 4_711, version: "0.1.0".to_owned() };
    named([
        ("all", said(&[GREETING, LISTENERS, LISTENERS, PID_FILE, ALL])),
        ("nothing-to-leave", said(&[GREETING, ALL])),
        ("more-after-the-end", said(&[GREETING, ALL, LISTENERS])),
        ("no-greeting", said(&[LISTENERS, ALL])),
        ("greeted-twice", said(&[GREETING, GREETING])),
        ("another-language", said(&["pen-upgrade 2", ALL])),
        ("in-charge", said(&[GREETING, YOURS])),
        ("ready", answer(&ready.text(99))),
        ("a-control-character", answer("ready 4711\u{1}ready")),
        ("later-words", answer("ready 7 2.0 and more")),
        ("failed", answer("failed cannot listen at [::]:80: Address already in use\n")),
        ("no-number", answer("ready -1 0.1.0")),
        ("high-number", answer("ready 4294967296 0.1.0")),
        ("no-version", answer("ready 7 \n")),
        ("nothing", answer("")),
    ])
}
