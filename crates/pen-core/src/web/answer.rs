//! Answers: status line, fields, body.

use std::fmt::Write;

use crate::moment::WallSeconds;

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 200
    Ok,
    /// 400
    BadRequest,
    /// 403
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 408
    RequestTimeout,
    /// 413
    ContentTooLarge,
    /// 431
    HeadTooLarge,
    /// 503
    Unavailable,
    /// 505
    VersionNotSupported,
}

impl Status {
    /// Number and words, as the status line has them.
    #[must_use]
    pub fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::ContentTooLarge => "413 Content Too Large",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::Unavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines for people.
    Text,
    /// JSON.
    Json,
    /// Prometheus' text.
    Prometheus,
    /// OpenMetrics.
    OpenMetrics,
    /// The page.
    Html,
    /// Its style.
    Css,
    /// Its program.
    JavaScript,
}

impl Kind {
    /// The value of `Content-Type`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Css => "text/css; charset=utf-8",
            Self::JavaScript => "text/javascript; charset=utf-8",
        }
    }
}

/// The page's own files and nothing else, in no frame, sending nothing anywhere else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// An answer in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub status: Status,
    /// What the body is.
    pub kind: Kind,
    /// The body.
    pub body: Vec<u8>,
    /// The value of `Allow`, where another method is allowed.
    pub allow: Option<&'static str>,
}

impl Answer {
    /// An answer that went well.
    #[must_use]
    pub fn ok(kind: Kind, body: impl Into<Vec<u8>>) -> Self {
        Self { status: Status::Ok, kind, body: body.into(), allow: None }
    }

    /// A line for people.
    #[must_use]
    pub fn text(status: Status, text: &str) -> Self {
        Self { status, ..Self::ok(Kind::Text, format!("{text}\n")) }
    }

    /// The status itself as the body.
    #[must_use]
    pub fn plain(status: Status) -> Self {
        Self::text(status, status.line())
    }

    /// The bytes that go out. `keep_alive`: the client may ask again; `body`: without it only its
    /// length is told (HEAD).
    #[must_use]
    pub fn bytes(&self, now: WallSeconds, keep_alive: bool, body: bool) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {}\r\nDate: {}\r\nServer: pen\r\nContent-Type: {}\r\nContent-Length: {}\r\n\
             Connection: {}\r\nCache-Control: no-store\r\nContent-Security-Policy: {POLICY}\r\n\
             X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\n",
            self.status.line(),
            http_date(now),
            self.kind.word(),
            self.body.len(),
            if keep_alive { "keep-alive" } else { "close" },
        );
        if let Some(allow) = self.allow {
            // Writing into a string succeeds.
            let _ = write!(head, "Allow: {allow}\r\n");
        }
        if self.status == Status::Unavailable {
            head.push_str("Retry-After: 1\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if body {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// The date as HTTP writes it (RFC 9110, 5.6.7).
pub(super) fn http_date(at: WallSeconds) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (at.0.div_euclid(86_400), at.0.rem_euclid(86_400));
    // Days since the first of March of the year 0, in eras of 400 years.
    let (era, of_era) =
        ((days + 719_468).div_euclid(146_097), (days + 719_468).rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 2 } else { march - 10 };
    let year = year + era * 400 + i64::from(month < 2);
    let name = |names: &[&'static str], n: i64| {
        usize::try_from(n).ok().and_then(|n| names.get(n).copied()).unwrap_or("?")
    };
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        name(&DAYS, days.rem_euclid(7)),
        name(&MONTHS, month),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}
