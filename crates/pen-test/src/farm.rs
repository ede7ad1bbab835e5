//! Several servers of one kind, called `s0`, `s1` and so on.

use std::ops::{Deref, DerefMut};

use crate::acts::{self, Act};
use crate::server::TestServer;

/// Servers in the order of pen's table.
#[derive(Debug, Default)]
pub struct Farm(Vec<TestServer>);

impl Farm {
    /// `count` servers that play `act`.
    #[must_use]
    pub fn of(count: usize, act: &Act) -> Self {
        Self((0..count).map(|n| TestServer::start(&format!("s{n}"), act.clone())).collect())
    }

    /// `count` servers that greet with their name and echo.
    #[must_use]
    pub fn banners(count: usize) -> Self {
        Self::of(count, &acts::banner())
    }

    /// One server that plays `act`.
    #[must_use]
    pub fn one(act: &Act) -> Self {
        Self::of(1, act)
    }

    /// The servers given.
    #[must_use]
    pub fn from(servers: impl IntoIterator<Item = TestServer>) -> Self {
        Self(servers.into_iter().collect())
    }

    /// The way pen's command line writes them, with `suffix` (e.g. `:5:7`) after each.
    #[must_use]
    pub fn words(&self, suffix: &str) -> Vec<String> {
        self.0.iter().map(|s| s.word() + suffix).collect()
    }
}

impl Deref for Farm {
    type Target = Vec<TestServer>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Farm {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
