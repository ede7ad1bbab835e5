//! TLS under a wire: the same scenarios with `PEN_TEST_TLS` set (`1.2` or anything else for 1.3) start
//! every pen with a certificate and dress every client of it.
//!
//! The handshake runs beside the test, as the kernel's does: a connect answers when the door is open,
//! not when pen has time. A stream that ends without close_notify ends like a reset.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::Socket;

use crate::waiting::deadline;
use crate::wire::{End, Inner};

/// Certificate and key of every pen of this process, and what its clients trust.
struct Identity {
    pem: String,
    config: Arc<ClientConfig>,
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let pem = made.signing_key.serialize_pem() + &made.cert.pem();
    Identity { pem, config: Arc::new(config(made.cert.der().clone())) }
});

fn config(trusted: CertificateDer<'static>) -> ClientConfig {
    let version =
        if std::env::var("PEN_TEST_TLS").is_ok_and(|v| v == "1.2") { &TLS12 } else { &TLS13 };
    let mut roots = RootCertStore::empty();
    roots.add(trusted).expect("our own certificate");
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version that is there")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Whether the scenarios run over TLS.
#[must_use]
pub fn over_tls() -> bool {
    static OVER: LazyLock<bool> = LazyLock::new(|| std::env::var_os("PEN_TEST_TLS").is_some());
    *OVER
}

/// For scenarios that make no sense over TLS: says why they are left out there. Answers whether.
#[must_use]
pub fn plain_only(why: &str) -> bool {
    if over_tls() {
        eprintln!("left out over TLS: {why}");
    }
    over_tls()
}

/// The text of a file with certificate and key.
#[must_use]
pub fn identity() -> &'static str {
    &IDENTITY.pem
}

/// The TLS of one client.
#[derive(Debug)]
pub(crate) struct Tls {
    machine: Mutex<ClientConnection>,
    /// Decrypted and not yet read.
    plain: Mutex<VecDeque<u8>>,
    /// Ciphertext that the socket did not take.
    unsent: Mutex<Vec<u8>>,
    shaken: Mutex<Option<Result<(), End>>>,
    changed: Condvar,
}

