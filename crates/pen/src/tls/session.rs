//! A TLS session with a client or a server: bytes in, bytes out, no sockets.
//!
//! It is rustls's unbuffered connection and what that leaves to its owner: the beginning of a record
//! that has not come whole (`partial`), bytes that were decrypted before somebody could take them
//! (`opened`) and ciphertext that the socket did not take yet (`outbox`). All three are empty in an
//! idle session and hold no memory then. What goes to the other side leaves in the order in which it
//! was made: handshake, tickets, answers, data, alerts.
//!
//! Who calls must not open before it has taken what was opened, and must not seal before the outbox
//! is empty: that is what bounds them.

use std::sync::Arc;

use pen_core::limits;
use pen_core::reasons::TlsFault;
use rustls::client::UnbufferedClientConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, ReadEarlyData, UnbufferedStatus,
};
use rustls::{CommonState, ServerConfig};

use super::fault::fault_of;
use super::{Dialer, Trouble, facts};

/// What makes the clients of a service TLS clients.
#[derive(Clone, Debug)]
pub struct Terminator {
    /// Certificates, versions, ciphers, tickets.
    pub config: Arc<ServerConfig>,
}

impl Terminator {
    /// A session with a client that has just come.
    ///
    /// # Errors
    /// The settings are of no use.
    pub fn session(&self) -> Result<Session, Trouble> {
        Session::with_client(Arc::clone(&self.config))
    }
}

/// A session.
#[derive(Debug)]
pub struct Session {
    machine: Machine,
    /// Received and of no use yet: the beginning of a record or of a handshake message.
    partial: Vec<u8>,
    /// Decrypted, waiting to be taken.
    opened: Vec<u8>,
    /// Waiting to be sent.
    outbox: Outbox,
    /// The name that the client asked for.
    name: Option<Box<str>>,
    /// Something was received.
    heard: bool,
    /// The other side said close_notify.
    ended: bool,
    /// Pen said close_notify.
    closed: bool,
    /// There was an error; nothing more can be opened or sealed.
    broken: bool,
}

/// Which role Pen plays.
enum Machine {
    WithClient(UnbufferedServerConnection),
    WithServer(UnbufferedClientConnection),
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WithClient(_) => "WithClient",
            Self::WithServer(_) => "WithServer",
        })
    }
}

/// Bytes for the socket, and how many of them it took.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    from: usize,
}

impl Outbox {
    /// The library says access_denied when there is no certificate for the name that a client asks
    /// for; RFC 6066 has an alert of its own for that. Nothing is encrypted at this point.
    fn say_unrecognized_name(&mut self) {
        const ALERT: u8 = 21;
        const UNRECOGNIZED_NAME: u8 = 112;
        if let Some([ALERT, _, _, 0, 2, _, what]) = self.bytes.last_chunk_mut::<7>() {
            *what = UNRECOGNIZED_NAME;
        }
    }
}

/// What to do once the machine can write.
enum Task<'a> {
    Nothing,
    Seal(&'a [u8], &'a mut Wire),
    Close(&'a mut Wire),
}

/// What the machine came to.
enum Turn {
    /// It is to be called again.
    Again,
    /// The other side said close_notify.
    Ended,
    /// It waits for bytes, or has written.
    Rest,
}

impl Session {
    /// A session with a client that has just come.
    ///
    /// # Errors
    /// The settings are of no use.
    pub fn with_client(config: Arc<ServerConfig>) -> Result<Self, Trouble> {
        let machine = UnbufferedServerConnection::new(config).map_err(|e| fault_of(&e))?;
        Ok(Self::new(Machine::WithClient(machine)))
    }

    /// A session with a server that has just been connected, to speak `protocol` in it if there is
    /// one; its first bytes are in the outbox.
    ///
    /// # Errors
    /// The settings are of no use.
    pub fn with_server(dialer: &Dialer, protocol: Option<&[u8]>) -> Result<Self, Trouble> {
        let (config, name) = (Arc::clone(&dialer.config), dialer.name.clone());
        let offered = protocol.map(<[u8]>::to_vec).into_iter().collect();
        let machine = UnbufferedClientConnection::new_with_alpn(config, name, offered)
            .map_err(|e| fault_of(&e))?;
        let mut session = Self::new(Machine::WithServer(machine));
        session.run(&mut [], Task::Nothing, &mut Vec::new())?;
        Ok(session)
    }

    fn new(machine: Machine) -> Self {
        Self {
            machine,
            partial: Vec::new(),
            opened: Vec::new(),
            outbox: Outbox::default(),
            name: None,
            heard: false,
            ended: false,
            closed: false,
            broken: false,
        }
    }

    /// Bytes kept of what was received; the next ones belong behind them.
    pub fn held(&self) -> usize {
        self.partial.len()
    }

