//! When a connection came how far, in milliseconds after it was accepted.

use super::Worker;
use crate::shared::Service;

/// It has not come so far.
const NEVER: u32 = u32::MAX;

/// The steps of a connection on its way to a server. Twelve bytes: every connection carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    asked: u32,
    connected: u32,
    first_byte: u32,
}

impl Default for Times {
    fn default() -> Self {
        Self { asked: NEVER, connected: NEVER, first_byte: NEVER }
    }
}

impl Times {
    /// When the first server was asked, if one was.
    pub fn asked(self) -> Option<u32> {
        known(self.asked)
    }

    /// When a server was connected, if one was; where TLS is spoken to it, when that was agreed.
    pub fn connected(self) -> Option<u32> {
        known(self.connected)
    }

    /// When the server's first byte came, if one came.
    pub fn first_byte(self) -> Option<u32> {
        known(self.first_byte)
    }

    /// A server is asked; only the first one counts.
    pub fn note_asked(&mut self, ms: u64) {
        note(&mut self.asked, ms);
    }

    /// A server is connected. Answers the milliseconds since the first one was asked.
    pub fn note_connected(&mut self, ms: u64) -> u32 {
        note(&mut self.connected, ms);
        self.connected.saturating_sub(self.asked)
    }

    /// The server has sent something. Answers, for its first byte, the milliseconds since the connect.
    pub fn note_reply(&mut self, ms: u64) -> Option<u32> {
        let first = self.first_byte == NEVER;
        note(&mut self.first_byte, ms);
        first.then(|| self.first_byte.saturating_sub(self.connected))
    }
}

impl Worker {
    /// A server is about to be connected.
    pub(super) fn note_asked(&mut self, key: u32) {
        let now = self.now;
        if let Some(conn) = self.conns.get_mut(key as usize) {
            conn.times.note_asked(now.since_ms(conn.accepted));
        }
    }

    /// A client's connection has its server.
    pub(super) fn note_connected(&mut self, key: u32, service: &Service) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let ms = conn.times.note_connected(now.since_ms(conn.accepted));
        service.count(self.index, |tally| tally.connected(ms.into()));
    }

    /// The server's side was read; its first byte may be among what came.
    pub(super) fn note_reply(&mut self, key: u32) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        if conn.from_server.read == 0 {
            return;
        }
        let Some(ms) = conn.times.note_reply(now.since_ms(conn.accepted)) else { return };
        if let Some(station) = self.stations.get(conn.station as usize) {
            station.service.count(self.index, |tally| tally.first_byte(ms.into()));
        }
    }
}

fn known(ms: u32) -> Option<u32> {
    (ms != NEVER).then_some(ms)
}

/// Seven weeks are the longest time that is told from never.
fn note(time: &mut u32, ms: u64) {
    if *time == NEVER {
        *time = u32::try_from(ms).unwrap_or(NEVER).min(NEVER - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::Times;

    #[test]
    fn each_step_is_noted_once() {
        let mut times = Times::default();
        assert_eq!((times.asked(), times.connected(), times.first_byte()), (None, None, None));
        times.note_asked(5);
        times.note_asked(9);
        assert_eq!(times.note_connected(12), 7, "the first server that was asked counts");
        assert_eq!(times.note_reply(40), Some(28));
        assert_eq!(times.note_reply(50), None);
        assert_eq!((times.asked(), times.connected()), (Some(5), Some(12)));
        assert_eq!(times.first_byte(), Some(40));
    }

    #[test]
    fn a_long_time_is_not_never() {
        let mut times = Times::default();
        times.note_asked(0);
        times.note_connected(u64::MAX);
        assert_eq!(times.connected(), Some(u32::MAX - 1));
        assert_eq!(times.note_reply(u64::MAX), Some(0));
    }
}
