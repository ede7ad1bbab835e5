//! What traffic can make Pen say again and again, and the bound on it.

use std::sync::atomic::{AtomicU64, Ordering};

use pen_core::limits;

/// Kinds of messages that traffic can trigger; each has a budget of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A server failed and is left out.
    ServerFailed,
    /// A client found no server.
    NoServer,
    /// A client was turned away by an access list.
    ClientDenied,
    /// A client was turned away by the limits for its source.
    OverLimit,
    /// The TLS handshake of a client failed.
    HandshakeFailed,
    /// A machine or interface of a segment, with direct server return.
    Segment,
    /// Descriptors, memory or ports ran out.
    Shortage,
    /// The address of `source` is not there.
    ForeignSource,
    /// The client's address cannot be shown to a server.
    NotTransparent,
    /// A request head was refused.
    RequestRefused,
    /// A client was not passed on because of its TLS hello.
    HelloRefused,
    /// A control session was refused or cut.
    ControlRefused,
    /// A connection, a flow, a frame or an order met a defect of Pen.
    Defect,
    /// What happens to single connections, at debug levels.
    Connection,
}

impl Topic {
    const ALL: [Self; 14] = [
        Self::ServerFailed,
        Self::NoServer,
        Self::ClientDenied,
        Self::OverLimit,
        Self::HandshakeFailed,
        Self::Segment,
        Self::Shortage,
        Self::ForeignSource,
        Self::NotTransparent,
        Self::RequestRefused,
        Self::HelloRefused,
        Self::ControlRefused,
        Self::Defect,
        Self::Connection,
    ];

    /// For the report of left-out messages.
    fn words(self) -> &'static str {
        match self {
            Self::ServerFailed => "failed servers",
            Self::NoServer => "clients without a server",
            Self::ClientDenied => "denied clients",
            Self::OverLimit => "clients beyond the limits for a source",
            Self::HandshakeFailed => "failed TLS handshakes",
            Self::Segment => "machines and interfaces of a segment",
            Self::Shortage => "shortages",
            Self::ForeignSource => "source addresses that are not there",
            Self::NotTransparent => "client addresses that servers cannot be shown",
            Self::RequestRefused => "refused requests",
            Self::HelloRefused => "clients that no route took",
            Self::ControlRefused => "refused control sessions",
            Self::Defect => "defects of Pen",
            Self::Connection => "connections",
        }
    }
}

/// The budgets of all topics.
#[derive(Debug, Default)]
pub(super) struct Topics {
    budgets: [Budget; Topic::ALL.len()],
}

/// One topic's second and what it has seen.
#[derive(Debug, Default)]
struct Budget {
    /// The second in the upper half, messages admitted in it in the lower.
    window: AtomicU64,
    left_out: AtomicU64,
}

impl Topics {
    /// Whether a message of this topic may be written now; if not it is counted.
    pub(super) fn admit(&self, topic: Topic, now_ms: u64) -> bool {
        let Some(budget) = self.budgets.get(topic as usize) else { return true };
        let second = (now_ms / 1_000) << 32;
        let admitted = budget.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
            if window & !u64::from(u32::MAX) != second {
                return Some(second | 1);
            }
            let used = window & u64::from(u32::MAX);
            (used < u64::from(limits::MESSAGES_PER_S)).then_some(window + 1)
        });
        if admitted.is_err() {
            budget.left_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted.is_ok()
    }

    /// Messages that were left out and not yet reported.
    pub(super) fn any_left_out(&self) -> bool {
        self.budgets.iter().any(|b| b.left_out.load(Ordering::Relaxed) != 0)
    }

    /// Texts about what was left out since the last call.
    pub(super) fn report(&self) -> Vec<String> {
        let counts = self.budgets.iter().map(|b| b.left_out.swap(0, Ordering::Relaxed));
        let counted = Topic::ALL.iter().zip(counts).filter(|(_, n)| *n != 0);
        counted.map(|(t, n)| format!("{n} more messages about {} left out", t.words())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_its_budget_per_second() {
        let topics = Topics::default();
        let limit = u64::from(limits::MESSAGES_PER_S);
        let admitted = |now| (0..100).filter(|_| topics.admit(Topic::NoServer, now)).count() as u64;
        assert_eq!(admitted(0), limit);
        assert_eq!(admitted(1_500), limit);
        assert!(topics.admit(Topic::Shortage, 1_500));
        assert!(topics.any_left_out());
        let left = 200 - 2 * limit;
        let expected = format!("{left} more messages about clients without a server left out");
        assert_eq!(topics.report(), vec![expected]);
        assert!(!topics.any_left_out());
        assert!(topics.report().is_empty());
    }

    #[test]
    fn every_topic_has_its_own_budget() {
        for (n, topic) in Topic::ALL.iter().enumerate() {
            assert_eq!(*topic as usize, n);
        }
    }
}
