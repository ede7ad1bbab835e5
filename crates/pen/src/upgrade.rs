//! What a process that takes over and the one before it say to each other.
//!
//! The one before sends its estate: listeners, then the pid file, then that this is all. The new one starts
//! with it as any start goes and says that it is ready, or why it cannot be. When it is ready the one before
//! accepts nobody any more and says that the new one is in charge. Whatever ends or is silent before that
//! changes nothing: the listeners are the same sockets in both processes, so no client waits at one that
//! nobody looks at. Deliberately not here: the words (`pen_core::succession`), how the new process is started
//! (`pen_sys::launcher`), and when (`control::upgrade`).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pen_core::limits;
pub use pen_core::succession::Answer;
use pen_core::succession::{ALL, GREETING, Heard, LISTENERS, Listener, PID_FILE, YOURS};
use pen_sys::activation::{self, Handed};
use pen_sys::{launcher, parcels};

use crate::listeners::handed::{Giver, Pool};
use crate::listeners::stock::Kept;

/// What a start is given by others.
#[derive(Debug, Default)]
pub struct Estate {
    listeners: Vec<Handed>,
    giver: Giver,
    /// Descriptors that are no listeners; they are closed.
    pub others: usize,
    /// The pid file, written and locked.
    pub pid_file: Option<OwnedFd>,
}

impl Estate {
    /// What a service manager handed over.
    #[must_use]
    pub fn of_manager(count: u32) -> Self {
        let (listeners, others) = activation::take(count);
        Self { listeners, others, ..Self::default() }
    }

    /// The listeners.
    pub fn pool(&mut self) -> Pool {
        Pool::new(std::mem::take(&mut self.listeners), self.giver)
    }
}

/// Sends the estate of this process; never waits.
///
/// # Errors
/// It does not fit into the way.
pub fn bequeath(way: &OwnedFd, kept: &[Kept], pid_file: Option<&OwnedFd>) -> io::Result<()> {
    parcels::send(way, GREETING.as_bytes(), &[])?;
    for some in kept.chunks(parcels::DESCRIPTORS) {
        let sockets: Vec<BorrowedFd<'_>> = some.iter().map(|k| k.socket.as_fd()).collect();
        parcels::send(way, LISTENERS.as_bytes(), &sockets)?;
    }
    if let Some(file) = pid_file {
        parcels::send(way, PID_FILE.as_bytes(), &[file.as_fd()])?;
    }
    parcels::send(way, ALL.as_bytes(), &[])
}

/// Tells the new process that it is in charge.
pub fn yield_to(way: &OwnedFd) {
    // One that has ended in this very moment hears nothing; there is nobody else to tell.
    let _ = parcels::send(way, YOURS.as_bytes(), &[]);
}

/// The answer of the new process, if there is one.
///
/// # Errors
/// `WouldBlock`: not yet.
pub fn answer(way: &OwnedFd) -> io::Result<Answer> {
    let Some(parcel) = parcels::receive(way, false)? else {
        return Ok(Answer::Failed("it ended before it was ready".to_owned()));
    };
    Ok(Answer::read(&parcel.text))
}

/// The process that this one is to take the place of.
#[derive(Debug)]
pub struct Predecessor {
    way: OwnedFd,
}

impl Predecessor {
    /// If there is one. Asked once, before anything else is opened.
    #[must_use]
    pub fn look() -> Option<Self> {
        let way = launcher::predecessor()?;
        parcels::set_patience(&way, Duration::from_secs(limits::UPGRADE_CHARGE_S)).ok()?;
        Some(Self { way })
    }

    /// What it leaves.
    ///
    /// # Errors
    /// A sentence: it speaks another language, or is gone.
    pub fn estate(&self) -> Result<Estate, String> {
        let mut estate = Estate { giver: Giver::Before, ..Estate::default() };
        let mut listener = Listener::default();
        loop {
            let parcel = parcels::receive(&self.way, true);
            let parcel = parcel.map_err(|e| format!("the process before says nothing: {e}"))?;
            let parcel = parcel.ok_or("the process before is gone")?;
            let heard = listener.hear(&parcel.text);
            match heard.ok_or("the process before speaks another language")? {
                Heard::Greeting => {}
                Heard::Listeners => {
                    let count = parcel.descriptors.len();
                    let known = parcel.descriptors.into_iter().filter_map(activation::recognise);
                    let before = estate.listeners.len();
                    estate.listeners.extend(known);
                    estate.others += count - (estate.listeners.len() - before);
                }
                Heard::PidFile => estate.pid_file = parcel.descriptors.into_iter().next(),
                Heard::All => return Ok(estate),
            }
        }
    }

    /// This process cannot take over.
    pub fn fail(&self, why: &str) {
        let answer = Answer::Failed(why.to_owned());
        // Nobody may be listening any more.
        let _ = parcels::send(&self.way, answer.text(parcels::TEXT / 2).as_bytes(), &[]);
    }

    /// This process serves. Returns when it is in charge: it was told so, or the one before is gone.
    pub fn ready(self) {
        let (pid, version) = (std::process::id(), env!("CARGO_PKG_VERSION").to_owned());
        let text = Answer::Ready { pid, version }.text(parcels::TEXT);
        let _ = parcels::send(&self.way, text.as_bytes(), &[]);
        let _ = parcels::receive(&self.way, true);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};
    use std::sync::Arc;

    use super::*;

    fn kept(socket: impl Into<OwnedFd>) -> Kept {
        Kept { name: "x".to_owned(), socket: Arc::new(socket.into()) }
    }

    #[test]
    fn an_estate_arrives_whole_and_in_order() {
        let (ours, theirs) = parcels::pair().unwrap();
        let mut all: Vec<Kept> =
            (0..130).map(|_| kept(TcpListener::bind("127.0.0.1:0").unwrap())).collect();
        all.push(kept(UdpSocket::bind("127.0.0.1:0").unwrap()));
        all.push(kept(std::fs::File::open("/dev/null").unwrap()));
        let file = std::fs::File::open("/dev/null").unwrap().into();
        bequeath(&ours, &all, Some(&file)).unwrap();
        let new = Predecessor { way: theirs };
        let estate = new.estate().unwrap();
        assert_eq!((estate.listeners.len(), estate.others), (131, 1));
        assert!(estate.pid_file.is_some() && estate.listeners[130].datagram);
        let local = |s: &OwnedFd| pen_sys::sockets::local_address(s).unwrap();
        for (here, there) in all.iter().zip(&estate.listeners) {
            assert_eq!(local(&here.socket), local(&there.socket));
        }
        new.fail("no such luck\n");
        assert_eq!(answer(&ours).unwrap(), Answer::Failed("no such luck".to_owned()));
        assert_eq!(answer(&ours).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        yield_to(&ours);
        new.ready();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let ready = Answer::Ready { pid: std::process::id(), version };
        assert_eq!(answer(&ours).unwrap(), ready);
        // Another test that starts a program at this moment holds every descriptor until it has started.
        let gone = loop {
            match answer(&ours) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                other => break other.unwrap(),
            }
        };
        assert!(matches!(gone, Answer::Failed(_)));
    }

    #[test]
    fn another_language_is_understood_as_a_failure() {
        let (ours, theirs) = parcels::pair().unwrap();
        parcels::send(&ours, b"pen-upgrade 2", &[]).unwrap();
        let new = Predecessor { way: theirs };
        assert!(new.estate().unwrap_err().contains("another language"));
        parcels::send(&new.way, b"done", &[]).unwrap();
        assert!(matches!(answer(&ours), Ok(Answer::Failed(_))));
    }
}
