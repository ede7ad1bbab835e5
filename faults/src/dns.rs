//! A name server of the case's own, at the address that this machine asks.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pen_test::{is_root, run_here};

/// Type A, in a question and an answer.
const A: [u8; 2] = [0, 1];
/// Bytes before the question.
const HEADER: usize = 12;
/// What a forged answer says.
const FORGED: Ipv4Addr = Ipv4Addr::new(127, 66, 66, 66);

/// The server; it answers as long as the process lives.
pub struct NameServer {
    answer: Arc<Mutex<Option<Ipv4Addr>>>,
    asked: Arc<AtomicUsize>,
}

impl NameServer {
    /// One that says nothing until it is told what.
    ///
    /// # Errors
    /// There can be none here, and why.
    pub fn silent() -> Result<Self, String> {
        if !is_root() {
            return Err("this is not root".into());
        }
        let settings = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let server = settings.lines().find_map(|line| line.strip_prefix("nameserver "));
        let Some(Ok(server)) = server.map(|word| word.trim().parse::<IpAddr>()) else {
            return Err("/etc/resolv.conf names no server".into());
        };
        if !server.is_loopback() {
            run_here(&format!("ip addr add {server} dev lo"));
        }
        let socket = UdpSocket::bind((server, 53))
            .map_err(|e| format!("the name server's address cannot be had: {e}"))?;
        let this = Self { answer: Arc::default(), asked: Arc::default() };
        let (answer, asked) = (Arc::clone(&this.answer), Arc::clone(&this.asked));
        std::thread::spawn(move || serve(&socket, &answer, &asked));
        Ok(this)
    }

    /// All names have this address from now on, or no answer.
    pub fn say(&self, answer: Option<Ipv4Addr>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Questions so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(socket: &UdpSocket, answer: &Mutex<Option<Ipv4Addr>>, asked: &AtomicUsize) {
    let mut bytes = [0; 512];
    loop {
        // Errors are those of askers that have left.
        let Ok((length, from)) = socket.recv_from(&mut bytes) else { continue };
        asked.fetch_add(1, Ordering::SeqCst);
        let says = *answer.lock().unwrap_or_else(PoisonError::into_inner);
        let question = bytes.get(..length).unwrap_or_default();
        if let Some(address) = says {
            // Somebody who has not seen the question answers first.
            if let Some(mut forged) = reply(question, FORGED) {
                forged[0] ^= 0xA5;
                send(socket, &forged, from);
            }
            if let Some(reply) = reply(question, address) {
                send(socket, &reply, from);
            }
        }
    }
}

fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) {
    // Who has left wants no answer.
    let _ = socket.send_to(bytes, to);
}

/// The answer to a question for one name: an address, or none of the kind that is asked for.
fn reply(question: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let name = question.get(HEADER..)?.iter().position(|byte| *byte == 0)?;
    let end = HEADER + name + 1 + 4;
    let kind = question.get(end - 4..end - 2)?;
    let answers = u8::from(kind == A);
    let mut reply = question.get(..2)?.to_vec();
    // An answer without error, recursion available; one question, the answers, nothing else.
    reply.extend([0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
    reply.extend(question.get(HEADER..end)?);
    if answers > 0 {
        // Of the name in the question, class IN, not to be kept.
        reply.extend([0xC0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_for_an_address_is_answered_and_another_is_not() {
        let ask = |kind: u8| {
            let mut question = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            question.extend(*b"\x01a\x07example\0");
            question.extend([0, kind, 0, 1]);
            question
        };
        let address = reply(&ask(1), Ipv4Addr::new(192, 0, 2, 1)).expect("an answer");
        assert_eq!(address.get(..4), Some(&[7, 9, 0x81, 0x80][..]));
        assert_eq!(address.get(7), Some(&1));
        assert!(address.ends_with(&[0, 4, 192, 0, 2, 1]));
        let none = reply(&ask(28), Ipv4Addr::new(192, 0, 2, 1)).expect("an answer");
        assert_eq!(none.get(7), Some(&0));
        assert!(none.ends_with(&[0, 28, 0, 1]));
        assert_eq!(reply(&ask(1)[..20], Ipv4Addr::LOCALHOST), None);
    }
}
