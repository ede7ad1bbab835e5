//! A storm: clients and a server that send at the same moment through a pen that stood still meanwhile,
//! and read nothing. What a balancer then holds is as much as it lets itself hold.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::server::{Served, TestServer};
use crate::waiting::{holds, scaled, until};
use crate::{Client, Place, Sig};

/// Bytes that each end of a connection sends.
static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
/// Receive buffers of both ends: the kernel would hold the bytes otherwise, and the pen nothing.
const NARROW: usize = 4_096;
/// How long an answer may take in a storm, unscaled.
const PATIENCE: Duration = Duration::from_secs(30);

/// When the servers' ends begin.
#[derive(Debug, Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    /// The server's ends that have sent; they read nothing.
    silent: Mutex<Vec<Served>>,
    /// Nobody stays silent any more.
    over: AtomicBool,
}

impl Gate {
    fn open(&self) {
        *lock(&self.is_open) = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let wait = self.opened.wait_while(lock(&self.is_open), |is_open| !*is_open);
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }
}

/// The clients of a storm and their server, which answers `pong` to everybody else.
#[derive(Debug)]
pub struct Storm {
    gate: Arc<Gate>,
    server: TestServer,
    clients: Vec<Client>,
}

impl Default for Storm {
    fn default() -> Self {
        Self::new()
    }
}

impl Storm {
    /// A server, and no clients yet.
    #[must_use]
    pub fn new() -> Self {
        Self::at(&Place::local(0))
    }

    /// The same with the server at `place`. At a path the kernel counts what the server has not read as
    /// the pen's.
    #[must_use]
    pub fn at(place: &Place) -> Self {
        let gate = Arc::new(Gate::default());
        let at = Arc::clone(&gate);
        let act = Arc::new(move |served| serve(served, &at));
        let server = TestServer::start_at("s0", place, act);
        server.narrow(NARROW);
        Self { gate, server, clients: Vec::new() }
    }

    /// The server as a pen's command line names it.
    #[must_use]
    pub fn word(&self) -> String {
        self.server.word()
    }

    /// Connects `count` clients that will read nothing, and waits until no more of them reach the
    /// server. Answers how many have.
    pub fn gather(&mut self, place: &Place, count: usize) -> usize {
        for _ in 0..count {
            let client = Client::dial(place).receive_buffer(NARROW).connect();
            // It may be refused, or closed already.
            self.clients.extend(client.ok().filter(|c| c.send(b"GET\n").is_ok()));
        }
        let waiting = || self.gate.waiting.load(Ordering::SeqCst);
        until("no more clients to come", || {
            let before = waiting();
            holds(scaled(Duration::from_millis(500)), || waiting() == before).then_some(before)
        })
    }

    /// Everybody sends while the processes `pids` stand still; then they go on.
    pub fn break_loose(&self, pids: &[u32]) {
        pids.iter().for_each(|pid| Sig::Stop.send(*pid));
        let waiting = self.gate.waiting.load(Ordering::SeqCst);
        self.gate.open();
        for client in &self.clients {
            // What does not fit is not sent.
            let _ = client.send_some(&PIECE);
        }
        let sent = || lock(&self.gate.silent).len() >= waiting;
        until("the server to send", || sent().then_some(()));
        pids.iter().for_each(|pid| Sig::Cont.send(*pid));
    }

    /// How many clients were reset. What they had been sent before may still be there to read.
    #[must_use]
    pub fn cut(&self) -> usize {
        let is_cut = |client: &&Client| {
            client.send_some(b".").is_err_and(|e| e.kind() != ErrorKind::WouldBlock)
        };
        self.clients.iter().filter(is_cut).count()
    }

    /// All clients leave, and the server's ends with them.
    pub fn pass_over(&mut self) {
        self.clients.clear();
        let mut silent = lock(&self.gate.silent);
        self.gate.over.store(true, Ordering::SeqCst);
        silent.clear();
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.gate.open();
    }
}

fn serve(served: Served, gate: &Gate) {
    while let Ok(asked) = served.read_exact(4) {
        if asked == b"GET\n" {
            gate.pass();
            let _ = served.send_some(&PIECE);
            let mut silent = lock(&gate.silent);
            if !gate.over.load(Ordering::SeqCst) {
                silent.push(served);
            }
            return;
        }
        if served.send(b"pong").is_err() {
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it is answered, however busy the pen is.
#[must_use]
pub fn is_answered(client: &Client) -> bool {
    client.set_patience(scaled(PATIENCE));
    client.send(b"ping").is_ok() && client.read_exact(4).is_ok_and(|bytes| bytes == b"pong")
}

/// A client that asks again and again over one connection and reads each answer.
#[derive(Debug)]
pub struct Asker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(u32, bool)>,
}

impl Asker {
    /// Connects and begins.
    ///
    /// # Panics
    /// When nobody listens at `place`.
    #[must_use]
    pub fn start(place: &Place) -> Self {
        let client = Client::connect(place).expect("a connection");
        Self::asking(move || is_answered(&client))
    }

    /// The same with a question of its own; `answered` asks it and says whether the answer came.
    #[must_use]
    pub fn asking(mut answered: impl FnMut() -> bool + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut answers = 0;
            while !stopped.load(Ordering::SeqCst) {
                if !answered() {
                    return (answers, false);
                }
                answers += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            (answers, true)
        });
        Self { stop, thread }
    }

    /// Ends it: how many answers it had, and whether to every question.
    #[must_use]
    pub fn end(self) -> (u32, bool) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_default()
    }
}
