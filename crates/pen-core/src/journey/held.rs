//! A place at a server: taken once and given back once, whatever becomes of who holds it.

use std::sync::Arc;

use crate::servers::Load;

/// What a journey holds at its current server.
#[derive(Debug)]
pub enum Held {
    /// No place.
    Nothing,
    /// A place.
    Place(Spot),
    /// [`super::Journey::end`] was called.
    Ended,
}

/// A place at a server, while the connect is under way and then until the end. Whoever drops it gives
/// it back, a defect too that unwinds past it.
#[derive(Debug)]
pub struct Spot {
    /// The server's.
    pub load: Arc<Load>,
    /// [`crate::servers::Server::moves`] when it was taken.
    pub moves: u32,
    established: bool,
}

impl Spot {
    /// The place that [`Load::reserve`] has just taken.
    pub fn pending(load: &Arc<Load>, moves: u32) -> Self {
        Self { load: Arc::clone(load), moves, established: false }
    }

    /// The connect succeeded.
    pub fn establish(&mut self) {
        self.load.establish();
        self.established = true;
    }

    /// Whether the connect has succeeded.
    pub fn is_established(&self) -> bool {
        self.established
    }
}

impl Drop for Spot {
    fn drop(&mut self) {
        if self.established {
            self.load.release_established();
        } else {
            self.load.release_pending();
        }
    }
}
