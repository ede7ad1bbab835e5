//! One thread of direct server return: frames in, frames out.

use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pen_core::dsr::{DropReason, Judge};
use pen_core::event::{EventKey, Subject};
use pen_core::frames::Built;
use pen_core::limits;
use pen_core::moment::Moment;
use pen_core::report::dsr::Counts;
use pen_sys::clock::timespec;
use pen_sys::packets::{Offload, Outbox, PacketSocket, Parcel, Ring, Whole};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::contain::contain;
use super::decide::{Findings, decide};
use super::lookout::Lookout;
use super::view::{Eyes, View};
use super::{Shared, link, tally};
use crate::clock;
use crate::logs::Level;

pub(super) struct Post {
    shared: Arc<Shared>,
    number: usize,
    socket: PacketSocket,
    ring: Ring,
    judge: Judge,
    outbox: Outbox,
    /// For frames that are larger than a place of the ring.
    large: Vec<u8>,
    /// The interface that the socket hears.
    index: i32,
    /// When an interface that was made anew is tried again.
    retry: Moment,
    lookout: Option<Lookout>,
}

/// How many frames a batch took off the ring, or that a large one is next.
enum Taken {
    Frames(usize),
    Large(Option<[u8; 4]>),
}

impl Post {
    pub(super) fn new(
        shared: Arc<Shared>,
        number: usize,
        socket: PacketSocket,
        ring: Ring,
        judge: Judge,
    ) -> Self {
        let index = shared.view.load().index;
        Self {
            lookout: (number == 0).then(Lookout::default),
            shared,
            number,
            socket,
            ring,
            judge,
            outbox: Outbox::new(),
            large: vec![0; Offload::BYTES + limits::DSR_FRAME_MAX],
            index,
            retry: Moment::default(),
        }
    }

