//! What a row is given: the balancer to try, and how hard.

use std::path::PathBuf;

use crate::running::Running;
use crate::setup::Setup;
use crate::subject::Subject;

/// One case.
pub struct Stage {
    /// Who is tried.
    pub subject: Subject,
    /// Of everything random.
    pub seed: u64,
    /// Fewer tries and shorter times.
    pub short: bool,
    /// Its program.
    pub program: PathBuf,
}

impl Stage {
    /// Starts the balancer.
    ///
    /// # Panics
    /// It does not start: that is a failure of the case. A row for which that is a right answer uses
    /// [`Stage::try_start`].
    pub fn start(&self, setup: &Setup) -> Running {
        self.try_start(setup).unwrap_or_else(|why| panic!("{}: {why}", self.subject.name()))
    }

    /// Starts the balancer.
    ///
    /// # Errors
    /// It does not start.
    pub fn try_start(&self, setup: &Setup) -> Result<Running, String> {
        Running::start(self.subject, &self.program, setup)
    }

    /// A number of tries, or seconds: the first of a long run, the other of a short one.
    pub fn of<T>(&self, long: T, short: T) -> T {
        if self.short { short } else { long }
    }
}
