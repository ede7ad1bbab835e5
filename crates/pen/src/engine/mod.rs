//! How bytes move: the door behind which engines stand.
//!
//! A [`Flow`] is one direction of one connection. [`Flow::pump`] moves what can be moved now and
//! says why it stopped. It owns no socket and keeps a buffer or a pipe only while bytes are in
//! flight, so an idle connection holds none. Small exchanges are copied (`copy`), flows that prove to
//! be bulky are spliced (`splice`), and copied again when they turn small or must be seen; with TLS at
//! one end or both everything goes through `sealed`. What happens to the sockets is the relay machine's decision
//! (`pen_core::relay`); when to call is the worker's.

mod copy;
mod pipes;
mod sealed;
mod splice;

use std::os::fd::BorrowedFd;

use pen_core::config::Engine as Choice;
use pen_core::limits;
use pen_core::memory::Allowance;
use pen_core::reasons::CloseReason;
use pen_core::relay::Outcome;

use pen_sys::sockets;
use pipes::Pipes;
use splice::Piped;

use crate::tls::Session;
pub use crate::tls::Wire;
pub use sealed::{Shaken, hear, send_outbox, shake};

/// The buffers of a worker, shared by all its connections.
pub struct Scratch {
    /// What one read takes.
    read: Box<[u8]>,
    /// What connections may come to hold until somebody looks at memory again.
    pub allowance: Allowance,
    /// What a tap makes of it.
    tapped: Vec<u8>,
    /// What a TLS session makes of what was read.
    opened: Vec<u8>,
    /// What a TLS session makes of what is to be written.
    sealed: Wire,
    /// For flows that are spliced.
    pipes: Pipes,
}

impl Scratch {
    /// Allocated once per worker.
    pub fn new() -> Self {
        Self {
            read: vec![0; limits::SCRATCH].into_boxed_slice(),
            allowance: Allowance::default(),
            tapped: Vec::new(),
            opened: Vec::new(),
            sealed: Wire::default(),
            pipes: Pipes::default(),
        }
    }

    /// Descriptors ran out: what is not in use is closed.
    pub fn spare_descriptors(&mut self) {
        self.pipes.close_idle();
    }

    /// A flow came to hold `more` bytes, and `less` of those that it held before.
    fn note_held(&mut self, more: u64, less: u64) {
        if more > less {
            self.allowance.take(more - less);
        } else if more < less {
            self.allowance.give_back(less - more);
        }
    }

    /// Bytes of `most` that one read may take at the moment: fewer when memory is short, or might be
    /// before somebody looks again, and none when what was allowed is used up.
    #[inline]
    fn one_read(&self, most: usize) -> usize {
        match self.allowance.is_tight() {
            false => most,
            true if self.allowance.is_spent() => 0,
            true => limits::READ_TIGHT,
        }
    }

    /// Bytes that one read may take of a client who is not known yet: some at least, because it is not
    /// read again and again.
    fn one_early_read(&self) -> usize {
        self.one_read(limits::SCRATCH).max(limits::READ_TIGHT)
    }

    /// Memory is short: what is kept for later is freed.
    pub fn be_modest(&mut self) {
        self.pipes.close_idle();
        (self.tapped, self.opened) = (Vec::new(), Vec::new());
    }

    /// The read buffer, for bytes that are not passed on.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.read
    }
}

/// One end of a flow: a socket, and the session if TLS is spoken over it.
#[derive(Debug)]
pub struct End<'a> {
    /// The socket.
    pub socket: BorrowedFd<'a>,
    /// The session.
    pub session: Option<&'a mut Session>,
}

/// Something that looks at the bytes of a direction, and may change them, before they are written.
pub trait Tap {
    /// Takes what was read; appends to `out` what is to be written.
    ///
    /// # Errors
    /// The connection must be closed for this reason; nothing more may be written.
    fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), CloseReason>;
    /// The stream ended; what was held back is appended.
    fn finish(&mut self, out: &mut Vec<u8>);
    /// The source must not be read for the moment.
    fn paused(&self) -> bool;
    /// A pause is over and bytes may have been held back: `pass` is to be called with nothing read.
    /// Answers true once per pause.
    fn resumed(&mut self) -> bool;
}

/// Why [`Flow::pump`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pumped {
    /// The source has nothing more at the moment.
    Drained,
    /// The sink takes nothing more at the moment.
    Blocked,
    /// There is more, but others must have their turn.
    More,
    /// The tap asked for a pause.
    Paused,
    /// Memory is too short to read what the source has. No event will say when it is not any more.
    Withheld,
    /// The direction is over.
    Over(Outcome),
    /// The tap refused the stream.
    Refused(CloseReason),
}