    /// Takes what was received: `buffer` has room for [`Self::held`] bytes in front of it. What is
    /// decrypted is appended to `out`; what is to be answered is in the outbox.
    ///
    /// # Errors
    /// The other side breaks the rules or sent an alert; the answer to it is in the outbox.
    pub fn open(&mut self, buffer: &mut [u8], out: &mut Vec<u8>) -> Result<(), Trouble> {
        if self.broken || self.ended {
            return Ok(());
        }
        let alien = super::fault::not_tls(buffer).filter(|_| !self.heard);
        self.heard |= !buffer.is_empty();
        if let Some(front) = buffer.get_mut(..self.partial.len()) {
            front.copy_from_slice(&self.partial);
        }
        let shakes = self.is_handshaking();
        if shakes {
            // Whatever another session left.
            drop(facts::take_name());
        }
        let outcome = self.run(buffer, Task::Nothing, out);
        if shakes {
            // It is in one of the client's messages.
            self.name = facts::take_name().or_else(|| self.name.take());
        }
        let opened = outcome.and_then(|used| {
            let rest = buffer.get(used..).unwrap_or_default();
            if self.ended || rest.is_empty() {
                self.partial = Vec::new();
            } else if rest.len() > limits::TLS_PARTIAL_MAX {
                self.broken = true;
                return Err(Trouble::new(TlsFault::Malformed, "a message in too many pieces"));
            } else {
                self.partial = rest.into();
            }
            Ok(())
        });
        opened.map_err(|trouble| trouble.or_not_tls(alien).of_name(self.name()))
    }

    /// Keeps what was decrypted before somebody can take it.
    pub fn keep_opened(&mut self, bytes: &[u8]) {
        self.opened.extend_from_slice(bytes);
    }

    /// What was kept.
    pub fn take_opened(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.opened)
    }

    /// Appends `bytes` to `out` as records, behind whatever must go before them.
    ///
    /// # Errors
    /// The session can carry nothing more.
    pub fn seal(&mut self, bytes: &[u8], out: &mut Wire) -> Result<(), Trouble> {
        self.write(Task::Seal(bytes, out))
    }

    /// Appends close_notify to `out`, once.
    ///
    /// # Errors
    /// The session can carry nothing more.
    pub fn close(&mut self, out: &mut Wire) -> Result<(), Trouble> {
        if self.closed {
            return Ok(());
        }
        self.write(Task::Close(out))?;
        self.closed = true;
        Ok(())
    }

    fn write(&mut self, task: Task<'_>) -> Result<(), Trouble> {
        if self.broken {
            return Err(Trouble::new(TlsFault::Broken, "the session is over"));
        }
        let mut partial = std::mem::take(&mut self.partial);
        let mut opened = std::mem::take(&mut self.opened);
        let written = self.run(&mut partial, task, &mut opened);
        (self.partial, self.opened) = (partial, opened);
        written.map(|_| ())
    }

    /// Lets the machine work on `input` until it needs more. Answers how much of it is done with.
    fn run(
        &mut self,
        input: &mut [u8],
        mut task: Task<'_>,
        opened: &mut Vec<u8>,
    ) -> Result<usize, Trouble> {
        let mut used = 0;
        loop {
            let rest = input.get_mut(used..).unwrap_or_default();
            let (discard, turn) = self.step(rest, &mut task, opened);
            used += discard;
            match turn {
                Ok(Turn::Again) => {}
                Ok(Turn::Ended) => self.ended = true,
                Ok(Turn::Rest) => return Ok(used),
                Err(error) => {
                    self.fetch_alert();
                    let trouble = fault_of(&error);
                    if trouble.fault == TlsFault::NoCertificateForName {
                        self.outbox.say_unrecognized_name();
                    }
                    return Err(trouble);
                }
            }
        }
    }

    /// After an error: what tells the other side.
    fn fetch_alert(&mut self) {
        self.broken = true;
        self.partial = Vec::new();
        // Only while there is something to send: the machine must not look at any input again.
        while self.common().wants_write() {
            let (_, turn) = self.step(&mut [], &mut Task::Nothing, &mut Vec::new());
            if !matches!(turn, Ok(Turn::Again)) {
                return;
            }
        }
    }

    fn step(
        &mut self,
        input: &mut [u8],
        task: &mut Task<'_>,
        opened: &mut Vec<u8>,
    ) -> (usize, Result<Turn, rustls::Error>) {
        let outbox = &mut self.outbox.bytes;
        match &mut self.machine {
            Machine::WithClient(m) => {
                turn(m.process_tls_records(input), task, opened, outbox, take_early)
            }
            Machine::WithServer(m) => {
                turn(m.process_tls_records(input), task, opened, outbox, |_, _| ())
            }
        }
    }

    /// The handshake is not over.
    pub fn is_handshaking(&self) -> bool {
        self.common().is_handshaking()
    }

    /// It goes on where an earlier one ended.
    pub fn is_resumed(&self) -> bool {
        self.common().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// The name that the client asked for, if it did.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The protocol that both agreed on, if they did.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.common().alpn_protocol()
    }

    /// Something was decrypted and not yet taken.
    pub fn has_opened(&self) -> bool {
        !self.opened.is_empty()
    }

    /// The other side said close_notify: nothing more comes from it.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The end of TCP without close_notify is an end nevertheless: TLS 1.2 has no half-close, the
    /// other side closes both ways when it reads Pen's close_notify, and many do so without a word.
    pub fn may_just_leave(&self) -> bool {
        let version = self.common().protocol_version();
        self.closed && version == Some(rustls::ProtocolVersion::TLSv1_2)
    }

    /// Ciphertext that waits for the socket.
    pub fn unsent(&self) -> &[u8] {
        self.outbox.bytes.get(self.outbox.from..).unwrap_or_default()
    }

    /// The socket took `n` bytes of [`Self::unsent`], at most all.
    pub fn sent(&mut self, n: usize) {
        self.outbox.from = self.outbox.from.saturating_add(n);
        if self.outbox.from >= self.outbox.bytes.len() {
            self.outbox = Outbox::default();
        }
    }

    /// Puts ciphertext behind what waits for the socket.
    pub fn keep_unsent(&mut self, bytes: &[u8]) {
        self.outbox.bytes.extend_from_slice(bytes);
    }

    /// The state of the machine, for facts about the session.
    pub(super) fn common(&self) -> &CommonState {
        match &self.machine {
            Machine::WithClient(m) => m,
            Machine::WithServer(m) => m,
        }
    }
}

