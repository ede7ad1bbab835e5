//! Clients that come without a break until told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::pen::ask_from;
use crate::place::Place;

#[derive(Debug, Default)]
struct Count {
    stop: AtomicBool,
    /// Raised by [`Load::mark`]; asks that began under an older number count no more.
    period: AtomicUsize,
    asked: AtomicUsize,
    failed: AtomicUsize,
}

/// A load of short connections, each greeted by a server. Dropping stops it.
#[derive(Debug)]
pub struct Load {
    count: Arc<Count>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// `threads` clients ask the pen at `place` one time after the other.
    #[must_use]
    pub fn on(place: &Place, threads: usize) -> Self {
        let count = Arc::new(Count::default());
        let start = |_| {
            let (count, place) = (Arc::clone(&count), place.clone());
            std::thread::spawn(move || ask_until_stopped(&count, &place))
        };
        let threads = (0..threads).map(start).collect();
        Self { count, threads }
    }

    /// From now on only connections that begin after this moment are counted.
    pub fn mark(&self) {
        self.count.period.fetch_add(1, Ordering::SeqCst);
        self.count.asked.store(0, Ordering::SeqCst);
        self.count.failed.store(0, Ordering::SeqCst);
    }

    /// Connections since the mark.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.count.asked.load(Ordering::SeqCst)
    }

    /// Those of them that were refused or closed without a greeting.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count.failed.load(Ordering::SeqCst)
    }

    /// Stops and waits for the last answers.
    pub fn stop(&mut self) {
        self.count.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
    }
}

fn ask_until_stopped(count: &Count, place: &Place) {
    while !count.stop.load(Ordering::SeqCst) {
        let period = count.period.load(Ordering::SeqCst);
        let answered = ask_from(place, "127.0.0.1").is_some();
        if period == count.period.load(Ordering::SeqCst) {
            count.failed.fetch_add(usize::from(!answered), Ordering::SeqCst);
            count.asked.fetch_add(1, Ordering::SeqCst);
        }
    }
}
