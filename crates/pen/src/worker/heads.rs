//! Heads of HTTP requests that have begun and not ended, and what becomes of clients that never end one.

use pen_core::reasons::CloseReason;
use pen_core::relay::Side;

use super::Worker;
use super::ending::Manner;

impl Worker {
    /// Notes when a request's head begins and ends; one that comes whole is never noted.
    pub(super) fn note_head(&mut self, key: u32) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(tap) = conn.tap.as_mut() else { return };
        if tap.in_head() == tap.head_since.is_some() {
            return;
        }
        let Some(station) = self.stations.get_mut(conn.station as usize) else { return };
        if let Some(since) = tap.head_since.take() {
            station.heads.remove(&(since, key));
            return;
        }
        tap.head_since = Some(now);
        station.heads.insert((now, key));
        let timeout_s = station.service.live.load().config.http_head_timeout_s;
        if timeout_s > 0 {
            self.due_by(now.plus_s(timeout_s));
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn forget_head(&mut self, key: u32) {
        let Some(conn) = self.conns.get_mut(key as usize) else { return };
        let Some(since) = conn.tap.as_mut().and_then(|tap| tap.head_since.take()) else { return };
        if let Some(station) = self.stations.get_mut(conn.station as usize) {
            station.heads.remove(&(since, key));
        }
    }

    pub(super) fn look_at_heads(&mut self, station: u32) {
        loop {
            let Some(s) = self.stations.get(station as usize) else { return };
            let timeout_s = s.service.live.load().config.http_head_timeout_s;
            let Some((since, key)) = s.heads.first().copied().filter(|_| timeout_s > 0) else {
                return;
            };
            let due = since.plus_s(timeout_s);
            if self.now < due {
                return self.due_by(due);
            }
            self.forget_head(key);
            if self.waits(key, Side::Client) {
                // It is the server that keeps it from being read: its time begins anew.
                self.note_head(key);
            } else {
                self.finish(key, Manner::Reset, CloseReason::HeadTimeout);
            }
        }
    }
}
