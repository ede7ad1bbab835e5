//! Servers inside the test process: each connection is played by an act on a thread of its own, or
//! handed to the test.

use std::fmt;
use std::net::{Shutdown, SocketAddr};
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Socket, Type};

use crate::acts::Act;
use crate::place::{Place, free_port};
use crate::waiting::{deadline, scaled};
use crate::wire::{Inner, Wire};

/// A connection as the server sees it.
#[derive(Debug)]
pub struct Served {
    wire: Wire,
    /// The client's address as text, `unix` for Unix sockets.
    pub from: String,
    book: Arc<Book>,
}

impl Served {
    /// The name of the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.book.name
    }

    /// Leaves a note that [`TestServer::notes`] shows.
    pub fn note(&self, text: impl Into<String>) {
        lock(&self.book.notes).push(text.into());
    }

    /// Whether the server is dying: an act that never waits for the client must stop.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.book.leaving.load(Ordering::SeqCst)
    }

    /// Ends it with a reset.
    pub fn abort(self) {
        self.wire.clone().abort();
    }
}

impl Deref for Served {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.book.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a server remembers.
#[derive(Debug, Default)]
struct Book {
    name: String,
    accepted: AtomicUsize,
    open: AtomicUsize,
    peak: AtomicUsize,
    notes: Mutex<Vec<String>>,
    wires: Mutex<Vec<Weak<Inner>>>,
    leaving: AtomicBool,
}

/// A server. Dropping it closes its listening socket and aborts its connections.
pub struct TestServer {
    place: Place,
    book: Arc<Book>,
    listener: Option<Arc<Socket>>,
    thread: Option<JoinHandle<()>>,
    handed: Option<Mutex<Receiver<Served>>>,
    /// Connections that keep a black hole's queue full.
    stuffing: Vec<Socket>,
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestServer({} at {})", self.book.name, self.place.word())
    }
}

impl TestServer {
    /// A server on a port of its own on 127.0.0.1 that plays `act` with every client.
    #[must_use]
    pub fn start(name: &str, act: Act) -> Self {
        Self::start_at(name, &Place::local(0), act)
    }

    /// The same at a given place, e.g. where a dead one was.
    ///
    /// # Panics
    /// When the place is taken.
    #[must_use]
    pub fn start_at(name: &str, place: &Place, act: Act) -> Self {
        Self::open(name, place, Some(act), None)
    }

    /// The same on a Unix socket.
    #[must_use]
    pub fn start_unix(name: &str, path: &Path, act: Act) -> Self {
        Self::start_at(name, &Place::Unix(path.to_owned()), act)
    }

    /// Connections to come have receive buffers of `bytes` (the kernel doubles it): who reads nothing
    /// takes little.
    ///
    /// # Panics
    /// When the socket option is refused, which does not happen.
    pub fn narrow(&self, bytes: usize) {
        if let Some(listener) = &self.listener {
            listener.set_recv_buffer_size(bytes).expect("SO_RCVBUF");
        }
    }

    /// A server that hands its connections to the test, see [`TestServer::next`].
    #[must_use]
    pub fn handing(name: &str) -> Self {
        let (sender, receiver) = channel();
        let mut server = Self::open(name, &Place::local(0), None, Some(sender));
        server.handed = Some(Mutex::new(receiver));
        server
    }

    /// A port that is bound but not listened on: connects are refused, and nobody else can take it.
    ///
    /// # Panics
    /// When the kernel has no port.
    #[must_use]
    pub fn refusing(name: &str) -> Self {
        let (socket, place) = bound(&Place::local(0));
        Self::silent(name, place, socket, Vec::new())
    }

    /// A listening socket with a full queue: connects stay pending until they time out.
    ///
    /// # Panics
    /// When the queue cannot be filled.
    #[must_use]
    pub fn black_hole(name: &str) -> Self {
        let (socket, place) = bound(&Place::local(0));
        socket.listen(0).expect("listen on a bound socket");
        let mut stuffing = Vec::new();
        loop {
            assert!(stuffing.len() < 16, "the queue of {} does not fill", place.word());
            let one = Socket::new(place.domain(), Type::STREAM, None).expect("a socket");
            let taken = one.connect_timeout(&place.sock_addr(), scaled(Duration::from_millis(60)));
            stuffing.push(one);
            if taken.is_err() {
                break;
            }
        }
        Self::silent(name, place, socket, stuffing)
    }

    fn silent(name: &str, place: Place, socket: Socket, stuffing: Vec<Socket>) -> Self {
        let book = Arc::new(Book { name: name.to_owned(), ..Book::default() });
        let listener = Some(Arc::new(socket));
        Self { place, book, listener, thread: None, handed: None, stuffing }
    }

