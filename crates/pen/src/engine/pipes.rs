//! Pipes for the splicing engine: pooled per worker, bounded in number and size.
//!
//! A flow holds a pipe only while it splices. A pipe that still has bytes in it when its flow ends is
//! closed, not re-used: nobody's bytes may reach anybody else.

use std::os::fd::OwnedFd;

use pen_core::limits;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// Both ends of an empty pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) read: OwnedFd,
    pub(super) write: OwnedFd,
}

/// The pipes of a worker.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    idle: Vec<Pipe>,
    /// Idle ones and those at flows.
    made: usize,
    /// Requests to decline before the kernel is asked again.
    declining: u32,
}

impl Pipes {
    /// An empty pipe, or `None` when there are enough of them or the kernel gives none of the size
    /// that pays; the flow goes on copying then.
    pub(super) fn take(&mut self) -> Option<Pipe> {
        if let Some(pipe) = self.idle.pop() {
            return Some(pipe);
        }
        if self.made >= limits::PIPES_PER_WORKER {
            return None;
        }
        if self.declining > 0 {
            self.declining -= 1;
            return None;
        }
        let pipe = make();
        match pipe {
            Some(_) => self.made += 1,
            None => self.declining = limits::PIPE_RETRY_AFTER,
        }
        pipe
    }

    /// Takes back a pipe that is empty.
    pub(super) fn give_back(&mut self, pipe: Pipe) {
        self.idle.push(pipe);
    }

    /// Closes the pipes that no flow holds.
    pub(super) fn close_idle(&mut self) {
        self.made -= self.idle.len();
        self.idle.clear();
    }

    /// A pipe was closed with bytes in it.
    pub(super) fn lost(&mut self) {
        self.made -= 1;
    }
}

fn make() -> Option<Pipe> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
    // A user's pages are bounded; a small pipe costs more than it saves.
    fcntl_setpipe_size(&write, limits::PIPE_SIZE).ok()?;
    Some(Pipe { read, write })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipes_are_bounded_and_come_back() {
        let mut pipes = Pipes::default();
        let taken: Vec<Pipe> =
            std::iter::from_fn(|| pipes.take()).take(limits::PIPES_PER_WORKER + 1).collect();
        assert!(!taken.is_empty() && taken.len() <= limits::PIPES_PER_WORKER);
        assert!(pipes.take().is_none());
        let count = taken.len();
        for pipe in taken {
            pipes.give_back(pipe);
        }
        assert_eq!(pipes.idle.len(), count);
        assert!(pipes.take().is_some());
        pipes.lost();
        assert_eq!(pipes.made, count - 1);
    }
}