    /// Runs to the end. A defect that is not a frame's ends the whole process: an interface that nobody
    /// looks at would seem to be served.
    pub(super) fn work(mut self) {
        let logs = self.shared.logs.clone();
        if catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
            let name = &self.shared.view.load().service.name;
            logs.say(Level::Always, || {
                format!("{name}: dsr_if met a defect of Pen; no frame is forwarded, Pen ends")
            });
            let text = "dsr_if met a defect of Pen; no frame is forwarded, Pen ends";
            logs.event(Subject::new(EventKey::Defect).at(name), |e| e.saying(text));
            let _ = logs.flush(Duration::from_millis(limits::LAST_MOMENT_MS));
            std::process::abort();
        }
    }

    fn run(&mut self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.shared.answer(self.number);
            let view = self.shared.view.load_full();
            let now = clock::now();
            if view.index != self.index && now >= self.retry {
                self.follow(&view, now);
            }
            let due = match &mut self.lookout {
                Some(lookout) => lookout.look(&self.shared, &view, &self.socket, now),
                None => now.plus_ms(limits::DSR_LINK_MS),
            };
            if self.batch(&view, now) == 0 {
                self.note_losses();
                self.wait(due.since_ms(now));
            }
        }
    }

    /// Looks at a batch of frames; answers how many there were.
    fn batch(&mut self, view: &View, now: Moment) -> usize {
        let mut findings = Findings::default();
        let taken = self.take(view, now, &mut findings);
        let count = match taken {
            Taken::Frames(count) => count,
            Taken::Large(tag) => {
                self.take_large(view, now, tag, &mut findings);
                1
            }
        };
        if count == 0 {
            return 0;
        }
        self.ring.release(count);
        self.send_answers(view, &findings.answers, &mut findings.counts);
        let live = view.service.live.load();
        for (slot, bytes) in findings.servers {
            let number = usize::try_from(slot).unwrap_or(usize::MAX);
            if let Some(server) = live.servers.get(number) {
                server.load.count_bytes(bytes, 0);
            }
        }
        for (ip, mac) in findings.heard {
            contain(&self.shared, view, || self.shared.heard(view, ip, mac, now));
        }
        if let Some(tally) = self.shared.tallies.get(self.number) {
            tally.add(&findings.counts);
        }
        count
    }

    /// Decides about the frames of the ring and sends those for servers.
    fn take(&mut self, view: &View, now: Moment, findings: &mut Findings) -> Taken {
        let live = view.service.live.load();
        let eyes = Eyes { view, live: &live, now };
        let mut parcels: Vec<Parcel<'_>> = Vec::with_capacity(limits::DSR_BATCH);
        let mut slots: Vec<u32> = Vec::with_capacity(limits::DSR_BATCH);
        let mut count = 0;
        while count < limits::DSR_BATCH {
            let Some(frame) = self.ring.frame(count) else { break };
            match frame.whole {
                Whole::InQueue if count == 0 => return Taken::Large(frame.tag),
                Whole::InQueue => break,
                Whole::No => tally::count(&mut findings.counts, DropReason::TooBig),
                Whole::Yes if frame.outgoing => {}
                Whole::Yes => {
                    let (bytes, tag, offload) = (frame.bytes, frame.tag, frame.offload);
                    let (judge, shared) = (&mut self.judge, &*self.shared);
                    if let Some((slot, to)) = decide(judge, shared, &eyes, (bytes, tag), findings) {
                        let ends = (to.0, view.scene.own.0);
                        parcels.push(Parcel::new(bytes, ends, tag, offload));
                        slots.push(slot);
                    }
                }
            }
            count += 1;
        }
        let mut went = |n: usize, bytes| {
            findings.counts.forwarded += 1;
            findings.counts.forwarded_bytes += bytes;
            match (slots.get(n), findings.servers.last_mut()) {
                (Some(&slot), Some(last)) if last.0 == slot => last.1 += bytes,
                (Some(&slot), _) => findings.servers.push((slot, bytes)),
                (None, _) => {}
            }
        };
        let lost = send(&mut self.outbox, &self.socket, &parcels, &mut went);
        add(&mut findings.counts, &lost);
        Taken::Frames(count)
    }

    /// The same for one frame that waits in the socket's queue.
    fn take_large(
        &mut self,
        view: &View,
        now: Moment,
        tag: Option<[u8; 4]>,
        findings: &mut Findings,
    ) {
        // An interface that goes down says so once, in place of the frame.
        let received = self.socket.receive(&mut self.large);
        let Ok(length) = received.or_else(|_| self.socket.receive(&mut self.large)) else {
            tally::count(&mut findings.counts, DropReason::TooBig);
            return;
        };
        let whole = self.large.get(..length).unwrap_or_default();
        let (Some(offload), Some(bytes)) = (Offload::read(whole), whole.get(Offload::BYTES..))
        else {
            tally::count(&mut findings.counts, DropReason::Malformed);
            return;
        };
        let live = view.service.live.load();
        let eyes = Eyes { view, live: &live, now };
        let (judge, shared) = (&mut self.judge, &*self.shared);
        if let Some((slot, to)) = decide(judge, shared, &eyes, (bytes, tag), findings) {
            let parcel = Parcel::new(bytes, (to.0, view.scene.own.0), tag, offload);
            let mut went = |_, bytes| {
                findings.counts.forwarded += 1;
                findings.counts.forwarded_bytes += bytes;
                findings.servers.push((slot, bytes));
            };
            let lost = send(&mut self.outbox, &self.socket, &[parcel], &mut went);
            add(&mut findings.counts, &lost);
        }
    }

    fn send_answers(
        &mut self,
        view: &View,
        answers: &[(Built, Option<[u8; 4]>)],
        counts: &mut Counts,
    ) {
        let own = view.scene.own.0;
        let parcels: Vec<Parcel<'_>> = answers
            .iter()
            .filter_map(|(built, tag)| {
                let to = *built.bytes().first_chunk::<6>()?;
                Some(Parcel::new(built.bytes(), (to, own), *tag, Offload::default()))
            })
            .collect();
        let lost = send(&mut self.outbox, &self.socket, &parcels, &mut |_, _| {});
        add(counts, &lost);
    }

    /// The interface was made anew under its name: hears the new one.
    fn follow(&mut self, view: &View, now: Moment) {
        self.retry = now.plus_ms(limits::DSR_RETRY_S * 1000);
        if self.socket.bind(view.index).is_ok() {
            self.index = view.index;
            return;
        }
        // Sockets that share an interface cannot be moved to another one, only replaced, and shared
        // again when it is up.
        let link = self.shared.link().clone();
        let opened = match self.shared.tallies.len() {
            1 => link::open(&link),
            _ if !link.up => {
                self.retry = now;
                return;
            }
            _ => link::join(&link, &mut self.shared.anew()),
        };
        match opened {
            Ok((socket, ring)) => {
                (self.socket, self.ring, self.index) = (socket, ring, link.index);
            }
            Err(why) => self.shared.say_deaf(view, &why),
        }
    }

    fn note_losses(&self) {
        let lost = self.socket.lost().unwrap_or(0);
        if let Some(tally) = self.shared.tallies.get(self.number).filter(|_| lost != 0) {
            tally.add(&Counts { lost: u64::from(lost), ..Counts::default() });
        }
    }

    /// Waits for a frame, a bell or the time.
    fn wait(&self, ms: u64) {
        let Some(bell) = self.shared.bells.get(self.number) else { return };
        let mut fds = [
            PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(bell.as_fd(), PollFlags::IN),
        ];
        // Interrupted or not, the caller looks again.
        let _ = poll(&mut fds, Some(&timespec(ms)));
        let [socket, rung] = fds.map(|fd| fd.revents());
        if socket.contains(PollFlags::ERR) {
            // The lookout sees for itself how the interface is.
            let _ = self.socket.trouble();
        }
        if rung.contains(PollFlags::IN) {
            let mut count = [0_u8; 8];
            let _ = rustix::io::read(bell, &mut count);
        }
    }
}

/// Sends frames; `went` hears the number and the bytes of each that went. Answers what did not.
pub(super) fn send(
    outbox: &mut Outbox,
    socket: &PacketSocket,
    parcels: &[Parcel<'_>],
    went: &mut impl FnMut(usize, u64),
) -> [u64; 2] {
    let (mut next, mut too_big, mut not_sent) = (0, 0, 0);
    while let Some(rest) = parcels.get(next..).filter(|rest| !rest.is_empty()) {
        match outbox.send(socket, rest) {
            Ok(count) => {
                for (n, parcel) in rest.iter().enumerate().take(count) {
                    went(next + n, u64::try_from(parcel.size()).unwrap_or(0));
                }
                next += count.max(1);
            }
            Err(e) => {
                match Errno::from_io_error(&e) {
                    Some(Errno::MSGSIZE) => too_big += 1,
                    // No room for any of them.
                    Some(Errno::AGAIN) => {
                        not_sent += u64::try_from(rest.len()).unwrap_or(0);
                        break;
                    }
                    _ => not_sent += 1,
                }
                next += 1;
            }
        }
    }
    [too_big, not_sent]
}

fn add(counts: &mut Counts, &[too_big, not_sent]: &[u64; 2]) {
    for (why, n) in [(DropReason::TooBig, too_big), (DropReason::NotSent, not_sent)] {
        if let Some(count) = counts.dropped.get_mut(why as usize) {
            *count += n;
        }
    }
}
