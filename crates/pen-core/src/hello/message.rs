//! The contents of a ClientHello (RFC 8446, 4.1.2; RFC 6066, 3; RFC 7301, 3.1).
//!
//! Lengths must fit exactly. What decides where a client goes must stand there once: a second list
//! of names could be read differently by whoever serves the client.

use super::Hello;
use crate::reasons::HelloFault;
use crate::routes;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
/// The only kind of name there is.
const HOST_NAME: u8 = 0;

/// Bytes that are not read yet. Reading beyond the end is a fault.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], HelloFault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(HelloFault::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, HelloFault> {
        self.take(1)?.first().copied().ok_or(HelloFault::Malformed)
    }

    fn short(&mut self) -> Result<u16, HelloFault> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// Contents behind a length of one byte.
    fn vec8(&mut self) -> Result<&'a [u8], HelloFault> {
        let length = self.byte()?;
        self.take(usize::from(length))
    }

    /// Contents behind a length of two bytes.
    fn vec16(&mut self) -> Result<&'a [u8], HelloFault> {
        let length = self.short()?;
        self.take(usize::from(length))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads the contents of a message.
pub(super) fn read(message: &[u8]) -> Result<Hello, HelloFault> {
    let mut bytes = Bytes(message);
    let oldest = bytes.short()?;
    let _random = bytes.take(32)?;
    let session = bytes.vec8()?;
    let ciphers = bytes.vec16()?;
    let compressions = bytes.vec8()?;
    if session.len() > 32 || ciphers.is_empty() || ciphers.len() % 2 != 0 || compressions.is_empty()
    {
        return Err(HelloFault::Malformed);
    }
    let mut found = Found::default();
    // Before TLS 1.2 there may be none at all.
    if !bytes.is_empty() {
        let mut extensions = Bytes(bytes.vec16()?);
        while !extensions.is_empty() {
            let kind = extensions.short()?;
            found.note(kind, extensions.vec16()?)?;
        }
    }
    if !bytes.is_empty() {
        return Err(HelloFault::Malformed);
    }
    Ok(Hello {
        sni: found.sni.unwrap_or_default(),
        alpn: found.alpn.unwrap_or_default(),
        versions: found.versions.unwrap_or_else(|| vec![oldest]),
    })
}

/// The extensions that are read; the others are the business of whoever serves the client.
#[derive(Default)]
struct Found {
    sni: Option<Option<String>>,
    alpn: Option<Vec<Vec<u8>>>,
    versions: Option<Vec<u16>>,
}

impl Found {
    fn note(&mut self, kind: u16, contents: &[u8]) -> Result<(), HelloFault> {
        let twice = match kind {
            SERVER_NAME => self.sni.replace(server_name(contents)?).is_some(),
            ALPN => self.alpn.replace(protocols(contents)?).is_some(),
            SUPPORTED_VERSIONS => self.versions.replace(versions(contents)?).is_some(),
            _ => false,
        };
        if twice { Err(HelloFault::Malformed) } else { Ok(()) }
    }
}

/// The host name in a list of names; other kinds of names are passed over.
fn server_name(contents: &[u8]) -> Result<Option<String>, HelloFault> {
    let mut all = Bytes(contents);
    let mut list = Bytes(all.vec16()?);
    if list.is_empty() || !all.is_empty() {
        return Err(HelloFault::Malformed);
    }
    let mut found = None;
    while !list.is_empty() {
        let kind = list.byte()?;
        let name = list.vec16()?;
        if kind == HOST_NAME && found.replace(host_name(name)?).is_some() {
            return Err(HelloFault::Malformed);
        }
    }
    Ok(found)
}

/// A name as routes have it: nothing but what host names are made of, without an empty label, so that
/// it can stand in a message or a table without more ado.
fn host_name(name: &[u8]) -> Result<String, HelloFault> {
    let text = std::str::from_utf8(name).map_err(|_| HelloFault::BadName)?;
    routes::host_name(text).map_err(|_| HelloFault::BadName)
}

fn protocols(contents: &[u8]) -> Result<Vec<Vec<u8>>, HelloFault> {
    let mut all = Bytes(contents);
    let mut list = Bytes(all.vec16()?);
    if list.is_empty() || !all.is_empty() {
        return Err(HelloFault::Malformed);
    }
    let mut found = Vec::new();
    while !list.is_empty() {
        match list.vec8()? {
            [] => return Err(HelloFault::Malformed),
            protocol => found.push(protocol.to_vec()),
        }
    }
    Ok(found)
}

fn versions(contents: &[u8]) -> Result<Vec<u16>, HelloFault> {
    let mut all = Bytes(contents);
    let mut list = Bytes(all.vec8()?);
    if list.is_empty() || !all.is_empty() {
        return Err(HelloFault::Malformed);
    }
    let mut found = Vec::new();
    while !list.is_empty() {
        let version = list.short()?;
        // RFC 8701: values of this form mean nothing.
        if version & 0x0f0f != 0x0a0a {
            found.push(version);
        }
    }
    Ok(found)
}
