//! What stands where TLS would be in a Pen that is built without it.
//!
//! Nothing here can ever be: no [`Session`], [`Terminator`] or [`Dialer`] is made, because `built` refuses the
//! settings that would need one. So everything else is written once, for Pens with and without TLS.

use std::sync::Arc;

use pen_core::config::Config;
use pen_core::report::{CertificateRow, TlsRow};

use super::{Dialers, Told, Trouble};

/// No value is of this type.
#[derive(Clone, Copy, Debug)]
enum Never {}

/// A session, which is never made.
#[derive(Debug)]
pub struct Session(Never);

/// What would make clients TLS clients.
#[derive(Debug)]
pub struct Terminator(Never);

/// How a server would be spoken to.
#[derive(Debug)]
pub struct Dialer(Never);

/// Room for ciphertext, which is never written.
#[derive(Debug, Default)]
pub struct Wire(());

/// No certificates.
#[derive(Clone, Debug, Default)]
pub struct Vault(());

/// No servers that are spoken to in TLS.
#[derive(Clone, Debug, Default)]
pub struct Outward(());

/// No certificate expires.
#[derive(Debug, Default)]
pub struct Calendar(());

impl Terminator {
    /// Never called.
    pub fn session(&self) -> Result<Session, Trouble> {
        match self.0 {}
    }
}

/// As of a real session; none of these is ever called.
impl Session {
    pub fn with_server(dialer: &Dialer, _protocol: Option<&[u8]>) -> Result<Self, Trouble> {
        match dialer.0 {}
    }

    pub fn held(&self) -> usize {
        match self.0 {}
    }

    pub fn open(&mut self, _buffer: &mut [u8], _out: &mut Vec<u8>) -> Result<(), Trouble> {
        match self.0 {}
    }

    pub fn keep_opened(&mut self, _bytes: &[u8]) {
        match self.0 {}
    }

    pub fn take_opened(&mut self) -> Vec<u8> {
        match self.0 {}
    }

    pub fn seal(&mut self, _bytes: &[u8], _out: &mut Wire) -> Result<(), Trouble> {
        match self.0 {}
    }

    pub fn close(&mut self, _out: &mut Wire) -> Result<(), Trouble> {
        match self.0 {}
    }

    pub fn is_handshaking(&self) -> bool {
        match self.0 {}
    }

    pub fn is_resumed(&self) -> bool {
        match self.0 {}
    }

    pub fn protocol(&self) -> Option<&[u8]> {
        match self.0 {}
    }

    pub fn has_opened(&self) -> bool {
        match self.0 {}
    }

    pub fn has_ended(&self) -> bool {
        match self.0 {}
    }

    pub fn may_just_leave(&self) -> bool {
        match self.0 {}
    }

    pub fn unsent(&self) -> &[u8] {
        match self.0 {}
    }

    pub fn sent(&mut self, _n: usize) {
        match self.0 {}
    }

    pub fn keep_unsent(&mut self, _bytes: &[u8]) {
        match self.0 {}
    }

    pub fn facts(&self) -> Option<TlsRow> {
        match self.0 {}
    }
}

impl Wire {
    /// Nothing was written to it.
    pub fn bytes(&self) -> &[u8] {
        &[]
    }

    /// It is empty.
    pub fn clear(&mut self) {}
}

impl Vault {
    /// Nothing is read.
    ///
    /// # Errors
    /// None.
    pub fn prepare(&self, _config: &Config, _now_s: i64) -> Result<(Self, Told), String> {
        Ok((Self(()), Told::default()))
    }

    /// Nothing is read again.
    pub fn renewed(&self, _now_s: i64) -> (Self, Told) {
        (Self(()), Told::default())
    }

    /// Nothing to look at.
    pub fn looked_at(&self, _now_s: i64) -> (Option<Self>, Told) {
        (None, Told::default())
    }

    /// Never.
    pub fn next_look_s(&self, _now_s: i64) -> Option<u32> {
        None
    }

    /// No service has one.
    pub fn terminator(&self, _service: &str) -> Option<Arc<Terminator>> {
        None
    }

    /// There are none.
    pub fn rows(&self, _now_s: i64) -> Vec<CertificateRow> {
        Vec::new()
    }
}

impl Outward {
    /// Nothing is read.
    ///
    /// # Errors
    /// None.
    pub fn load(&self, _config: &Config) -> Result<Self, String> {
        Ok(Self(()))
    }

    /// Nothing is read again.
    pub fn renewed(&self, _config: &Config) -> (Self, Told) {
        (Self(()), Told::default())
    }

    /// No service has any.
    pub fn dialers(&self, _service: &str) -> Option<Arc<Dialers>> {
        None
    }

    /// None are as none were.
    pub fn same(&self, _other: &Self, _service: &str) -> bool {
        true
    }

    /// Nobody to warn of.
    pub fn cautions(&self, _before: &Self) -> Vec<String> {
        Vec::new()
    }
}

impl Calendar {
    /// Nothing is due.
    pub fn due(&mut self, rows: &[CertificateRow]) -> Vec<String> {
        self.due_of(rows).into_iter().map(|(_, text)| text).collect()
    }

    /// Nothing is due.
    pub fn due_of<'a>(&mut self, _rows: &'a [CertificateRow]) -> Vec<(&'a CertificateRow, String)> {
        Vec::new()
    }
}
