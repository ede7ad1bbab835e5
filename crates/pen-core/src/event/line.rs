//! An event as a line: `key=value` for people and programs, or an object of JSON.

use std::fmt::Write;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Event, Value};
use crate::moment::WallMs;
use crate::{quoting, stamp};

/// An event with its number and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Its number, from 1 on.
    pub seq: u64,
    /// When it happened.
    pub wall: WallMs,
    /// For how many like it, it stands; 1 = only itself.
    pub count: u64,
    /// What happened.
    pub event: Event,
}

impl Occurrence {
    /// One line of `key=value`, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        let Event { key, text, .. } = &self.event;
        let mut out = format!("seq={} time=", self.seq);
        stamp::iso(&mut out, self.wall);
        // Writing to a string cannot fail.
        let _ = write!(out, " key={} severity={}", key.word(), key.severity().word());
        self.walk(&mut |name, value| field(&mut out, name, value));
        field(&mut out, "text", text);
        out
    }

    /// Calls `take` with the name and value of every field; in values control characters are escaped:
    /// for the fields of a journal.
    pub fn each(&self, take: &mut dyn FnMut(&str, &str)) {
        let mut escaped = String::new();
        let mut give = |name: &str, value: &str| {
            escaped.clear();
            quoting::bare(&mut escaped, value);
            take(name, &escaped);
        };
        give("seq", &self.seq.to_string());
        give("key", self.event.key.word());
        self.walk(&mut give);
    }

    /// What not every event has, in the order of a line.
    fn walk(&self, take: &mut dyn FnMut(&str, &str)) {
        let Event { service, server, address, cause, details, .. } = &self.event;
        let server = server.map(|s| s.to_string());
        let repeated = (self.count > 1).then(|| self.count.to_string());
        let texts = [
            ("service", service.as_deref()),
            ("server", server.as_deref()),
            ("address", address.as_deref()),
            ("cause", *cause),
            ("repeated", repeated.as_deref()),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                take(name, value);
            }
        }
        for (detail, value) in details {
            match value {
                Value::Number(n) => take(detail.word(), &n.to_string()),
                Value::Text(text) => take(detail.word(), text),
            }
        }
    }

    /// One line of JSON, without its end.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers under string keys")
    }
}

impl Serialize for Occurrence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Event { key, service, server, address, cause, details, text } = &self.event;
        let mut time = String::new();
        stamp::iso(&mut time, self.wall);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("time", &time)?;
        map.serialize_entry("time_ms", &self.wall.0)?;
        map.serialize_entry("key", key.word())?;
        map.serialize_entry("severity", key.severity().word())?;
        map.serialize_entry("service", service)?;
        map.serialize_entry("server", server)?;
        map.serialize_entry("address", address)?;
        map.serialize_entry("cause", cause)?;
        map.serialize_entry("repeated", &self.count)?;
        for (detail, value) in details {
            match value {
                Value::Number(n) => map.serialize_entry(detail.word(), n)?,
                Value::Text(text) => map.serialize_entry(detail.word(), text)?,
            }
        }
        map.serialize_entry("text", text)?;
        map.end()
    }
}

/// What a reader is told who was too slow for `count` events.
#[must_use]
pub fn lost_line(count: u64) -> String {
    format!("key=events_lost count={count}")
}

/// The same as JSON.
#[must_use]
pub fn lost_json(count: u64) -> String {
    format!("{{\"key\":\"events_lost\",\"count\":{count}}}")
}

fn field(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push('=');
    quoting::value(out, value);
}
