//! The words of `explain`: who would come, and what it would say first.

use std::net::IpAddr;

use super::words::Args;
use super::{Command, Fault};
use crate::addr::ClientAddr;
use crate::explain::Question;
use crate::hello::Hello;
use crate::limits::EXPLAIN_PROTOCOLS_MAX;
use crate::near::shown;
use crate::routes;

#[derive(Clone, Copy)]
enum Key {
    Port,
    Sni,
    Alpn,
    Service,
}

const KEYS: [(&str, Key); 4] =
    [("port", Key::Port), ("sni", Key::Sni), ("alpn", Key::Alpn), ("service", Key::Service)];

/// `ADDRESS [port N] [sni NAME] [alpn PROTOCOL ...] [service NAME]`, in any order; `alpn` may be
/// repeated, of the others the last one counts.
pub(super) fn read(args: &mut Args<'_>) -> Result<Command, Fault> {
    let client = client(args)?;
    let mut question = Question { client, port: None, hello: None };
    let mut service = None;
    while args.rest.len() > 0 {
        match args.need_choice(&KEYS)? {
            Key::Port => {
                let port = args.need_number("a port", 1, i64::from(u16::MAX))?;
                question.port = u16::try_from(port).ok();
            }
            Key::Sni => {
                let word = args.need("a host name")?;
                let name = routes::host_name(word.0).map_err(|why| unusable(args, word, why))?;
                hello(&mut question).sni = Some(name);
            }
            Key::Alpn => protocols(args, &mut question)?,
            Key::Service => service = Some(args.need_word("the name of a service")?),
        }
    }
    Ok(Command::Explain(Box::new(question), service))
}

fn client(args: &mut Args<'_>) -> Result<ClientAddr, Fault> {
    let word = args.need("the address of a client")?;
    if word.0 == "unix" {
        return Ok(ClientAddr::Unix);
    }
    let bare = word.0.strip_prefix('[').and_then(|w| w.strip_suffix(']')).unwrap_or(word.0);
    let ip: IpAddr = bare.parse().map_err(|_| unusable(args, word, "is no address of a client"))?;
    Ok(ClientAddr::from_ip(ip))
}

/// The protocols up to the next key.
fn protocols(args: &mut Args<'_>, question: &mut Question) -> Result<(), Fault> {
    let mut word = args.need("the name of a protocol")?;
    loop {
        if !(1..=usize::from(u8::MAX)).contains(&word.0.len()) {
            return Err(unusable(args, word, "is longer than the name of a protocol can be"));
        }
        let said = hello(question);
        if said.alpn.len() >= EXPLAIN_PROTOCOLS_MAX {
            return Err(unusable(args, word, "is one protocol too many"));
        }
        said.alpn.push(word.0.as_bytes().to_vec());
        let is_key = |w: &str| KEYS.iter().any(|(key, _)| *key == w);
        match args.rest.as_slice().first() {
            Some(next) if !is_key(next.0) => word = *next,
            _ => return Ok(()),
        }
        args.next();
    }
}

fn hello(question: &mut Question) -> &mut Hello {
    question.hello.get_or_insert_with(Hello::default)
}

fn unusable(args: &Args<'_>, word: (&str, usize), why: &str) -> Fault {
    Fault::new(format!("{}: {} {why}", args.word, shown(word.0)), word.1)
}
