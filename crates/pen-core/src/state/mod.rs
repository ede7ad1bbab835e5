//! The state file: which client used which server, and how long ago, so that a Pen that starts anew, or
//! the partner of a pair, sends clients where they were.
//!
//! ```text
//! pen-state 1
//! written 1795300000250
//! service default
//! server 0 10.0.0.9:80
//! server 1 [2001:db8::1]:80
//! 192.0.2.7 12000 0
//! 2001:db8:7::9 340120 1
//! end 2 1c291ca3
//! ```
//!
//! Lines end in a line feed, words in one space. `written` is the wall clock in milliseconds since 1970. After
//! each `service` come its servers by address and port, numbered from 0 within the file, and its clients:
//! address, milliseconds since the last visit when the file was written, number of the server. `end` has the
//! number of clients and the CRC-32 (gzip's) of everything before its line. Servers have no other names,
//! so that a file means the same where their order differs. Whoever reads believes nothing before the end
//! is there and right. Deliberately not here: files, clocks, and the tables themselves (`clients`).

mod intake;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::SocketAddr;

use crate::addr::Host;
use crate::config::ServerConfig;

pub use intake::{Harvest, Intake, Known, Left};
pub use read::{Fault, Item, Scanner};
pub use write::Writer;

/// The first word of a file; what does not begin with it is something else, and is never replaced.
pub const MAGIC: &str = "pen-state";

/// The form that is written and read.
pub const VERSION: u32 = 1;

/// How files call a server: by its address and port, as resolved, or by the path of its socket. `None`
/// for a slot that is not set, and for a path that cannot stand in a line.
#[must_use]
pub fn server_name(server: &ServerConfig) -> Option<String> {
    match &server.host {
        Host::Unset => None,
        Host::Ip(ip) | Host::Name { ip, .. } => Some(SocketAddr::new(*ip, server.port).to_string()),
        Host::Unix(path) => {
            let path = path.to_str().filter(|path| !path.contains(char::is_control))?;
            Some(format!("unix:{path}"))
        }
    }
}
