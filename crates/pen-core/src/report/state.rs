//! `state`: what is kept of the client tables, and how old it is.

use std::fmt::Write;

use serde::Serialize;

/// The state file at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StateRow {
    /// Where it is.
    pub file: Option<String>,
    /// Seconds from one writing to the next.
    pub interval_s: u32,
    /// The last time it was written.
    pub written: Option<Written>,
    /// Why the last attempt since failed.
    pub write_error: Option<String>,
    /// The last file that was read.
    pub read: Option<ReadRow>,
    /// Why the last attempt since failed.
    pub read_error: Option<String>,
}

/// A file that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Seconds since then.
    pub ago_s: u64,
    /// Clients in it.
    pub clients: u64,
    /// How large it is.
    pub bytes: u64,
    /// Milliseconds it took.
    pub took_ms: u64,
}

/// A file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadRow {
    /// Where it was.
    pub file: String,
    /// Seconds since then.
    pub ago_s: u64,
    /// Seconds from its writing until it was read.
    pub age_s: u64,
    /// Clients that are remembered as it says.
    pub clients: u64,
    /// Clients that were here later than there.
    pub known: u64,
    /// Clients whose service is not here.
    pub no_service: u64,
    /// Clients whose server is not here.
    pub no_server: u64,
    /// Clients whose tracking time was over.
    pub expired: u64,
    /// Clients that the table had no room for.
    pub no_room: u64,
}

impl ReadRow {
    /// In one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let mut text = format!("{} clients taken in", self.clients);
        for (count, what) in [
            (self.known, "known better here"),
            (self.no_service, "of services that are not here"),
            (self.no_server, "of servers that are not here"),
            (self.expired, "seen too long ago"),
            (self.no_room, "without room"),
        ] {
            if count != 0 {
                // Writing to a string cannot fail.
                let _ = write!(text, ", {count} {what}");
            }
        }
        text + &format!("; it was {} s old", self.age_s)
    }
}

/// `state`: a line for each thing there is to say.
#[must_use]
pub fn text(row: &StateRow) -> String {
    let mut out = match &row.file {
        Some(file) => format!("file {file} interval {}\n", row.interval_s),
        None => "no state_file\n".to_owned(),
    };
    if let Some(Written { ago_s, clients, bytes, took_ms }) = row.written {
        out += &format!("written ago {ago_s} clients {clients} bytes {bytes} took_ms {took_ms}\n");
    }
    if let Some(why) = &row.write_error {
        out += &format!("not written: {why}\n");
    }
    if let Some(read) = &row.read {
        out += &format!("read {} ago {}: {}\n", read.file, read.ago_s, read.sentence());
    }
    if let Some(why) = &row.read_error {
        out += &format!("not read: {why}\n");
    }
    out
}

/// `state json`
#[must_use]
pub fn json(row: &StateRow) -> String {
    super::json::line(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_tell_the_same() {
        let nothing = StateRow { interval_s: 60, ..StateRow::default() };
        assert_eq!(text(&nothing), "no state_file\n");
        let nulls = r#"{"file":null,"interval_s":60,"written":null,"write_error":null,"read":null,"read_error":null}"#;
        assert_eq!(json(&nothing), format!("{nulls}\n"));
        let row = StateRow {
            file: Some("/s".to_owned()),
            interval_s: 5,
            written: Some(Written { ago_s: 3, clients: 7, bytes: 99, took_ms: 1 }),
            write_error: Some("/s: No space left on device".to_owned()),
            read: Some(ReadRow {
                file: "/p".to_owned(),
                ago_s: 9,
                age_s: 60,
                clients: 5,
                no_server: 2,
                ..ReadRow::default()
            }),
            read_error: None,
        };
        assert_eq!(
            text(&row),
            "file /s interval 5\nwritten ago 3 clients 7 bytes 99 took_ms 1\n\
             not written: /s: No space left on device\n\
             read /p ago 9: 5 clients taken in, 2 of servers that are not here; it was 60 s old\n"
        );
        assert!(json(&row).contains(r#""written":{"ago_s":3,"clients":7,"bytes":99,"took_ms":1}"#));
    }
}