    fn open(name: &str, place: &Place, act: Option<Act>, hand: Option<Sender<Served>>) -> Self {
        let (socket, place) = bound(place);
        socket.listen(4096).expect("listen on a bound socket");
        let listener = Arc::new(socket);
        let book = Arc::new(Book { name: name.to_owned(), ..Book::default() });
        let thread = {
            let (listener, book) = (Arc::clone(&listener), Arc::clone(&book));
            std::thread::spawn(move || accept_all(&listener, &book, act.as_ref(), hand.as_ref()))
        };
        Self {
            place,
            book,
            listener: Some(listener),
            thread: Some(thread),
            handed: None,
            stuffing: Vec::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.book.name
    }

    /// Where it listens.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The way pen's command line writes it.
    #[must_use]
    pub fn word(&self) -> String {
        self.place.word()
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.book.accepted.load(Ordering::SeqCst)
    }

    /// Connections open at this moment.
    #[must_use]
    pub fn open_now(&self) -> usize {
        self.book.open.load(Ordering::SeqCst)
    }

    /// Most connections that were ever open at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.book.peak.load(Ordering::SeqCst)
    }

    /// What the acts have noted.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        lock(&self.book.notes).clone()
    }

    /// The next connection of a server made by [`TestServer::handing`].
    ///
    /// # Panics
    /// When none comes before the deadline, or for other servers.
    #[must_use]
    pub fn next(&self) -> Served {
        let served = self.next_within(deadline());
        served.unwrap_or_else(|| panic!("no connection reached {}", self.book.name))
    }

    /// The same, if one comes in time.
    ///
    /// # Panics
    /// For other servers.
    #[must_use]
    pub fn next_within(&self, patience: Duration) -> Option<Served> {
        let handed = self.handed.as_ref().expect("a server made by handing()");
        lock(handed).recv_timeout(patience).ok()
    }

    /// Dies: when this returns, new connects are refused and open connections are reset.
    pub fn die(&mut self) {
        self.book.leaving.store(true, Ordering::SeqCst);
        if let Some(listener) = self.listener.take() {
            // Wakes accept(2); the thread then drops the last reference.
            drop(listener.shutdown(Shutdown::Both));
        }
        self.stuffing.clear();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        for wire in lock(&self.book.wires).drain(..).filter_map(|w| w.upgrade()) {
            Wire(wire).abort();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.die();
    }
}

/// A socket bound to `place`. Port 0 is [`free_port`]: a server that died comes back to where it was, and no
/// outgoing connection may have got that port meanwhile.
fn bound(place: &Place) -> (Socket, Place) {
    let place = match place {
        Place::Tcp(address) if address.port() == 0 => {
            Place::Tcp(SocketAddr::new(address.ip(), free_port()))
        }
        known => known.clone(),
    };
    let socket = Socket::new(place.domain(), Type::STREAM, None).expect("a socket");
    if let Place::Tcp(_) = place {
        socket.set_reuse_address(true).expect("SO_REUSEADDR");
    }
    if let Err(e) = socket.bind(&place.sock_addr()) {
        panic!("cannot bind {}: {e}", place.word());
    }
    (socket, place)
}

fn accept_all(
    listener: &Socket,
    book: &Arc<Book>,
    act: Option<&Act>,
    hand: Option<&Sender<Served>>,
) {
    while let Ok((socket, from)) = listener.accept() {
        if book.leaving.load(Ordering::SeqCst) {
            return;
        }
        let Ok(wire) = Wire::new(socket, None) else { continue };
        register(book, &wire);
        let from = from.as_socket().map_or("unix".to_owned(), |a| a.ip().to_string());
        let served = Served { wire, from, book: Arc::clone(book) };
        if let Some(hand) = hand {
            drop(hand.send(served));
        } else if let Some(act) = act.cloned() {
            std::thread::spawn(move || act(served));
        }
    }
}

fn register(book: &Book, wire: &Wire) {
    book.accepted.fetch_add(1, Ordering::SeqCst);
    let open = book.open.fetch_add(1, Ordering::SeqCst) + 1;
    book.peak.fetch_max(open, Ordering::SeqCst);
    let mut wires = lock(&book.wires);
    if wires.len() >= 64 && wires.len() >= 2 * open {
        wires.retain(|w| w.strong_count() > 0);
    }
    wires.push(Arc::downgrade(&wire.0));
}

/// A scenario that failed elsewhere must not hide its reason behind a poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
