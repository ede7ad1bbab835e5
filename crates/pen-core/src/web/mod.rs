//! What Pen says over HTTP at the address of `metrics`: requests are read here, answers are worded here.
//!
//! The little of HTTP/1 that scrapers, probes and browsers need: GET and HEAD, and one POST. A request
//! that is unclear in any way is refused and its connection ends. Deliberately not here: sockets, time
//! limits, who may ask at all.

mod answer;
mod request;
mod steer;

#[cfg(test)]
mod tests;

pub use answer::{Answer, Kind, Status};
pub use request::{Heard, Method, Request, hear};
pub use steer::{SteerFault, command_of, is_from_page, is_steady};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `/metrics`
    Metrics,
    /// `/healthz`
    Healthz,
    /// `/readyz`
    Readyz,
    /// `/status.json`
    Status,
    /// `/control`
    Control,
    /// A file of the page: its name, empty for the page itself.
    File,
}

impl Target {
    /// What a path means. Every path that is nothing else may be a file of the page.
    #[must_use]
    pub fn of(path: &str) -> Self {
        match path {
            "/metrics" => Self::Metrics,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            "/status.json" => Self::Status,
            "/control" => Self::Control,
            _ => Self::File,
        }
    }

    /// Whether the method is one for it; if not, the value of `Allow`.
    ///
    /// # Errors
    /// The methods that are.
    pub fn takes(self, method: Method) -> Result<(), &'static str> {
        match (self, method) {
            (Self::Control, Method::Post) => Ok(()),
            (Self::Control, _) => Err("POST"),
            (_, Method::Get | Method::Head) => Ok(()),
            _ => Err("GET, HEAD"),
        }
    }
}
