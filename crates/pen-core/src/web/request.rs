//! A request's head, read from whatever pieces it came in.

use httparse::{EMPTY_HEADER, Header};

use super::Status;
use crate::limits::{WEB_BODY_MAX, WEB_HEAD_MAX, WEB_HEADERS_MAX};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Answer.
    Get,
    /// Answer without the body.
    Head,
    /// Do what the body says.
    Post,
    /// Something else.
    Other,
}

/// A request whose head is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// The path, without a query.
    pub path: String,
    /// The client prefers OpenMetrics to Prometheus' own text.
    pub openmetrics: bool,
    /// The client may ask again on this connection.
    pub keep_alive: bool,
    /// Whom the client believes to be talking to.
    pub host: Option<String>,
    /// The page that asks.
    pub origin: Option<String>,
    /// Where that page is from, as the browser says.
    pub fetch_site: Option<String>,
    /// The token of `/status.json`.
    pub token: Option<String>,
    /// The body is said to be JSON.
    pub json: bool,
    /// Bytes of the head.
    pub head: usize,
    /// Bytes of the body.
    pub body: usize,
}

/// What is known of the bytes so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The head goes on.
    More,
    /// The head is complete.
    Request(Box<Request>),
    /// It will never be a request that is answered.
    Fault(Status),
}

/// Looks at what a client has sent so far.
#[must_use]
pub fn hear(bytes: &[u8]) -> Heard {
    let mut headers = [EMPTY_HEADER; WEB_HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(bytes.get(..WEB_HEAD_MAX).unwrap_or(bytes)) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) if bytes.len() < WEB_HEAD_MAX => return Heard::More,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Heard::Fault(Status::HeadTooLarge);
        }
        Err(httparse::Error::Version) => return Heard::Fault(Status::VersionNotSupported),
        Err(_) => return Heard::Fault(Status::BadRequest),
    };
    read(&parsed, head).map_or_else(Heard::Fault, |request| Heard::Request(Box::new(request)))
}

fn read(parsed: &httparse::Request<'_, '_>, head: usize) -> Result<Request, Status> {
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Status::BadRequest);
    };
    let headers: &[Header<'_>] = parsed.headers;
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        _ => Method::Other,
    };
    if all(headers, "transfer-encoding").next().is_some() {
        return Err(Status::BadRequest);
    }
    let body = match one(headers, "content-length")? {
        Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().map_err(|_| Status::ContentTooLarge)?
        }
        Some(_) => return Err(Status::BadRequest),
        None => 0,
    };
    if body > WEB_BODY_MAX {
        return Err(Status::ContentTooLarge);
    }
    if method != Method::Post && body != 0 {
        return Err(Status::BadRequest);
    }
    let host = one(headers, "host")?;
    if version == 1 && host.is_none() {
        return Err(Status::BadRequest);
    }
    let says = |word: &str| {
        let mut words = all(headers, "connection").flat_map(|value| value.split(','));
        words.any(|w| w.trim().eq_ignore_ascii_case(word))
    };
    let json = one(headers, "content-type")?.is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    });
    let own = |text: Option<&str>| text.map(str::to_owned);
    Ok(Request {
        method,
        path: path_of(target).ok_or(Status::BadRequest)?.to_owned(),
        openmetrics: prefers_openmetrics(all(headers, "accept")),
        keep_alive: if version == 1 { !says("close") } else { says("keep-alive") },
        host: own(host),
        origin: own(one(headers, "origin")?),
        fetch_site: own(one(headers, "sec-fetch-site")?),
        token: own(one(headers, "x-pen-token")?),
        json,
        head,
        body,
    })
}

/// The values of a field that are text.
fn all<'a>(headers: &'a [Header<'a>], name: &'a str) -> impl Iterator<Item = &'a str> {
    let fields = headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name));
    fields.map(|h| std::str::from_utf8(h.value).unwrap_or("\u{fffd}").trim())
}

/// The value of a field that stands there once at most.
fn one<'a>(headers: &'a [Header<'a>], name: &'a str) -> Result<Option<&'a str>, Status> {
    let mut values = all(headers, name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(Status::BadRequest),
    }
}

/// The path of a target: proxies send the whole address.
fn path_of(target: &str) -> Option<&str> {
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let path = target.split(['?', '#']).next().unwrap_or(target);
    path.starts_with('/').then_some(path)
}

/// Whether OpenMetrics is asked for at least as much as plain text.
fn prefers_openmetrics<'a>(accepts: impl Iterator<Item = &'a str>) -> bool {
    let (mut open, mut plain) = (0, 0);
    for range in accepts.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let wish = match parts.next() {
            Some(kind) if kind.eq_ignore_ascii_case("application/openmetrics-text") => &mut open,
            Some(kind) if kind.eq_ignore_ascii_case("text/plain") => &mut plain,
            _ => continue,
        };
        let quality = parts.find_map(|p| p.strip_prefix("q=")).map_or(1000, quality);
        *wish = quality.max(*wish);
    }
    open > 0 && open >= plain
}

/// A quality in thousandths; what is not one counts as 0.
fn quality(text: &str) -> u32 {
    let value: f32 = text.trim().parse().unwrap_or(0.0);
    if (0.0..=1.0).contains(&value) { (value * 1000.0).round() as u32 } else { 0 }
}
