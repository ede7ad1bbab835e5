//! A control session: the bytes that a client sends, in whatever pieces they come, to the reply.
//!
//! The first byte says how they are cut, the second how many lines of settings come before; the rest is what
//! the client sends.

use pen_core::command::{Context, Door, apply, parse};
use pen_core::config::Config;
use pen_core::control_line::{Fed, LineBuffer};
use pen_core::limits;

use super::commands::{Book, check};
use super::named;
use crate::Choices;
use crate::dice::Dice;

/// What the settings may be before.
const BEFORE: [&str; 5] = [
    "service web",
    "listen 127.0.0.1:8080",
    "server 3 address 10.0.0.9 port 80 max 5",
    "acl 2 permit 10.0.0.0 255.0.0.0",
    "route sni *.example.org server 3",
];
/// Bytes of a reply that changes settings: it repeats what was said.
const REPLY_MAX: usize = 4 * limits::LINE_MAX;

/// The same line however it is cut; bounded; what is refused changes nothing; the reply is lines of text.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let (cut, before) = (choices.byte(), usize::from(choices.byte()));
    let sent = choices.0;
    let meant = plainly(sent);
    for piece in [1, 3, limits::CONTROL_PIECE] {
        assert_eq!(hear(sent, || piece), meant, "in pieces of {piece}");
    }
    let mut dice = Dice(cut.into());
    assert_eq!(hear(sent, || 1 + dice.roll(1 + usize::from(cut))), meant, "cut as {cut} says");
    match meant {
        Fed::Line(line) => obey(&line, before),
        Fed::Bad(why) => {
            assert!(why.len() < limits::LINE_MAX && !why.chars().any(char::is_control));
        }
        Fed::More => panic!("a session without an end"),
    }
}

/// What comes of it in pieces, the end of input included.
fn hear(sent: &[u8], mut piece: impl FnMut() -> usize) -> Fed {
    let (mut buffer, mut rest) = (LineBuffer::default(), sent);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(piece().min(rest.len()));
        match buffer.feed(piece) {
            Fed::More => rest = after,
            fed => return fed,
        }
    }
    buffer.finish()
}

/// The bytes before the first end of a line, if there are not too many and they are text.
fn plainly(sent: &[u8]) -> Fed {
    let is_end = |b: &u8| *b == 10 || *b == 13;
    let line: Vec<u8> = sent.iter().copied().take_while(|b| !is_end(b)).collect();
    if line.len() > 4_096 {
        return Fed::Bad("the line is longer than 4096 bytes".to_owned());
    }
    match String::from_utf8(line) {
        Ok(line) => Fed::Line(line),
        Err(_) => Fed::Bad("the line is not UTF-8 text".to_owned()),
    }
}

fn obey(line: &str, before: usize) {
    let mut config = Config::default();
    let mut context = Context::starting(Door::File);
    for text in BEFORE.iter().take(before % (BEFORE.len() + 1)) {
        let Ok(Some(parsed)) = parse(text, Door::File) else { panic!("{text}") };
        apply(&mut config, &mut context, &parsed, &Book).unwrap_or_else(|f| panic!("{text}: {f}"));
    }
    let mut context = Context::control(&config);
    let was = config.clone();
    let done = match parse(line, Door::Control) {
        Ok(Some(parsed)) => apply(&mut config, &mut context, &parsed, &Book),
        Ok(None) => return,
        Err(fault) => Err(fault),
    };
    match done {
        Ok(done) => {
            let reply = &done.reply;
            assert!(reply.len() <= REPLY_MAX, "{} bytes: {line}", reply.len());
            // Two replies have no end of line, as in the classic pen.
            let classic = ["tarpit_acl = ", "unable to set source address to '"];
            let ended = reply.ends_with('\n') || classic.iter().any(|r| reply.starts_with(r));
            assert!(reply.is_empty() || ended, "{line}: {reply:?}");
            let odd = |c: char| c.is_control() && c != '\n';
            assert!(!reply.contains(odd), "{line}: {reply:?}");
            assert!(!done.notices.iter().any(|n| n.contains(char::is_control)), "{line}");
        }
        Err(fault) => {
            check(line, &fault);
            assert!(fault.message.len() <= limits::LINE_MAX, "{}", fault.message);
            assert_eq!(config, was, "a line that failed has changed something: {line}");
        }
    }
}

pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let sent = |bytes: &[u8]| [&[9, 5][..], bytes].concat();
    named([
        ("a-line-and-more", sent(b"blacklist 8\nexit\n")),
        ("windows", sent(b"server 0 address ::1 port 80 max 4\r\n")),
        ("no-end", sent(b"service web server 3")),
        ("nothing", sent(b"")),
        ("only-an-end", sent(b"\n")),
        ("not-text", sent(b"blacklist \xff\xfe\n")),
        ("as-long-as-can-be", sent(&[&[b'#'; limits::LINE_MAX][..], b"\n"].concat())),
        ("too-long", sent(&[b'#'; limits::LINE_MAX + 1])),
        ("many-words", sent(&b"route sni a ".repeat(99))),
        ("refused", sent(b"service web server 3 max 7 port 99999999\n")),
        ("an-order-to-a-terminal", sent(b"service \x1b[2J server 0\n")),
        ("http", sent(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("no-source", sent(b"source s3 99")),
        ("without-an-end", sent(b"tarpit_acl 3\n")),
        ("lists", sent(b"acl 2 permit 2001:db8::/32\n")),
    ])
}