/// One direction of one connection.
#[derive(Debug, Default)]
pub struct Flow {
    /// Read before there was a sink, to be passed on as if it were read next.
    early: Option<Box<Unsent>>,
    /// Read and not yet written; `None` except while the sink is slow.
    unsent: Option<Box<Unsent>>,
    /// How the source ended; the direction is over once what was read is written.
    source_end: Option<Outcome>,
    /// The source may have bytes that no event will announce again.
    readable: bool,
    /// The source's end of stream was announced: a short read is the last.
    end_near: bool,
    /// A short read says nothing about what follows.
    to_the_last: bool,
    /// The source was reset, and only the sink of the other direction was told.
    source_dead: bool,
    /// The sink passes on what it gets at once.
    prompt: bool,
    /// The sink is a Unix socket: what it was given counts as Pen's until the other side reads it.
    to_unix: bool,
    /// Bytes moved in turns that moved many, up to [`limits::BULKY_AFTER`].
    streak: u32,
    /// Turns in a row that moved few, up to [`limits::SMALL_TURNS`].
    small_turns: u8,
    /// The pipe, while the flow is spliced.
    piped: Option<Box<Piped>>,
    /// Which engines may move it.
    choice: Choice,
    /// Bytes read from the source.
    pub read: u64,
    /// Bytes written to the sink.
    pub written: u64,
}

#[derive(Debug)]
struct Unsent {
    bytes: Box<[u8]>,
    from: usize,
}

impl Flow {
    /// The source has something: bytes, an end or an error. `end_near` says that its end of stream
    /// is known to follow, and that no error is pending.
    pub fn source_ready(&mut self, end_near: bool) {
        self.readable = true;
        self.end_near |= end_near;
    }

    /// From now on only the source itself says that it is dry or at its end: an error follows its
    /// bytes, or it is of a kind whose reads stop short (Unix sockets where descriptors were passed,
    /// TCP at urgent data). Costs a read per turn.
    pub fn read_to_the_last(&mut self) {
        self.to_the_last = true;
    }

    /// The source was found reset by writing to it: the kernel tells that once, and reading then finds
    /// nothing but an end, which is none. What it had sent before is still there to be read.
    pub fn source_is_dead(&mut self) {
        self.source_dead = true;
        self.read_to_the_last();
        self.source_ready(false);
    }

    /// What it means that nothing more comes from the source.
    fn end_of_source(&self) -> Outcome {
        if self.source_dead { Outcome::SourceReset } else { Outcome::Ended }
    }

    /// Another source takes the place of the one it had, from which nothing was passed on.
    pub fn restart(&mut self) {
        (self.source_end, self.readable, self.end_near) = (None, false, false);
    }

    /// How its source ended, if it has: what was read may still be on its way.
    pub fn source_end(&self) -> Option<Outcome> {
        self.source_end
    }

