//! What stands where the web interface would be in a Pen that is built without it: no door, no thread.
//! `built` refuses the settings that would need one.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use pen_core::addr::Listen;
use pen_core::config::Config;

use crate::control::page::Wishes;
use crate::countries::Database;
use crate::gather::Board;
use crate::listeners::stock::Kept;
use crate::logs::Logs;

/// Nothing is shown.
#[derive(Debug)]
pub struct Web {
    wishes: Wishes,
}

/// A listening socket, which is never opened.
#[derive(Debug)]
pub struct Door;

/// No facts are asked for.
#[derive(Debug, Default)]
pub struct Sources(());

impl Sources {
    /// Opens nothing.
    pub fn open() -> Self {
        Self(())
    }
}

impl Door {
    /// Never called.
    ///
    /// # Errors
    /// Always.
    pub fn open(listen: &Listen, _ours: bool) -> Result<Self, String> {
        Err(format!("cannot show metrics at {}", listen.text))
    }

    /// Never called; the socket is closed.
    #[must_use]
    pub fn adopt(_listen: &Listen, _socket: OwnedFd) -> Self {
        Self
    }
}

impl Web {
    /// Nothing is shown.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new(_board: Arc<Board>, _logs: Logs, _facts: (Sources, u64)) -> io::Result<Self> {
        Ok(Self { wishes: Wishes::new()? })
    }

    /// Where nobody wishes anything.
    pub fn wishes(&self) -> Wishes {
        self.wishes.clone()
    }

    /// No door.
    ///
    /// # Errors
    /// None.
    pub fn plan(&self, _config: &Config) -> Result<Option<Arc<Door>>, String> {
        Ok(None)
    }

    /// Nothing is made true.
    pub fn swap(
        &mut self,
        _door: Option<Arc<Door>>,
        _config: &Config,
        _countries: Option<Arc<Database>>,
    ) -> Vec<String> {
        Vec::new()
    }

    /// No listener.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        None
    }

    /// Nobody is taken in anyway.
    pub fn yield_door(&self) {}

    /// Nobody is let in anyway.
    pub fn set_rules(&self, _config: &Config, _countries: Option<Arc<Database>>) {}
}
