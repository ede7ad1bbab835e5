//! UDP clients and servers.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::place::Place;
use crate::waiting::deadline;

/// Between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of the largest datagram there is, and some.
const LARGEST: usize = 65_536;

type Seen = Arc<Mutex<Vec<(SocketAddr, Vec<u8>)>>>;

/// A server that answers datagrams and remembers them. Dropped, its port is nobody's.
#[derive(Debug)]
pub struct UdpServer {
    socket: Arc<UdpSocket>,
    seen: Seen,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl UdpServer {
    /// Answers each datagram with itself.
    #[must_use]
    pub fn echo(ip: &str) -> Self {
        Self::start(ip, |bytes| Some(bytes.to_vec()))
    }

    /// Answers each datagram with `name`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let name = name.as_bytes().to_vec();
        Self::start("127.0.0.1", move |_| Some(name.clone()))
    }

    /// Answers nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::start("127.0.0.1", |_| None)
    }

    /// Answers what `act` makes of each datagram.
    ///
    /// # Panics
    /// `ip` is no address of this machine.
    pub fn start(ip: &str, act: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> Self {
        let ip: IpAddr = ip.parse().expect("the test gives an address");
        let socket = Arc::new(UdpSocket::bind((ip, 0)).expect("a port is free"));
        socket.set_read_timeout(Some(LOOK)).expect("a socket takes a timeout");
        let (seen, stop) = (Seen::default(), Arc::new(AtomicBool::new(false)));
        let mine = (Arc::clone(&socket), Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let (socket, seen, stop) = mine;
            let mut buffer = vec![0; LARGEST];
            while !stop.load(Ordering::SeqCst) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let bytes = &buffer[..length];
                seen.lock().unwrap_or_else(PoisonError::into_inner).push((from, bytes.to_vec()));
                if let Some(answer) = act(bytes) {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { socket, seen, stop, thread: Some(thread) }
    }

    /// Where it is.
    ///
    /// # Panics
    /// Never: the socket is bound.
    #[must_use]
    pub fn place(&self) -> Place {
        Place::Tcp(self.socket.local_addr().expect("the socket is bound"))
    }

    /// The way pen's command line writes it.
    #[must_use]
    pub fn word(&self) -> String {
        self.place().word()
    }

    /// What came, and from where.
    #[must_use]
    pub fn seen(&self) -> Vec<(SocketAddr, Vec<u8>)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a datagram of its own accord.
    ///
    /// # Panics
    /// The kernel refuses.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.socket.send_to(bytes, to).expect("a datagram can be sent");
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            let _ = thread.join();
        }
    }
}

/// A client's socket, connected: it takes answers from where it sends to and from nowhere else.
#[derive(Debug)]
pub struct UdpClient(UdpSocket);

impl UdpClient {
    /// A client of `place`, at `ip` (any port).
    ///
    /// # Panics
    /// `ip` is no address of this machine, or `place` is a path.
    #[must_use]
    pub fn at(ip: &str, place: &Place) -> Self {
        let Place::Tcp(to) = place else { panic!("{place:?} is no internet address") };
        let ip: IpAddr = ip.parse().expect("the test gives an address");
        let socket = UdpSocket::bind((ip, 0)).expect("a port is free");
        socket.connect(to).expect("a datagram socket connects anywhere");
        Self(socket)
    }

    /// A client of `place` at 127.0.0.1.
    #[must_use]
    pub fn of(place: &Place) -> Self {
        Self::at("127.0.0.1", place)
    }

    /// Sends a datagram.
    pub fn send(&self, bytes: &[u8]) {
        // The error of an earlier one may be told now; then it is sent with the next try.
        if self.0.send(bytes).is_err() {
            let _ = self.0.send(bytes);
        }
    }

    /// The next datagram, or `None` if none comes within `time`.
    #[must_use]
    pub fn receive_within(&self, time: Duration) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(time)).ok()?;
        let mut buffer = vec![0; LARGEST];
        let length = self.0.recv(&mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }

    /// The next datagram.
    ///
    /// # Panics
    /// None comes before the deadline.
    #[must_use]
    pub fn receive(&self) -> Vec<u8> {
        self.receive_within(deadline()).expect("an answer comes before the deadline")
    }

    /// Sends a datagram and answers what comes back.
    #[must_use]
    pub fn ask(&self, bytes: &[u8]) -> Vec<u8> {
        self.send(bytes);
        self.receive()
    }
}
