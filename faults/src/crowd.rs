//! Clients that begin something, never end it, and say a byte now and then so as not to be idle.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pen_test::Place;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{SendFlags, send};
use socket2::{Domain, SockAddr, Socket, Type};

/// Between two bytes of one of them.
const PACE: Duration = Duration::from_millis(500);
/// Between two looks at all of them.
const LOOK: Duration = Duration::from_millis(50);

/// Without waiting, and without a signal where nobody is.
const SILENT: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// What became of them.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    /// How long each of those lived that were closed.
    pub lived: Vec<Duration>,
    /// Those that are still there.
    pub held: usize,
    /// Most that were there at once.
    pub peak: usize,
    /// Those that found no way in.
    pub outside: usize,
}

impl Fate {
    /// How long the last one lived that was closed.
    pub fn last(&self) -> Duration {
        self.lived.iter().max().copied().unwrap_or_default()
    }
}

/// What they say: something at once, then the bytes of something else, again and again.
#[derive(Clone, Debug)]
pub struct Talk {
    /// At once.
    pub first: Vec<u8>,
    /// A byte of it at a time; without any they are silent.
    pub then: Vec<u8>,
}

struct Member {
    socket: Socket,
    since: Instant,
}

/// A crowd of them, on a thread. They leave when it is dropped.
pub struct Crowd {
    stop: Arc<AtomicBool>,
    fate: Arc<Mutex<(Fate, bool)>>,
    thread: Option<JoinHandle<()>>,
}

impl Crowd {
    /// `count` of them, from these addresses in turn.
    pub fn of(place: &Place, sources: &[IpAddr], count: usize, talk: Talk) -> Self {
        let (stop, fate) = (Arc::<AtomicBool>::default(), Arc::<Mutex<(Fate, bool)>>::default());
        let (mine, told) = (Arc::clone(&stop), Arc::clone(&fate));
        let (to, sources) = (place.clone(), sources.to_vec());
        let thread = std::thread::spawn(move || live(&to, &sources, count, &talk, &mine, &told));
        Self { stop, fate, thread: Some(thread) }
    }

    fn look(&self) -> (Fate, bool) {
        self.fate.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until all of them have come, and then until none is left, or for `time`.
    pub fn watch(&self, time: Duration) -> Fate {
        let mut end = Instant::now() + time;
        loop {
            let (fate, all_came) = self.look();
            if !all_came {
                end = Instant::now() + time;
            }
            if all_came && fate.held == 0 || Instant::now() > end {
                return fate;
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Addresses of the loopback, 127.0.`net`.1 and following.
pub fn local(net: u8, count: u8) -> Vec<IpAddr> {
    (1..=count).map(|n| IpAddr::from([127, 0, net, n])).collect()
}

fn live(
    place: &Place,
    sources: &[IpAddr],
    count: usize,
    talk: &Talk,
    stop: &AtomicBool,
    told: &Mutex<(Fate, bool)>,
) {
    let mut fate = Fate::default();
    let mut members = Vec::new();
    let mut sources = sources.iter().cycle();
    let mut said = 0;
    let mut next = Instant::now() + PACE;
    while !stop.load(Ordering::SeqCst) {
        let come = fate.lived.len() + fate.outside + members.len();
        for source in sources.by_ref().take((count - come).min(100)) {
            match begin(place, *source, &talk.first) {
                Some(member) => members.push(member),
                None => fate.outside += 1,
            }
        }
        members.retain(|member: &Member| {
            let there = is_there(&member.socket);
            if !there {
                fate.lived.push(member.since.elapsed());
            }
            there
        });
        fate.held = members.len();
        fate.peak = fate.peak.max(fate.held);
        let all = fate.lived.len() + fate.outside + members.len() == count;
        *told.lock().unwrap_or_else(PoisonError::into_inner) = (fate.clone(), all);
        if Instant::now() > next && !talk.then.is_empty() {
            next += PACE;
            let byte = talk.then.get(said % talk.then.len()).copied().unwrap_or_default();
            said += 1;
            // One that has been closed is noticed at the next look.
            for member in &members {
                let _ = send(&member.socket, &[byte], SILENT);
            }
        }
        if all {
            std::thread::sleep(LOOK);
        }
    }
}

fn begin(place: &Place, source: IpAddr, first: &[u8]) -> Option<Member> {
    let socket = match place {
        Place::Tcp(to) => {
            let from = SocketAddr::new(source, 0);
            pen_test::dial_from(from, *to, Duration::from_millis(300)).ok()?.into()
        }
        Place::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).ok()?;
            // With a full queue it would wait.
            socket.set_nonblocking(true).ok()?;
            socket.connect(&SockAddr::unix(path).ok()?).ok()?;
            socket
        }
    };
    // One that is closed at once is noticed at the next look.
    let _ = send(&socket, first, SILENT);
    Some(Member { socket, since: Instant::now() })
}

/// Whether the other side has not ended it; what it has sent is left unread.
fn is_there(socket: &Socket) -> bool {
    let mut watched = [PollFd::new(socket, PollFlags::RDHUP)];
    !matches!(poll(&mut watched, Some(&Timespec::default())), Ok(1..))
}

#[cfg(test)]
mod tests {
    use pen_test::{TestServer, acts};

    use super::*;

    #[test]
    fn those_that_are_closed_are_told_from_those_that_stay() {
        let talk = Talk { first: b"x\n".to_vec(), then: b"y".to_vec() };
        let sources = [IpAddr::from([127, 0, 0, 1])];
        let cut = TestServer::start("cut", acts::reset_after(1));
        let fate = Crowd::of(cut.place(), &sources, 10, talk.clone()).watch(pen_test::deadline());
        assert_eq!((fate.lived.len(), fate.held), (10, 0));
        let kept = TestServer::start("kept", acts::echo());
        let fate = Crowd::of(kept.place(), &sources, 10, talk).watch(Duration::from_millis(100));
        assert_eq!((fate.lived.len(), fate.held, fate.peak), (0, 10, 10));
    }
}
