//! The load and the servers it goes to, in this process.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Sockets of the first kind of traffic.
const FEW: usize = 16;
/// Threads that open ever new sockets.
const OPENERS: usize = 8;
/// How long what is late is waited for.
const LATE: Duration = Duration::from_millis(300);
/// A look at whether to stop.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of a datagram without an answer: a line of a log.
const LINE: usize = 200;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Questions of the same few sockets.
    FewSockets,
    /// Each question from a new socket.
    NewSockets,
    /// Datagrams that get no answer.
    OneWay,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::FewSockets, Self::NewSockets, Self::OneWay];

    /// In tables.
    pub fn says(self) -> &'static str {
        match self {
            Self::FewSockets => "16 sockets ask 20,000 times per second",
            Self::NewSockets => "5,000 questions per second, each from a new socket",
            Self::OneWay => "20,000 log lines per second, no answers",
        }
    }

    /// Operations per second.
    pub fn rate(self) -> f64 {
        match self {
            Self::FewSockets | Self::OneWay => 20_000.0,
            Self::NewSockets => 5_000.0,
        }
    }

    /// Datagrams that a balancer passes on for each.
    pub fn datagrams_each(self) -> u64 {
        match self {
            Self::FewSockets | Self::NewSockets => 2,
            Self::OneWay => 1,
        }
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Operations begun.
    pub sent: u64,
    /// Operations that were answered, or that reached a server.
    pub arrived: u64,
}

/// Whether a balancer at `target` passes this kind of traffic on by now.
///
/// # Errors
/// No socket is left.
pub fn passes(kind: Kind, target: SocketAddr, farm: &Farm) -> io::Result<bool> {
    let socket = connected(target)?;
    socket.set_read_timeout(Some(LOOK))?;
    if kind != Kind::OneWay {
        return Ok(socket.send(&question(0)).is_ok() && socket.recv(&mut [0; 512]).is_ok());
    }
    let before = farm.counted.load(Ordering::SeqCst);
    // Nobody there yet is an error now, or with the next send.
    let _ = socket.send(&[b'x'; LINE]);
    std::thread::sleep(LOOK);
    Ok(farm.counted.load(Ordering::SeqCst) > before)
}

/// A question for the address of `bench.`, as DNS writes it.
fn question(id: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(b"\x05bench\x00\x00\x01\x00\x01");
    bytes
}

