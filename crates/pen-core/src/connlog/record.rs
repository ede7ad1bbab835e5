//! What is known of a connection or a flow.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::addr::{Peer, Place};
use crate::config::Protocol;
use crate::flow::FlowEnd;
use crate::journey::Trail;
use crate::moment::WallMs;
use crate::reasons::CloseReason;
use crate::report::TlsRow;
use crate::servers::ServerRef;

/// Why there is a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A server took the connection; a flow began.
    Start,
    /// It goes on, and the operator wants to hear of it from time to time.
    Open,
    /// A connection ended.
    Closed(CloseReason),
    /// A flow ended.
    Over(FlowEnd),
}

impl What {
    /// The word of the field `event`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Open => "open",
            Self::Closed(_) | Self::Over(_) => "end",
        }
    }

    /// The one reason why it ended, if it did.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Start | Self::Open => None,
            Self::Closed(reason) => Some(reason.word()),
            Self::Over(reason) => Some(reason.word()),
        }
    }
}

/// The address of Pen that a client came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Local {
    /// Of the Internet.
    Ip(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What the kernel tells of a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFacts {
    /// The smoothed round trip, microseconds.
    pub rtt_us: u32,
    /// Segments that were sent again.
    pub retransmits: u32,
}

/// A line of the connection log before it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Why there is a line.
    pub what: What,
    /// When.
    pub wall: WallMs,
    /// What it is.
    pub protocol: Protocol,
    /// Its number in the service.
    pub number: u32,
    /// Where the client came to.
    pub listener: Option<Local>,
    /// Who the client is.
    pub client: Peer,
    /// The server it has, or that was tried last.
    pub server: Option<ServerRef>,
    /// The server's name, if it has one.
    pub server_name: Option<Box<str>>,
    /// Where the server is.
    pub place: Option<Place>,
    /// Servers that were passed over or failed.
    pub trail: Option<Box<Trail>>,
    /// Milliseconds from its beginning until a server was asked.
    pub asked_ms: Option<u32>,
    /// Until one was connected.
    pub connected_ms: Option<u32>,
    /// Until the server's first byte came.
    pub first_byte_ms: Option<u32>,
    /// Until this line.
    pub total_ms: u64,
    /// Bytes from the client.
    pub bytes_in: u64,
    /// Bytes to the client.
    pub bytes_out: u64,
    /// What was agreed with the client in TLS.
    pub tls: Option<Box<TlsRow>>,
    /// TLS is spoken to the server.
    pub server_tls: bool,
    /// The kernel's view of the client's connection.
    pub client_tcp: Option<TcpFacts>,
    /// The kernel's view of the server's connection.
    pub server_tcp: Option<TcpFacts>,
}
