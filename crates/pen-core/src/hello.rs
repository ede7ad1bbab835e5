//! The first message of a TLS client, read without decrypting anything: the name it asks for, the
//! protocols it offers, the versions it speaks.
//!
//! Bytes go in as they come, in any pieces; each is looked at once, so a client that sends one byte
//! at a time costs no more than one that sends all at once. Everything is kept, because whoever
//! serves the client must get it untouched. Bounded by [`limits::HELLO_MAX`] and
//! [`limits::HELLO_WIRE_MAX`]. Not here: what is made of the answer (`routes`), and certificates.

mod message;

#[cfg(test)]
mod tests;

use crate::limits;
use crate::reasons::HelloFault;

/// Kind of a TLS record that carries handshake messages.
const HANDSHAKE: u8 = 22;
/// Kind of the handshake message that a client begins with.
const CLIENT_HELLO: u8 = 1;
/// Bytes before the contents of a record.
const RECORD_HEADER: usize = 5;
/// Bytes before the contents of a handshake message.
const MESSAGE_HEADER: usize = 4;
/// Bytes a record may hold.
const RECORD_MAX: usize = 16_384;

/// What a client says first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The name it asks for: lower case, no dot at the end, only what host names are made of. With
    /// an encrypted hello it is the outer name.
    pub sni: Option<String>,
    /// The protocols it offers, the dearest first; none of them is empty.
    pub alpn: Vec<Vec<u8>>,
    /// The versions it speaks, the dearest first (`0x0304` is TLS 1.3), without the values that only
    /// keep servers tolerant.
    pub versions: Vec<u16>,
}

/// What the bytes so far come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// They are the beginning of a hello.
    More,
    /// The hello is there.
    Hello(Hello),
    /// It is none, and more bytes will not make it one.
    Fault(HelloFault),
}

/// Reads one client's first message.
#[derive(Debug, Default)]
pub struct Reader {
    /// Everything that came.
    bytes: Vec<u8>,
    /// Where the record begins that is not there to its end.
    record: usize,
    /// Bytes of handshake messages in the records before it.
    before: usize,
}

impl Reader {
    /// Takes the next bytes. After anything but [`Progress::More`] it must not be called again.
    pub fn take(&mut self, bytes: &[u8]) -> Progress {
        self.bytes.extend_from_slice(bytes);
        match self.advance() {
            Ok(None) if self.bytes.len() >= limits::HELLO_WIRE_MAX => {
                Progress::Fault(HelloFault::TooLong)
            }
            Ok(None) => Progress::More,
            Ok(Some(message)) => {
                message::read(&message).map_or_else(Progress::Fault, Progress::Hello)
            }
            Err(fault) => Progress::Fault(fault),
        }
    }

    /// How many bytes it will take at most.
    #[must_use]
    pub fn room(&self) -> usize {
        limits::HELLO_WIRE_MAX.saturating_sub(self.bytes.len())
    }

    /// Everything that came, for whoever serves the client.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The contents of the message, if all of them are there.
    fn advance(&mut self) -> Result<Option<Vec<u8>>, HelloFault> {
        loop {
            let rest = self.bytes.get(self.record..).unwrap_or_default();
            let Some(length) = record_length(rest, self.record == 0)? else { return Ok(None) };
            let there = rest.len() - RECORD_HEADER;
            let gathered = self.before + there.min(length);
            if let Some(header) = self.message_header(gathered) {
                let needed = message_length(header)?;
                if gathered >= MESSAGE_HEADER + needed {
                    return Ok(Some(self.gather(MESSAGE_HEADER, needed)));
                }
            }
            if there < length {
                return Ok(None);
            }
            self.before += length;
            self.record += RECORD_HEADER + length;
        }
    }

    /// The beginning of the message; `gathered` bytes of it are there.
    fn message_header(&self, gathered: usize) -> Option<[u8; MESSAGE_HEADER]> {
        let there = gathered >= MESSAGE_HEADER;
        // Records hold one byte at least, so four of them are enough.
        there.then(|| self.gather(0, MESSAGE_HEADER))?.try_into().ok()
    }

    /// `count` bytes of the message from `skip` on, across records. They are there.
    fn gather(&self, mut skip: usize, count: usize) -> Vec<u8> {
        let mut gathered = Vec::with_capacity(count);
        let mut rest = self.bytes.as_slice();
        while let (true, Some(([_, _, _, high, low], after))) =
            (gathered.len() < count, rest.split_first_chunk::<RECORD_HEADER>())
        {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (contents, next) = after.split_at(length.min(after.len()));
            let wanted = contents.get(skip.min(contents.len())..).unwrap_or_default();
            skip -= skip.min(contents.len());
            gathered.extend(wanted.iter().take(count - gathered.len()));
            rest = next;
        }
        gathered
    }
}

/// The length of the contents of the record that `bytes` begin with, or `None` if its header is not
/// there yet. What is there is looked at: a client that waits after a wrong byte is told at once.
fn record_length(bytes: &[u8], first: bool) -> Result<Option<usize>, HelloFault> {
    match *bytes {
        [] => Ok(None),
        // A hello of SSL 2 has a length of two bytes with its highest bit set, then its kind.
        [kind, _, CLIENT_HELLO, ..] if first && kind & 0x80 != 0 => Err(HelloFault::SslV2),
        [kind] | [kind, _] if first && kind & 0x80 != 0 => Ok(None),
        [kind, ..] if kind != HANDSHAKE && first => Err(HelloFault::NotTls),
        [kind, ..] if kind != HANDSHAKE => Err(HelloFault::BadRecord),
        [_, major, ..] if major != 3 => Err(HelloFault::BadRecord),
        [_, _, _, high, low, ..] => match usize::from(u16::from_be_bytes([high, low])) {
            0 => Err(HelloFault::BadRecord),
            length if length > RECORD_MAX => Err(HelloFault::BadRecord),
            length => Ok(Some(length)),
        },
        _ => Ok(None),
    }
}

/// The length of the contents of the message with this header.
fn message_length([kind, high, middle, low]: [u8; MESSAGE_HEADER]) -> Result<usize, HelloFault> {
    if kind != CLIENT_HELLO {
        return Err(HelloFault::NotHello);
    }
    let length = u32::from_be_bytes([0, high, middle, low]);
    match usize::try_from(length) {
        Ok(length) if MESSAGE_HEADER + length <= limits::HELLO_MAX => Ok(length),
        _ => Err(HelloFault::TooLong),
    }
}
