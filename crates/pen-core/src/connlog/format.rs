//! A record becomes a line.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::field::Value;
use super::{Field, Record, Template};
use crate::journey::Trail;
use crate::{quoting, stamp};

/// What lines look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// `key=value`; what there is nothing of is left out.
    Text,
    /// An object of JSON; what there is nothing of is `null`.
    Json,
    /// As the operator wrote it; what there is nothing of is `-`.
    Template(Template),
}

impl Format {
    /// Appends the line of `record` of this service, without its end.
    pub fn write(&self, out: &mut String, record: &Record, service: &str) {
        match self {
            Self::Text => text(out, record, service),
            Self::Json => json(out, record, service),
            Self::Template(template) => template.write(out, record, service),
        }
    }
}

/// Calls `take` with every field there is something of, as text in which control characters are
/// escaped: for the fields of a journal.
pub fn each(record: &Record, service: &str, mut take: impl FnMut(Field, &str)) {
    let mut value = String::new();
    for &field in Field::ALL {
        let of = field.of(record, service);
        if !matches!(of, Value::None) {
            value.clear();
            plain(&mut value, &of, quoting::bare);
            take(field, &value);
        }
    }
}

fn text(out: &mut String, record: &Record, service: &str) {
    let begin = out.len();
    for &field in Field::ALL {
        let of = field.of(record, service);
        if matches!(of, Value::None) {
            continue;
        }
        if out.len() > begin {
            out.push(' ');
        }
        out.push_str(field.word());
        out.push('=');
        plain(out, &of, quoting::value);
    }
}

/// Appends a value; `escape` does it for text of others.
pub(super) fn plain(out: &mut String, value: &Value<'_>, escape: fn(&mut String, &str)) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::None => write!(out, "-"),
        Value::Time(at) => {
            stamp::iso(out, *at);
            Ok(())
        }
        Value::Number(n) => {
            number(out, *n);
            Ok(())
        }
        Value::Flag(on) => write!(out, "{}", if *on { "yes" } else { "no" }),
        Value::Word(word) => out.write_str(word),
        Value::Address(IpAddr::V4(ip)) => {
            octets(out, *ip);
            Ok(())
        }
        Value::Address(ip) => write!(out, "{ip}"),
        Value::Socket(SocketAddr::V4(at)) => {
            octets(out, *at.ip());
            out.push(':');
            number(out, at.port().into());
            Ok(())
        }
        Value::Socket(at) => write!(out, "{at}"),
        Value::Server(server) => write!(out, "{server}"),
        Value::Tries(trail) => tries(out, trail),
        Value::Text(text) => {
            escape(out, text);
            Ok(())
        }
    };
}

/// Appends a number. Half of a line are numbers, and the general way takes several times as long.
fn number(out: &mut String, mut n: u64) {
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (n % 10) as u8;
        n /= 10;
        length += 1;
        if n == 0 {
            break;
        }
    }
    let digits = digits.get(digits.len() - length..).unwrap_or_default();
    // Digits are text.
    out.push_str(std::str::from_utf8(digits).unwrap_or_default());
}

/// Appends an IPv4 address, which many lines hold three of.
fn octets(out: &mut String, ip: Ipv4Addr) {
    for (n, octet) in ip.octets().into_iter().enumerate() {
        if n > 0 {
            out.push('.');
        }
        number(out, octet.into());
    }
}

/// `0:refused,1:blacklisted,+3`
fn tries(out: &mut String, trail: &Trail) -> std::fmt::Result {
    for (n, one) in trail.tries.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        write!(out, "{comma}{}:{}", one.server, one.why.word())?;
    }
    match trail.more {
        0 => Ok(()),
        more => write!(out, ",+{more}"),
    }
}

fn json(out: &mut String, record: &Record, service: &str) {
    for &field in Field::ALL {
        match field {
            Field::Time => out.push_str("{\"time\":"),
            other => out.push_str(other.json_key()),
        }
        match field.of(record, service) {
            Value::None => out.push_str("null"),
            Value::Flag(on) => out.push_str(if on { "true" } else { "false" }),
            Value::Tries(trail) => json_tries(out, trail),
            Value::Text(text) => quoting::json(out, &text),
            number @ Value::Number(_) => plain(out, &number, quoting::bare),
            other => {
                out.push('"');
                plain(out, &other, quoting::bare);
                out.push('"');
            }
        }
    }
    out.push('}');
}

fn json_tries(out: &mut String, trail: &Trail) {
    out.push('[');
    for (n, one) in trail.tries.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let (server, why) = (one.server, one.why.word());
        // Writing to a string cannot fail.
        let _ = write!(out, "{comma}{{\"server\":\"{server}\",\"why\":\"{why}\"}}");
    }
    out.push(']');
}
