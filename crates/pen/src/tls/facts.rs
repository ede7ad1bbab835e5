//! What was agreed with a client, for reports and messages.
//!
//! The library remembers everything but the name that the client asked for, which only the choice of
//! a certificate gets to see: it is noted there and taken by the session that called, in the same
//! thread and within the same call.

use std::cell::Cell;

use pen_core::report::TlsRow;
use rustls::ProtocolVersion;

use super::{Session, material};

thread_local! {
    /// The name that was asked for in the call that runs.
    static ASKED: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// A client asks for `name`.
pub(super) fn note_name(name: Option<&str>) {
    ASKED.set(name.map(Box::from));
}

/// The name that was noted last, once.
pub(super) fn take_name() -> Option<Box<str>> {
    ASKED.take()
}

impl Session {
    /// What was agreed; `None` while the handshake is not over.
    pub fn facts(&self) -> Option<TlsRow> {
        let common = self.common();
        if common.is_handshaking() {
            return None;
        }
        let shown = common.peer_certificates().and_then(<[_]>::first);
        let alpn = common.alpn_protocol().map(String::from_utf8_lossy);
        Some(TlsRow {
            version: match common.protocol_version()? {
                ProtocolVersion::TLSv1_2 => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher: material::name_of(common.negotiated_cipher_suite()?.suite()),
            sni: self.name().map(str::to_owned),
            alpn: alpn.map(std::borrow::Cow::into_owned),
            client_subject: shown.map(|der| material::subject_of(der)),
            resumed: self.is_resumed(),
        })
    }
}
