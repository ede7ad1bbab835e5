//! The closed list of what there is to know of a connection.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use super::{Local, Record};
use crate::addr::{ClientAddr, Place};
use crate::journey::Trail;
use crate::moment::WallMs;
use crate::servers::ServerRef;

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// Something there is to know of a connection. The words are stable: they are added, never
        /// renamed or removed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Field { $($(#[$doc])* $name,)* }

        impl Field {
            /// Every field, in the order of lines.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word in lines and templates.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The word as the key of an object of JSON that has others before it.
            pub(super) fn json_key(self) -> &'static str {
                match self { $(Self::$name => concat!(",\"", $word, "\":"),)* }
            }
        }
    };
}

fields! {
    /// When the line was made.
    Time = "time";
    /// `start`, `open` or `end`.
    Event = "event";
    /// The service.
    Service = "service";
    /// `tcp` or `udp`.
    Protocol = "protocol";
    /// The number of the connection or flow, as `connection N` and `close N` know it.
    Connection = "connection";
    /// The address of Pen that the client came to.
    Listener = "listener";
    /// The client's address; `unix` for all of Unix sockets.
    Client = "client";
    /// The client's port.
    ClientPort = "client_port";
    /// The server: its number, `emergency` or `abuse`.
    Server = "server";
    /// The server's name.
    ServerName = "server_name";
    /// The server's address.
    ServerAddress = "server_address";
    /// The servers that were passed over or failed, and why.
    Tries = "tries";
    /// Milliseconds until a server was asked.
    QueueMs = "queue_ms";
    /// Milliseconds from there until one was connected.
    ConnectMs = "connect_ms";
    /// Milliseconds from there until the server's first byte came.
    FirstByteMs = "first_byte_ms";
    /// Milliseconds in all.
    TotalMs = "total_ms";
    /// Bytes from the client.
    BytesIn = "bytes_in";
    /// Bytes to the client.
    BytesOut = "bytes_out";
    /// The version of TLS that the client speaks.
    TlsVersion = "tls_version";
    /// The cipher.
    TlsCipher = "tls_cipher";
    /// The name that the client asked for.
    TlsSni = "tls_sni";
    /// The protocol that was agreed on.
    TlsAlpn = "tls_alpn";
    /// Whether an earlier session went on.
    TlsResumed = "tls_resumed";
    /// The subject of the client's certificate.
    TlsClientSubject = "tls_client_subject";
    /// Whether TLS is spoken to the server.
    ServerTls = "server_tls";
    /// The round trip to the client, microseconds.
    ClientRttUs = "client_rtt_us";
    /// Segments sent to the client again.
    ClientRetransmits = "client_retransmits";
    /// The round trip to the server, microseconds.
    ServerRttUs = "server_rtt_us";
    /// Segments sent to the server again.
    ServerRetransmits = "server_retransmits";
    /// Why it ended: exactly one word of a closed list.
    Reason = "reason";
}

/// What a field holds.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Nothing of the kind.
    None,
    Time(WallMs),
    Number(u64),
    Flag(bool),
    /// A word of Pen's own: nothing in it has to be escaped.
    Word(&'a str),
    Address(IpAddr),
    Socket(SocketAddr),
    Server(ServerRef),
    Tries(&'a Trail),
    /// Text of others.
    Text(Cow<'a, str>),
}

impl Field {
    /// What `record` says of it. `service` is the service's name.
    pub(super) fn of<'a>(self, record: &'a Record, service: &'a str) -> Value<'a> {
        let r = record;
        let tls = r.tls.as_deref();
        let after = |step: Option<u32>, before: Option<u32>| match (step, before) {
            (Some(step), Some(before)) => Value::Number(step.saturating_sub(before).into()),
            _ => Value::None,
        };
        match self {
            Self::Time => Value::Time(r.wall),
            Self::Event => Value::Word(r.what.word()),
            // Letters, digits and a few signs: settings allow no others.
            Self::Service => Value::Word(service),
            Self::Protocol => Value::Word(r.protocol.word()),
            Self::Connection => Value::Number(r.number.into()),
            Self::Listener => match &r.listener {
                None => Value::None,
                Some(Local::Ip(at)) => Value::Socket(*at),
                Some(Local::Unix(path)) => Value::Text(path.to_string_lossy()),
            },
            Self::Client => match r.client.addr {
                ClientAddr::Ip(ip) => Value::Address(ip),
                ClientAddr::Unix => Value::Word("unix"),
            },
            Self::ClientPort => match r.client.addr {
                ClientAddr::Ip(_) => Value::Number(r.client.port.into()),
                ClientAddr::Unix => Value::None,
            },
            Self::Server => r.server.map_or(Value::None, Value::Server),
            Self::ServerName => r.server_name.as_deref().map_or(Value::None, Value::Word),
            Self::ServerAddress => match &r.place {
                None => Value::None,
                Some(Place::Tcp(at)) => Value::Socket(*at),
                Some(Place::Unix(path)) => Value::Text(path.to_string_lossy()),
            },
            Self::Tries => r.trail.as_deref().map_or(Value::None, Value::Tries),
            Self::QueueMs => after(r.asked_ms, Some(0)),
            Self::ConnectMs => after(r.connected_ms, r.asked_ms),
            Self::FirstByteMs => after(r.first_byte_ms, r.connected_ms),
            Self::TotalMs => Value::Number(r.total_ms),
            Self::BytesIn => Value::Number(r.bytes_in),
            Self::BytesOut => Value::Number(r.bytes_out),
            Self::TlsVersion => tls.map_or(Value::None, |t| Value::Word(t.version)),
            Self::TlsCipher => tls.map_or(Value::None, |t| Value::Word(t.cipher)),
            Self::TlsSni => text(tls.and_then(|t| t.sni.as_deref())),
            Self::TlsAlpn => text(tls.and_then(|t| t.alpn.as_deref())),
            Self::TlsResumed => tls.map_or(Value::None, |t| Value::Flag(t.resumed)),
            Self::TlsClientSubject => text(tls.and_then(|t| t.client_subject.as_deref())),
            Self::ServerTls => Value::Flag(r.server_tls),
            Self::ClientRttUs => number(r.client_tcp.map(|t| t.rtt_us)),
            Self::ClientRetransmits => number(r.client_tcp.map(|t| t.retransmits)),
            Self::ServerRttUs => number(r.server_tcp.map(|t| t.rtt_us)),
            Self::ServerRetransmits => number(r.server_tcp.map(|t| t.retransmits)),
            Self::Reason => r.what.reason().map_or(Value::None, Value::Word),
        }
    }
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::None, |text| Value::Text(Cow::Borrowed(text)))
}

fn number(number: Option<u32>) -> Value<'static> {
    number.map_or(Value::None, |n| Value::Number(n.into()))
}
