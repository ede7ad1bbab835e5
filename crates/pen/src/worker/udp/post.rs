//! Handing datagrams to the kernel: in batches, joined where several of one size go the same way.

use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pen_core::flow::DropReason;
use pen_core::limits;
use pen_sys::datagrams::{Inbox, Letter, Local, Outbox};
use rustix::io::Errno;

use super::super::Worker;
use super::ports::Owner;

/// A datagram of a client on its way to a server; the bytes are in an inbox.
#[derive(Clone, Copy)]
pub struct Parcel {
    /// The local port it leaves from.
    pub port: u64,
    /// Its place in the inbox.
    pub place: usize,
    /// The server.
    pub to: SocketAddr,
    /// Whose it is.
    pub flow: Owner,
}

/// An answer on its way to a client; the bytes are in an inbox.
#[derive(Clone, Copy)]
pub struct Reply {
    /// Its place in the inbox.
    pub place: usize,
    /// The listening socket it leaves from.
    pub door: usize,
    /// The client.
    pub to: SocketAddr,
    /// The address the client sent to.
    pub from: Option<Local>,
    /// Whose it is, though its flow may be over with it.
    pub flow: Owner,
}

/// Something that is sent.
pub trait Item: Copy {
    /// Its place in the inbox.
    fn place(&self) -> usize;
    /// Where it goes, and from which address.
    fn way(&self) -> (SocketAddr, Option<Local>);
    /// Whose it is.
    fn owner(&self) -> Owner;
}

impl Item for Parcel {
    fn place(&self) -> usize {
        self.place
    }

    fn way(&self) -> (SocketAddr, Option<Local>) {
        (self.to, None)
    }

    fn owner(&self) -> Owner {
        self.flow
    }
}

impl Item for Reply {
    fn place(&self) -> usize {
        self.place
    }

    fn way(&self) -> (SocketAddr, Option<Local>) {
        (self.to, self.from)
    }

    fn owner(&self) -> Owner {
        self.flow
    }
}

/// What to do about a letter that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The letter is lost; go on with the next.
    GoOn,
    /// Try the same again.
    Again,
}

impl Worker {
    /// Sends `items` as [`send`] does. One that meets a defect of Pen is dropped and its flow ends: which one
    /// that is shows when those that have not gone with it are sent one by one.
    pub(super) fn send_items<I: Item>(
        &mut self,
        outbox: &mut Outbox,
        socket: &OwnedFd,
        inbox: &Inbox,
        items: &[I],
        mut refused: impl FnMut(&mut Self, &I, u64, Errno) -> Then,
    ) {
        let mut done = 0;
        let all = catch_unwind(AssertUnwindSafe(|| {
            send(outbox, socket, (inbox, items), &mut done, |i, n, e| refused(self, i, n, e));
        }));
        let Err(panic) = all else { return };
        self.end_if_unsure(panic);
        *outbox = Outbox::new();
        for item in items.get(done..).unwrap_or_default() {
            let ((station, flow), one) = (item.owner(), std::slice::from_ref(item));
            self.with_scene(station, |this, scene| {
                let went = this.contain_one(scene, flow, |this| {
                    send(outbox, socket, (inbox, one), &mut 0, |i, n, e| refused(this, i, n, e));
                });
                if went.is_none() {
                    this.lose(item, inbox, outbox);
                }
            });
        }
    }

    /// An item met a defect on its way.
    pub(super) fn lose(&mut self, item: &impl Item, inbox: &Inbox, outbox: &mut Outbox) {
        *outbox = Outbox::new();
        let count = inbox.get(item.place()).map_or(0, |got| got.count());
        self.udp.table(item.owner().0).counts.drop(DropReason::Defect, count);
    }
}

