//! Connections whose every byte and whose end both sides know beforehand, so that nothing can be lost,
//! doubled, mixed up or cut without being noticed.
//!
//! A client sends a number; from it both sides derive the same [`plan::Plan`]: how much goes which way,
//! in what pieces, with what pauses, and how it ends. Afterwards [`judge`] compares what each has seen.

pub mod plan;
mod play;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pen_test::{End, Wire};

use plan::{Ending, Plan};
pub use play::serving;

/// Bytes of a number, which a connection begins with.
pub const NUMBER: usize = 8;
/// In which a server says what it has seen of a client that has aborted.
const LATE: Duration = Duration::from_secs(2);

/// What one side has seen of the other's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Bytes, the number not counted.
    pub bytes: usize,
    /// They were those of the plan, in order.
    pub right: bool,
    /// How it ended.
    pub end: End,
}

/// What was wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Bytes that were not sent there: lost in the middle, doubled, mixed up.
    Mismatch,
    /// A stream that was cut and looks complete.
    FalseEnd,
    /// A stream that should have been complete and was cut, with a reset.
    Cut,
    /// An abort that did not arrive.
    AbortHidden,
    /// An abort of which the other side heard nothing within its patience. A reset is sent once: a wire that
    /// loses packets may lose it.
    AbortUnheard,
    /// Nothing more came within the patience of the sides.
    Stuck,
    /// No connection.
    NotConnected,
}

impl Fault {
    /// Whether nothing at all excuses it: a server that dies excuses the others.
    pub fn is_corruption(self) -> bool {
        matches!(self, Self::Mismatch | Self::FalseEnd)
    }
}

/// What the servers have seen, by the connections' numbers.
#[derive(Debug, Default)]
pub struct Book(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    views: HashMap<u64, View>,
    /// Connections whose client has aborted, of which no server has said anything yet.
    left: HashMap<u64, Plan>,
    /// What was wrong with those of them of which a server has said something later.
    late: BTreeMap<Fault, usize>,
}

impl Book {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A server's view.
    pub(self) fn note(&self, number: u64, view: View) {
        let mut pages = self.pages();
        let Some(plan) = pages.left.remove(&number) else {
            pages.views.insert(number, view);
            return;
        };
        let client = View { bytes: 0, right: true, end: End::Reset };
        if let Err(fault) = judge(&plan, client, Some(view)) {
            *pages.late.entry(fault).or_default() += 1;
        }
    }

    /// Takes the view of a connection out.
    fn take(&self, number: u64) -> Option<View> {
        self.pages().views.remove(&number)
    }

    /// The same of one whose client has aborted, who may have done so before the server knew of him: what
    /// the server says later is judged then.
    fn take_or_leave(&self, plan: &Plan) -> Option<View> {
        let mut pages = self.pages();
        let found = pages.views.remove(&plan.number);
        if found.is_none() {
            pages.left.insert(plan.number, *plan);
        }
        found
    }

    /// The same, as soon as it is there; `None` if the server has seen nothing for a while.
    fn wait(&self, number: u64) -> Option<View> {
        let end = std::time::Instant::now() + pen_test::deadline();
        loop {
            let found = self.take(number);
            if found.is_some() || std::time::Instant::now() > end {
                return found;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What was wrong with connections that were judged when their exchange was over. Waits a moment for
    /// servers that are about to say something.
    pub fn late(&self) -> BTreeMap<Fault, usize> {
        if !self.pages().left.is_empty() {
            std::thread::sleep(LATE);
        }
        self.pages().late.clone()
    }
}

/// The sum of many exchanges.
#[derive(Debug, Default)]
pub struct Sum {
    /// Exchanges played.
    pub played: AtomicUsize,
    /// Bytes that clients have sent and received, numbers counted too.
    pub bytes: AtomicU64,
    faults: Mutex<BTreeMap<Fault, usize>>,
}

impl Sum {
    /// Counts an exchange.
    pub fn add(&self, outcome: Result<u64, Fault>) {
        self.played.fetch_add(1, Ordering::SeqCst);
        match outcome {
            Ok(bytes) => drop(self.bytes.fetch_add(bytes, Ordering::SeqCst)),
            Err(fault) => {
                let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
                *faults.entry(fault).or_default() += 1;
            }
        }
    }

    /// Counts what was found later.
    pub fn add_late(&self, late: BTreeMap<Fault, usize>) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        for (fault, times) in late {
            *faults.entry(fault).or_default() += times;
        }
    }

    /// How often each fault occurred.
    pub fn faults(&self) -> BTreeMap<Fault, usize> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Plays one exchange on a fresh connection; answers the bytes that went through, both ways together.
///
/// # Errors
/// What was wrong.
pub fn exchange(
    connected: std::io::Result<Wire>,
    plan: &Plan,
    book: &Arc<Book>,
) -> Result<u64, Fault> {
    let wire = connected.map_err(|_| Fault::NotConnected)?;
    let client = play::client(wire, plan);
    let server = match plan.ending {
        Ending::ClientResets(_) => book.take_or_leave(plan),
        _ if client.end == End::Silence => book.take(plan.number),
        _ => book.wait(plan.number),
    };
    judge(plan, client, server)?;
    Ok((2 * NUMBER + plan.up + plan.down) as u64)
}

/// Whether both have seen what the plan says.
///
/// # Errors
/// What was wrong.
pub fn judge(plan: &Plan, client: View, server: Option<View>) -> Result<(), Fault> {
    let views = [Some((client, plan.down)), server.map(|view| (view, plan.up))];
    for (view, whole) in views.into_iter().flatten() {
        if !view.right || view.bytes > whole {
            return Err(Fault::Mismatch);
        }
    }
    let silent = |view: View| view.end == End::Silence;
    if silent(client) || server.is_some_and(silent) {
        // Who gave up has ended the stream before its time, which the other side may have taken for good.
        return Err(if plan.ending.is_abort() { Fault::AbortUnheard } else { Fault::Stuck });
    }
    for (view, whole) in views.into_iter().flatten() {
        if view.end == End::Eof && view.bytes < whole {
            return Err(Fault::FalseEnd);
        }
    }
    match (plan.ending, client.end, server.map(|view| view.end)) {
        (Ending::ServerResets(_), End::Eof, _) | (Ending::ClientResets(_), _, Some(End::Eof)) => {
            Err(Fault::AbortHidden)
        }
        (Ending::ServerResets(_), End::Reset, _) | (Ending::ClientResets(_), _, _) => Ok(()),
        (_, End::Eof, Some(End::Eof)) => Ok(()),
        _ => Err(Fault::Cut),
    }
}

#[cfg(test)]
mod tests;