    /// `bytes` were read from the source while it was not known where to; they come first.
    pub fn begin_with(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.early = Some(Box::new(Unsent { bytes: bytes.into_boxed_slice(), from: 0 }));
        }
        self.readable = true;
    }

    /// Whether the sink is a Unix socket: until the other side reads it, the kernel keeps what such a
    /// one was given at the expense of Pen's control group, and nobody is told when that is over.
    pub fn leads_to_unix(&mut self, is_so: bool) {
        self.to_unix = is_so;
    }

    /// Which engines may move it.
    pub fn choose(&mut self, choice: Choice) {
        self.choice = choice;
    }

    /// Bytes read and not yet written.
    pub fn unsent(&self) -> u64 {
        let held = |u: &Option<Box<Unsent>>| u.as_ref().map_or(0, |u| u.bytes.len() - u.from);
        let copied = held(&self.unsent) + held(&self.early);
        (copied + self.piped.as_ref().map_or(0, |p| p.held())) as u64
    }

    /// Its connection has ended: what it holds of the worker's is given back.
    pub fn end(&mut self, scratch: &mut Scratch) {
        scratch.allowance.give_back(self.unsent());
        self.unsent = None;
        self.early = None;
        splice::release(self, &mut scratch.pipes);
    }

    /// As [`Flow::end`], where nobody knows what is in the pipe.
    pub fn abandon(&mut self, scratch: &mut Scratch) {
        if self.piped.take().is_some() {
            scratch.pipes.lost();
        }
    }

    /// Before a write that is not the first: it must not wait for the one before it to be
    /// acknowledged, because the sender has decided when its bytes go. A single write goes at once
    /// without this.
    fn hurry(&mut self, sink: BorrowedFd<'_>) {
        if !self.prompt && self.written > 0 {
            self.prompt = true;
            // Unix sockets know no delay.
            let _ = sockets::set_nodelay(sink, true);
        }
    }

    /// Whether much is moving in it.
    fn is_bulky(&self) -> bool {
        self.streak >= limits::BULKY_AFTER
    }

    /// Notes what one turn moved. A few small turns in a row, and it is small again.
    fn note_turn(&mut self, moved: u64) {
        if moved >= limits::BULKY_TURN {
            let moved = u32::try_from(moved).unwrap_or(u32::MAX);
            self.streak = self.streak.saturating_add(moved).min(limits::BULKY_AFTER);
            self.small_turns = 0;
        } else if moved > 0 && self.streak > 0 {
            self.small_turns += 1;
            if self.small_turns >= limits::SMALL_TURNS {
                (self.streak, self.small_turns) = (0, 0);
            }
        }
    }

    /// Whether it is to be spliced from here on, nothing copied being unsent.
    fn bulky(&self) -> bool {
        match self.choice {
            Choice::Copy => false,
            Choice::Splice => true,
            Choice::Auto => self.is_bulky(),
        }
    }

    /// Whether nothing may be read for a Unix sink until its other side has read what it was given:
    /// memory is short (`tight`), and closing the connection would not free what the kernel keeps there.
    fn awaits_reader(&self, tight: bool, sink: BorrowedFd<'_>) -> bool {
        self.to_unix
            && tight
            && sockets::unacknowledged(sink).is_ok_and(|bytes| bytes > limits::UNIX_REST)
    }

    /// Whether room at the sink, or another look at the source, can move anything.
    pub fn waits(&self) -> bool {
        self.readable || self.unsent.is_some() || self.piped.is_some() || self.source_end.is_some()
    }

    /// Has a pipe, or gets one if it is to be spliced and there is one.
    #[inline]
    fn piped(&mut self, pipes: &mut Pipes) -> bool {
        // Most flows are never bulky: for them this is one comparison.
        if self.bulky() && self.piped.is_none() && self.unsent.is_none() && self.early.is_none() {
            self.piped = pipes.take().map(|p| Box::new(Piped::new(p)));
        }
        self.piped.is_some()
    }

    /// Moves bytes until something stops it.
    pub fn pump(
        &mut self,
        source: BorrowedFd<'_>,
        sink: BorrowedFd<'_>,
        scratch: &mut Scratch,
        tap: Option<&mut dyn Tap>,
    ) -> Pumped {
        let (read, written) = (self.read, self.written);
        let pumped = self.run(source, sink, scratch, tap);
        self.note_turn(self.read - read);
        // What a tap holds back counts too.
        scratch.note_held(self.read - read, self.given_away(written));
        pumped
    }

    /// The same where TLS is spoken at one end or both.
    pub fn pump_sealed(
        &mut self,
        source: End<'_>,
        mut sink: End<'_>,
        scratch: &mut Scratch,
        tap: Option<&mut dyn Tap>,
    ) -> Pumped {
        let outbox = |sink: &End<'_>| sink.session.as_ref().map_or(0, |s| s.unsent().len() as u64);
        let (read, written, held) = (self.read, self.written, outbox(&sink));
        let pumped = sealed::pump(self, source, &mut sink, scratch, tap);
        self.note_turn(self.read - read);
        scratch.note_held(self.read - read + outbox(&sink), self.given_away(written) + held);
        pumped
    }

    /// Bytes that left Pen since `written` of them had.
    fn given_away(&self, written: u64) -> u64 {
        if self.to_unix { 0 } else { self.written - written }
    }

    fn run(
        &mut self,
        source: BorrowedFd<'_>,
        sink: BorrowedFd<'_>,
        scratch: &mut Scratch,
        tap: Option<&mut dyn Tap>,
    ) -> Pumped {
        if tap.is_some() {
            // Bytes must be seen from here on; those in the pipe came before.
            if let Some(stop) = splice::flush(self, sink) {
                return stop;
            }
            splice::release(self, &mut scratch.pipes);
        } else if self.piped.is_some() {
            return splice::pump(self, source, sink, scratch);
        }
        copy::pump(self, source, sink, scratch, tap)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod witness;
