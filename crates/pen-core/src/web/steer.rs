//! Steering from the page: which requests are believed to come from it, and which commands it may give.
//!
//! A browser sends what any page tells it to, with the rights of whoever sits before it. So a request must
//! name the page itself as its origin, carry a token that only the page can have read, and be of a form
//! that other pages may not send unasked. A page that points its own name at this address (DNS rebinding)
//! would pass for the page itself; therefore the name must be one that nobody can point elsewhere: an IP
//! address or localhost.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::{Request, Status};
use crate::command::{self, Change, Command, Door};

/// Why a request does not steer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SteerFault {
    /// `metrics_control` is off.
    Off,
    /// `control_acl` does not let the client in.
    Denied,
    /// It was asked for by a name that anybody may point here.
    Host,
    /// Another page asks.
    Origin,
    /// It has not the token of this process.
    Token,
    /// It is not JSON of the form that is expected.
    Form,
    /// The command is not one that the page may give; with the reason.
    Command(String),
}

impl SteerFault {
    /// How the request is answered.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Off | Self::Denied | Self::Host | Self::Origin | Self::Token => Status::Forbidden,
            Self::Form | Self::Command(_) => Status::BadRequest,
        }
    }

    /// A sentence for whoever asked.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Off => "metrics_control is off",
            Self::Denied => "control_acl does not let this client in",
            Self::Host => "ask by an IP address or as localhost",
            Self::Origin => "only Pen's own page may do this",
            Self::Token => "the token is not that of /status.json; Pen may have been started again",
            Self::Form => r#"a JSON body {"command":"..."} is expected"#,
            Self::Command(why) => why,
        }
        .to_owned()
    }
}

/// Whether the request comes from the page. `same` compares its token with the one of this process.
///
/// # Errors
/// Why it does not.
pub fn is_from_page(request: &Request, same: impl Fn(&str) -> bool) -> Result<(), SteerFault> {
    let host = request.host.as_deref().filter(|host| is_steady(host)).ok_or(SteerFault::Host)?;
    let origin = request.origin.as_deref().unwrap_or_default();
    let from = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    let same_site = request.fetch_site.as_deref().is_none_or(|site| site == "same-origin");
    if !from.is_some_and(|from| from.eq_ignore_ascii_case(host)) || !same_site {
        return Err(SteerFault::Origin);
    }
    if !request.token.as_deref().is_some_and(same) {
        return Err(SteerFault::Token);
    }
    if request.json { Ok(()) } else { Err(SteerFault::Form) }
}

/// Whether nobody can point this name elsewhere.
pub fn is_steady(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok()
        || host.parse::<SocketAddr>().is_ok()
}

/// The command that a body holds, if the page may give it: `service S server N` with `blacklist` and
/// `weight`.
///
/// # Errors
/// Why not.
pub fn command_of(body: &[u8]) -> Result<String, SteerFault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        command: String,
    }
    let Body { command } = serde_json::from_slice(body).map_err(|_| SteerFault::Form)?;
    let refused = |why: String| Err(SteerFault::Command(why));
    match command::parse(&command, Door::Control) {
        Err(fault) => refused(fault.message),
        Ok(Some(line)) => match &line.command {
            Command::Server(_, changes)
                if !changes.is_empty()
                    && changes
                        .iter()
                        .all(|c| matches!(c, Change::Blacklist(_) | Change::Weight(_))) =>
            {
                Ok(command)
            }
            _ => refused("the page may only set blacklist and weight of servers".to_owned()),
        },
        Ok(None) => refused("there is no command".to_owned()),
    }
}