/// Sends `items` through `socket`, in order; `done` counts those that are dealt with. `refused` hears of
/// those that did not go, each with the number of datagrams in it, and says what then.
fn send<I: Item>(
    outbox: &mut Outbox,
    socket: &OwnedFd,
    (inbox, items): (&Inbox, &[I]),
    done: &mut usize,
    mut refused: impl FnMut(&I, u64, Errno) -> Then,
) {
    let mut pieces: Vec<&[u8]> = Vec::with_capacity(items.len());
    let mut plans: Vec<Plan> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        let Some(got) = inbox.get(item.place()) else { continue };
        #[cfg(debug_assertions)]
        super::super::faults::at_send(item.way().0);
        let here = pieces.len();
        pieces.push(got.bytes);
        if got.joined == 0
            && let Some(last) = plans.last_mut()
            && items.get(last.item).is_some_and(|l| l.way() == item.way())
            && last.takes(got.bytes.len())
        {
            last.join(got.bytes.len());
            continue;
        }
        plans.push(Plan::new(at, here, got.bytes.len(), got.joined));
    }
    let letters: Vec<Letter<'_>> = plans
        .iter()
        .filter_map(|plan| {
            let (to, from) = items.get(plan.item)?.way();
            let pieces = pieces.get(plan.pieces.clone())?;
            Some(Letter { to, from, pieces, joined: plan.joined })
        })
        .collect();
    let mut next = 0;
    while let (Some(rest), Some(plan)) = (letters.get(next..), plans.get(next)) {
        *done = plan.item;
        let error = match outbox.send(socket, rest) {
            Ok(went) => {
                next += went.max(1);
                continue;
            }
            Err(error) => Errno::from_io_error(&error).unwrap_or(Errno::IO),
        };
        let (Some(letter), Some(item)) = (rest.first(), items.get(plan.item)) else { return };
        if letter.joined != 0 && cannot_be_joined(error) {
            send_apart(outbox, socket, letter, |e| refused(item, 1, e));
        } else if refused(item, count(letter), error) == Then::Again {
            continue;
        }
        next += 1;
    }
}

/// The way does not take joined datagrams, or not of this size; one by one they may go.
fn cannot_be_joined(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::IO | Errno::MSGSIZE | Errno::OPNOTSUPP | Errno::PROTO)
}

fn send_apart(
    outbox: &mut Outbox,
    socket: &OwnedFd,
    letter: &Letter<'_>,
    mut refused: impl FnMut(Errno) -> Then,
) {
    for bytes in letter.pieces.iter().flat_map(|piece| piece.chunks(letter.joined.max(1))) {
        let one = Letter { pieces: &[bytes], joined: 0, ..*letter };
        while let Err(error) = outbox.send(socket, &[one]) {
            if refused(Errno::from_io_error(&error).unwrap_or(Errno::IO)) == Then::GoOn {
                break;
            }
        }
    }
}

fn count(letter: &Letter<'_>) -> u64 {
    match (letter.joined, letter.pieces) {
        (0, _) => 1,
        (size, [one]) => one.len().div_ceil(size) as u64,
        (_, several) => several.len() as u64,
    }
}

/// A letter in the making.
struct Plan {
    /// The first of its items.
    item: usize,
    pieces: Range<usize>,
    /// Bytes of its first datagram.
    size: usize,
    bytes: usize,
    joined: usize,
    /// No more can follow: it came joined, or its last datagram is shorter than the others.
    closed: bool,
}

impl Plan {
    fn new(item: usize, piece: usize, size: usize, joined: usize) -> Self {
        let closed = joined != 0 || size == 0 || size > limits::UDP_JOINED_MAX;
        Self { item, pieces: piece..piece + 1, size, bytes: size, joined, closed }
    }

    fn takes(&self, size: usize) -> bool {
        !self.closed
            && size != 0
            && size <= self.size
            && self.pieces.len() < limits::UDP_JOINED_COUNT
            && self.bytes + size < limits::UDP_DATAGRAM_MAX - 64
    }

    fn join(&mut self, size: usize) {
        self.pieces.end += 1;
        self.bytes += size;
        self.joined = self.size;
        self.closed = size < self.size;
    }
}