impl Tls {
    pub(crate) fn new() -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        let machine = ClientConnection::new(Arc::clone(&IDENTITY.config), name);
        Self {
            machine: Mutex::new(machine.expect("a client")),
            plain: Mutex::default(),
            unsent: Mutex::default(),
            shaken: Mutex::new(None),
            changed: Condvar::new(),
        }
    }

    /// Shakes hands until it is done or nobody holds the wire any more.
    pub(crate) fn shake(wire: &Arc<Inner>) {
        let wire = Arc::downgrade(wire);
        std::thread::spawn(move || {
            while let Some(pause) = shake_on(&wire) {
                std::thread::sleep(pause);
            }
        });
    }

    fn wait(&self) -> Result<(), End> {
        let end = Instant::now() + deadline();
        let mut shaken = lock(&self.shaken);
        loop {
            if let Some(outcome) = *shaken {
                return outcome;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(End::Silence);
            }
            shaken =
                self.changed.wait_timeout(shaken, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn come_to(&self, outcome: Result<(), End>) {
        *lock(&self.shaken) = Some(outcome);
        self.changed.notify_all();
    }

    pub(crate) fn send(&self, socket: &Socket, bytes: &[u8]) -> io::Result<()> {
        self.wait().map_err(|_| ErrorKind::BrokenPipe)?;
        let mut unsent = lock(&self.unsent);
        for piece in bytes.chunks(PIECE) {
            let sealed = self.seal(Some(piece))?;
            unsent.extend(sealed);
            let all = std::mem::take(&mut *unsent);
            { socket }.write_all(&all)?;
        }
        Ok(())
    }

    /// The socket does not block.
    pub(crate) fn send_some(&self, socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
        self.wait().map_err(|_| ErrorKind::BrokenPipe)?;
        let mut unsent = lock(&self.unsent);
        while !unsent.is_empty() {
            let n = { socket }.write(&unsent)?;
            unsent.drain(..n);
        }
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        let sealed = self.seal(Some(piece))?;
        let n = { socket }.write(&sealed).or_else(|e| match e.kind() {
            ErrorKind::WouldBlock => Ok(0),
            _ => Err(e),
        })?;
        unsent.extend_from_slice(sealed.get(n..).unwrap_or_default());
        Ok(piece.len())
    }

    /// Says close_notify; a reader of the other side tells whether it arrived.
    pub(crate) fn finish(wire: &Arc<Inner>) {
        let Some(tls) = &wire.tls else { return };
        let sealed = tls.wait().ok().and_then(|()| tls.seal(None).ok());
        lock(&tls.unsent).extend(sealed.unwrap_or_default());
        // The other side may read only after this: the kernel does not keep a caller waiting either.
        let wire = Arc::clone(wire);
        std::thread::spawn(move || {
            let Some(tls) = &wire.tls else { return };
            let all = std::mem::take(&mut *lock(&tls.unsent));
            drop({ &wire.socket }.write_all(&all));
            drop(wire.socket.shutdown(Shutdown::Write));
        });
    }

    /// The wire is dropped: close_notify, if there is room for it.
    pub(crate) fn leave(&self, socket: &Socket) {
        if !matches!(*lock(&self.shaken), Some(Ok(()))) || socket.set_nonblocking(true).is_err() {
            return;
        }
        // Left unread, these would turn the end into a reset.
        while receive(socket).is_ok_and(|waste| !waste.is_empty()) {}
        if let Ok(sealed) = self.seal(None) {
            let mut unsent = lock(&self.unsent);
            unsent.extend(sealed);
            drop({ socket }.write(&unsent));
        }
    }

    /// Ciphertext of `bytes`, or of the end.
    fn seal(&self, bytes: Option<&[u8]>) -> io::Result<Vec<u8>> {
        let mut machine = lock(&self.machine);
        match bytes {
            Some(bytes) => machine.writer().write_all(bytes)?,
            None => machine.send_close_notify(),
        }
        let mut sealed = Vec::new();
        while machine.wants_write() {
            machine.write_tls(&mut sealed)?;
        }
        Ok(sealed)
    }

    pub(crate) fn read_some(&self, socket: &Socket, into: &mut [u8]) -> Result<usize, End> {
        self.wait()?;
        let mut received = vec![0; PIECE];
        loop {
            if let Some(outcome) = self.opened(into) {
                return outcome;
            }
            match { socket }.read(&mut received) {
                // Whoever speaks TLS says when it is the end.
                Ok(0) => return Err(End::Reset),
                Ok(n) => self.open(received.get(..n).unwrap_or_default())?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(End::Silence);
                }
                Err(_) => return Err(End::Reset),
            }
        }
    }

    /// Whether nothing more will come; waits for nothing.
    pub(crate) fn has_ended(&self, socket: &Socket) -> bool {
        match *lock(&self.shaken) {
            None => return false,
            Some(Err(_)) => return true,
            Some(Ok(())) => {}
        }
        loop {
            match self.opened(&mut []) {
                Some(Ok(_)) => return false,
                Some(Err(_)) => return true,
                None => {}
            }
            match receive(socket) {
                Ok(received) if received.is_empty() || self.open(&received).is_err() => {
                    return true;
                }
                Ok(_) => {}
                Err(errno) => return errno != Errno::AGAIN,
            }
        }
    }

    /// What is there without receiving: bytes, the end, or nothing.
    fn opened(&self, into: &mut [u8]) -> Option<Result<usize, End>> {
        let mut plain = lock(&self.plain);
        if !plain.is_empty() {
            return Some({ &mut *plain }.read(into).map_err(|_| End::Reset));
        }
        match lock(&self.machine).process_new_packets() {
            Err(_) => Some(Err(End::Reset)),
            Ok(state) if state.peer_has_closed() => Some(Err(End::Eof)),
            Ok(_) => None,
        }
    }

    fn open(&self, mut bytes: &[u8]) -> Result<(), End> {
        let (mut plain, mut machine) = (lock(&self.plain), lock(&self.machine));
        let mut piece = vec![0; PIECE];
        while !bytes.is_empty() {
            if machine.read_tls(&mut bytes).is_err() || machine.process_new_packets().is_err() {
                return Err(End::Reset);
            }
            while let Ok(n @ 1..) = machine.reader().read(&mut piece) {
                plain.extend(piece.get(..n).unwrap_or_default());
            }
        }
        Ok(())
    }
}

/// Bytes that are sealed or received at once.
const PIECE: usize = 16 * 1024;

/// One step of a handshake; how long to wait before the next one, if there is one.
fn shake_on(wire: &Weak<Inner>) -> Option<Duration> {
    let wire = wire.upgrade()?;
    let tls = wire.tls.as_ref()?;
    let sealed = {
        let mut machine = lock(&tls.machine);
        let mut sealed = Vec::new();
        while machine.wants_write() {
            machine.write_tls(&mut sealed).expect("a vector takes everything");
        }
        sealed
    };
    if { &wire.socket }.write_all(&sealed).is_err() {
        tls.come_to(Err(End::Reset));
        return None;
    }
    if !lock(&tls.machine).is_handshaking() {
        tls.come_to(Ok(()));
        return None;
    }
    let outcome = match receive(&wire.socket) {
        Ok(received) if received.is_empty() => Err(End::Eof),
        Ok(received) => tls.open(&received),
        Err(Errno::AGAIN) => return Some(Duration::from_micros(300)),
        Err(_) => Err(End::Reset),
    };
    match outcome {
        Ok(()) => Some(Duration::ZERO),
        Err(end) => {
            tls.come_to(Err(end));
            None
        }
    }
}

/// What is there, without waiting.
fn receive(socket: &Socket) -> Result<Vec<u8>, Errno> {
    let mut received = vec![0; PIECE];
    let (n, _) = recv(socket, &mut received[..], RecvFlags::DONTWAIT)?;
    received.truncate(n);
    Ok(received)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