/// Servers that answer questions with themselves and count everything else.
pub struct Farm {
    servers: Vec<SocketAddr>,
    counted: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Farm {
    /// Starts so many.
    ///
    /// # Errors
    /// No port or thread is left.
    pub fn start(count: usize) -> io::Result<Self> {
        let (counted, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let mut farm = Self { servers: Vec::new(), counted, stop, threads: Vec::new() };
        for _ in 0..count {
            let socket = large(UdpSocket::bind("127.0.0.1:0")?)?;
            socket.set_read_timeout(Some(LOOK))?;
            farm.servers.push(socket.local_addr()?);
            let (counted, stop) = (Arc::clone(&farm.counted), Arc::clone(&farm.stop));
            farm.threads.push(std::thread::spawn(move || serve(&socket, &counted, &stop)));
        }
        Ok(farm)
    }

    /// Where they are.
    pub fn servers(&self) -> Vec<SocketAddr> {
        self.servers.clone()
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, counted: &AtomicU64, stop: &AtomicBool) {
    let mut buffer = [0; 2_048];
    while !stop.load(Ordering::SeqCst) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let Some(bytes) = buffer.get_mut(..length) else { continue };
        if length == LINE {
            counted.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        // "This is an answer"; the question comes back as it was.
        if let Some(flags) = bytes.get_mut(2) {
            *flags |= 0x80;
        }
        let _ = socket.send_to(bytes, from);
    }
}

/// Room for bursts, as far as the system permits: what is lost is to be the balancer's loss.
fn large(socket: UdpSocket) -> io::Result<UdpSocket> {
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 8 * 1024 * 1024);
    Ok(socket)
}

/// Sends traffic at this pace for so long, and waits for what is late.
///
/// # Errors
/// No socket is left.
pub fn run(
    kind: Kind,
    target: SocketAddr,
    farm: &Farm,
    time: Duration,
    rate: f64,
) -> io::Result<Outcome> {
    match kind {
        Kind::FewSockets => few(target, time, rate),
        Kind::NewSockets => new_ones(target, time, rate),
        Kind::OneWay => one_way(target, farm, time, rate),
    }
}

/// Calls `send` with ever higher numbers at the pace; answers how often.
fn paced(time: Duration, rate: f64, mut send: impl FnMut(u64)) -> u64 {
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < time {
        let due = (begin.elapsed().as_secs_f64() * rate) as u64;
        while sent < due {
            send(sent);
            sent += 1;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    sent
}

fn connected(target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = large(UdpSocket::bind("127.0.0.1:0")?)?;
    socket.connect(target)?;
    Ok(socket)
}

fn few(target: SocketAddr, time: Duration, rate: f64) -> io::Result<Outcome> {
    let sockets: Vec<UdpSocket> = (0..FEW).map(|_| connected(target)).collect::<io::Result<_>>()?;
    for socket in &sockets {
        socket.set_nonblocking(true)?;
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let counter = scope.spawn(|| count_answers(&sockets, &done));
        let sent = paced(time, rate, |n| {
            if let Some(socket) = sockets.get(n as usize % FEW) {
                let _ = socket.send(&question(n as u16));
            }
        });
        std::thread::sleep(LATE);
        done.store(true, Ordering::SeqCst);
        let arrived = counter.join().unwrap_or(0);
        Ok(Outcome { sent, arrived })
    })
}

fn count_answers(sockets: &[UdpSocket], done: &AtomicBool) -> u64 {
    let mut count = 0;
    let mut buffer = [0; 512];
    let wait = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    while !done.load(Ordering::SeqCst) {
        let mut fds: Vec<PollFd<'_>> =
            sockets.iter().map(|s| PollFd::from_borrowed_fd(s.as_fd(), PollFlags::IN)).collect();
        if poll(&mut fds, Some(&wait)).is_err() {
            continue;
        }
        let ready = fds.iter().zip(sockets).filter(|(fd, _)| !fd.revents().is_empty());
        for (_, socket) in ready {
            while socket.recv(&mut buffer).is_ok() {
                count += 1;
            }
        }
    }
    count
}

fn new_ones(target: SocketAddr, time: Duration, rate: f64) -> io::Result<Outcome> {
    let sent = AtomicU64::new(0);
    let arrived = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..OPENERS {
            scope.spawn(|| {
                paced(time, rate / OPENERS as f64, |n| {
                    let Ok(socket) = UdpSocket::bind("127.0.0.1:0") else { return };
                    let ready = socket.connect(target).is_ok()
                        && socket.set_read_timeout(Some(LATE)).is_ok()
                        && socket.send(&question(n as u16)).is_ok();
                    if ready {
                        sent.fetch_add(1, Ordering::Relaxed);
                        if socket.recv(&mut [0; 512]).is_ok() {
                            arrived.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            });
        }
    });
    Ok(Outcome { sent: sent.into_inner(), arrived: arrived.into_inner() })
}

fn one_way(target: SocketAddr, farm: &Farm, time: Duration, rate: f64) -> io::Result<Outcome> {
    let sockets: Vec<UdpSocket> = (0..FEW).map(|_| connected(target)).collect::<io::Result<_>>()?;
    let before = farm.counted.load(Ordering::SeqCst);
    let line = [b'x'; LINE];
    let sent = paced(time, rate, |n| {
        if let Some(socket) = sockets.get(n as usize % FEW) {
            let _ = socket.send(&line);
        }
    });
    std::thread::sleep(LATE);
    let arrived = farm.counted.load(Ordering::SeqCst) - before;
    Ok(Outcome { sent, arrived })
}
