//! Entries of the classic log read back, and when a request in a web server's log is the same one.
//!
//! The file keeps the first [`limits::LOG_TEXT_MAX`] bytes of a request and escapes them; datagrams
//! have more of it, as the client sent it. Requests are therefore compared over these bytes in the
//! form of the file, which both kinds can be brought to. The classic pen writes control characters
//! as they came; they are escaped before the comparison, so its logs are read as well.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::{first_line, fold};
use crate::limits;
use crate::moment::WallSeconds;

/// Keys of the fingerprint, "pen logs" and "requests" in ASCII.
const KEYS: (u64, u64) = (0x7065_6e20_6c6f_6773, 0x7265_7175_6573_7473);

/// One entry: a client asked a server for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The client's address: at most [`limits::LOG_CLIENT_MAX`] printable characters, no blank.
    pub client: &'a str,
    /// When; datagrams do not say.
    pub wall: Option<WallSeconds>,
    /// The server's address.
    pub server: &'a str,
    /// The beginning of the request.
    text: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads a line of the file, without its end: `client epoch server text`.
    #[must_use]
    pub fn from_file(line: &'a [u8]) -> Option<Self> {
        let mut words = line.splitn(4, |b| *b == b' ');
        let client = client(words.next()?)?;
        let wall = std::str::from_utf8(words.next()?).ok()?.parse().ok().map(WallSeconds)?;
        let server = word(words.next()?)?;
        Some(Self { client, wall: Some(wall), server, text: first_line(words.next()?) })
    }

    /// Reads the form of datagrams, without its end: `+ client server text`.
    #[must_use]
    pub fn from_datagram(line: &'a [u8]) -> Option<Self> {
        let mut words = line.strip_prefix(b"+ ")?.splitn(3, |b| *b == b' ');
        let client = client(words.next()?)?;
        let server = word(words.next()?)?;
        Some(Self { client, wall: None, server, text: first_line(words.next()?) })
    }

    /// The server's address where it is one, with IPv4 in its own form.
    #[must_use]
    pub fn server_ip(&self) -> Option<IpAddr> {
        self.server.parse().ok().map(|ip: IpAddr| ip.to_canonical())
    }

    /// What to find this entry by.
    #[must_use]
    pub fn key(&self, server: &[u8]) -> RequestKey {
        match self.wall {
            // The text of the file is cut already, and escaping has made it longer.
            Some(_) => RequestKey::make(server, self.text, usize::MAX),
            None => RequestKey::make(server, self.text, limits::LOG_TEXT_MAX),
        }
    }
}

/// A server and the beginning of a request, as a fingerprint: equal ones are the same to the log.
/// 128 bits, so that clients cannot find two requests that share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey(u128);

impl RequestKey {
    /// Of a request as the client sent it.
    #[must_use]
    pub fn of_request(server: &[u8], request: &[u8]) -> Self {
        Self::make(server, request, limits::LOG_TEXT_MAX)
    }

    fn make(server: &[u8], request: &[u8], bytes: usize) -> Self {
        let mut text = Vec::with_capacity(limits::LOG_TEXT_MAX);
        fold(&mut text, request.iter().take(bytes));
        let mut hasher = SipHasher13::new_with_keys(KEYS.0, KEYS.1);
        hasher.write(server);
        // Keeps a server's end and a request's beginning apart: no server has this byte.
        hasher.write(b"\n");
        hasher.write(&text);
        Self(hasher.finish128().as_u128())
    }
}

fn client(bytes: &[u8]) -> Option<&str> {
    word(bytes).filter(|text| {
        let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'[' | b']' | b'\\');
        text.len() <= limits::LOG_CLIENT_MAX && text.bytes().all(fits)
    })
}

fn word(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{datagram, file_line};
    use super::*;
    use crate::addr::ClientAddr;

    #[test]
    fn junk_is_no_entry() {
        for line in ["", "garbage", "a b c d", "1.2.3.4 17", "1.2.3.4 17 s", "x  s t", " 17 s t"] {
            assert_eq!(Entry::from_file(line.as_bytes()), None, "{line}");
        }
        for line in ["", "+", "+ ", "+ only", "+ two words", "+  s t", "x s t", "+x s t"] {
            assert_eq!(Entry::from_datagram(line.as_bytes()), None, "{line}");
        }
        let long = format!("+ {} s t", "x".repeat(65));
        assert_eq!(Entry::from_datagram(long.as_bytes()), None);
        for client in ["a\"b", "a[b", "\u{1b}[2J", "\u{e9}", "a\\b"] {
            assert_eq!(Entry::from_datagram(format!("+ {client} s t").as_bytes()), None);
        }
        assert_eq!(Entry::from_datagram(b"+ 10.0.0.1 s ").map(|e| e.text), Some(&b""[..]));
    }

    #[test]
    fn the_classic_s_control_characters_are_ours_escaped() {
        let ours = Entry::from_file(b"::1 17 s GET /\\x1b.").unwrap();
        let classic = Entry::from_file(b"::1 17 s GET /\x1b\xe9").unwrap();
        assert_eq!(ours.key(b"s"), classic.key(b"s"));
        assert_ne!(ours.key(b"s"), classic.key(b"t"));
        assert_eq!(ours.key(b"s"), RequestKey::of_request(b"s", b"GET /\x1b\xe9"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(data in prop::collection::vec(any::<u8>(), 1..300)) {
            let (client, server) = (ClientAddr::Unix, std::net::Ipv6Addr::LOCALHOST);
            let mut line = Vec::new();
            file_line(&mut line, client, WallSeconds(-5), &server, &data);
            let from_file = Entry::from_file(line.strip_suffix(b"\n").unwrap()).unwrap();
            prop_assert_eq!((from_file.client, from_file.wall), ("unix", Some(WallSeconds(-5))));
            let line = datagram(client, &server, &data).unwrap();
            let sent = Entry::from_datagram(line.strip_suffix(b"\n").unwrap()).unwrap();
            prop_assert_eq!(sent.server_ip(), Some(server.into()));
            let request = RequestKey::of_request(b"s", first_line(&data));
            prop_assert_eq!(from_file.key(b"s"), request);
            prop_assert_eq!(sent.key(b"s"), request);
        }
    }
}
