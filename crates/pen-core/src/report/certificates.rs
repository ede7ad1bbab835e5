//! The certificates in use, for `certificates` and `certificates json`.

use crate::moment::WallSeconds;

const DAY_S: i64 = 86_400;

/// A certificate in use at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRow {
    /// The service that shows it.
    pub service: String,
    /// The name of its file in the directory of names; `None` for the default one.
    pub name: Option<String>,
    /// The file it was read from.
    pub file: String,
    /// Whose it is.
    pub subject: String,
    /// Domain names and addresses that it is for.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: String,
    /// Hex digits.
    pub serial: String,
    /// Its first second.
    pub not_before: WallSeconds,
    /// Its last second.
    pub not_after: WallSeconds,
    /// The moment of the report.
    pub now: WallSeconds,
    /// The kind of key.
    pub key: String,
    /// The OCSP response, if there is to be one: stapled until when, or why not.
    pub ocsp: Option<Result<WallSeconds, String>>,
    /// SHA-256, hex pairs with colons.
    pub fingerprint: String,
}

impl CertificateRow {
    /// Whole days until it expires; below 0 when it has.
    #[must_use]
    pub fn days_left(&self) -> i64 {
        self.not_after.0.saturating_sub(self.now.0).div_euclid(DAY_S)
    }

    /// Clients refuse it.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.not_after < self.now
    }

    /// Its time has not begun: clients refuse it.
    #[must_use]
    pub fn is_early(&self) -> bool {
        self.not_before > self.now
    }
}

/// The reply to `certificates`: a block of lines per certificate. `date` writes a moment.
#[must_use]
pub fn text(rows: &[CertificateRow], date: impl Fn(WallSeconds) -> String) -> String {
    let mut text = String::new();
    for row in rows {
        let name = row.name.as_deref().unwrap_or("(default)");
        let state = match (row.is_expired(), row.is_early()) {
            (true, _) => "EXPIRED".to_owned(),
            (_, true) => "NOT YET VALID".to_owned(),
            _ => format!("{} days left", row.days_left()),
        };
        let ocsp = match &row.ocsp {
            None => "none".to_owned(),
            Some(Ok(until)) => format!("stapled until {}", date(*until)),
            Some(Err(why)) => format!("NOT stapled: {why}"),
        };
        let names = if row.names.is_empty() { "none".to_owned() } else { row.names.join(" ") };
        text += &format!(
            "{} {name} {}: {state}\n  subject {}\n  names {names}\n  issuer {}\n  serial {}\n  \
             valid {} to {}\n  key {}\n  ocsp {ocsp}\n  sha256 {}\n",
            row.service,
            row.file,
            row.subject,
            row.issuer,
            row.serial,
            date(row.not_before),
            date(row.not_after),
            row.key,
            row.fingerprint,
        );
    }
    text
}