/// Data of a client that did not wait for the end of the handshake, where that is switched on.
fn take_early(mut records: ReadEarlyData<'_, '_, ServerConnectionData>, opened: &mut Vec<u8>) {
    while let Some(Ok(record)) = records.next_record() {
        opened.extend_from_slice(record.payload);
    }
}

/// Handles one state of the machine. Answers how much of the input is done with.
fn turn<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    task: &mut Task<'_>,
    opened: &mut Vec<u8>,
    outbox: &mut Vec<u8>,
    early: fn(ReadEarlyData<'_, '_, Data>, &mut Vec<u8>),
) -> (usize, Result<Turn, rustls::Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let state = match state {
        Ok(state) => state,
        Err(error) => return (discard, Err(error)),
    };
    let turn = match state {
        ConnectionState::ReadTraffic(mut records) => {
            while let Some(record) = records.next_record() {
                match record {
                    Ok(record) => {
                        discard += record.discard;
                        opened.extend_from_slice(record.payload);
                    }
                    Err(error) => return (discard, Err(error)),
                }
            }
            Ok(Turn::Again)
        }
        ConnectionState::ReadEarlyData(records) => {
            early(records, opened);
            Ok(Turn::Again)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let encoded = encode(outbox, &mut data);
            encoded.map(|()| Turn::Again)
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Turn::Again)
        }
        ConnectionState::PeerClosed => Ok(Turn::Ended),
        ConnectionState::WriteTraffic(mut writer) => {
            let encrypted = |e| match e {
                EncryptError::InsufficientSize(e) => Some(e.required_size),
                EncryptError::EncryptExhausted => None,
            };
            match std::mem::replace(task, Task::Nothing) {
                Task::Nothing => Ok(()),
                Task::Seal(bytes, out) => out.append(sealed_size(bytes.len()), |room| {
                    writer.encrypt(bytes, room).map_err(encrypted)
                }),
                Task::Close(out) => out.append(sealed_size(0), |room| {
                    writer.queue_close_notify(room).map_err(encrypted)
                }),
            }
            .map(|()| Turn::Rest)
        }
        _ => Ok(Turn::Rest),
    };
    (discard, turn)
}

fn encode<Data>(
    out: &mut Vec<u8>,
    data: &mut EncodeTlsData<'_, Data>,
) -> Result<(), rustls::Error> {
    let start = out.len();
    // Asked without room it tells how much it needs.
    let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) else { return Ok(()) };
    out.resize(start + size.required_size, 0);
    let written = data.encode(out.get_mut(start..).unwrap_or_default());
    written.map(|_| ()).map_err(|e| rustls::Error::General(e.to_string()))
}

/// Bytes that `n` bytes of plaintext may become, with what may have to go before them.
const fn sealed_size(n: usize) -> usize {
    n + (n / RECORD + 2) * RECORD_OVERHEAD
}

/// Plaintext of a full record.
const RECORD: usize = 16 * 1024;
/// Header, explicit nonce, type and tag, generously.
const RECORD_OVERHEAD: usize = 64;

/// Room for ciphertext, used again and again.
#[derive(Debug, Default)]
pub struct Wire {
    room: Vec<u8>,
    len: usize,
}

impl Wire {
    /// What was written to it.
    pub fn bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Lets `write` have room of `size` or, if it says how much it needs, of that.
    fn append(
        &mut self,
        size: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
    ) -> Result<(), rustls::Error> {
        let mut size = size;
        for _ in 0..2 {
            let end = self.len + size;
            if self.room.len() < end {
                self.room.resize(end, 0);
            }
            match write(self.room.get_mut(self.len..).unwrap_or_default()) {
                Ok(n) => {
                    self.len += n;
                    return Ok(());
                }
                Err(Some(needed)) => size = needed,
                Err(None) => return Err(rustls::Error::EncryptError),
            }
        }
        Err(rustls::Error::EncryptError)
    }
}

#[cfg(test)]
mod tests;
