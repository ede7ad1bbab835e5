//! How a connection ends: half-close, reset, fast close.
//!
//! The rule: the streams' own ends produce a clean end (FIN), everything else produces a reset, so
//! a truncated transfer never looks complete. The machine hears what became of each direction and
//! answers what to do with the sockets; moving the bytes is the engine's business.

use crate::config::FastClose;
use crate::reasons::CloseReason;

/// One of the two sockets of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The socket that was accepted.
    Client,
    /// The socket that was connected.
    Server,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What became of the stream that comes from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended and every byte of it was written to the other side.
    Ended,
    /// Its source was reset and every byte that could be read was written to the other side.
    SourceReset,
    /// Its source went away without the end that TLS asks for, and every byte that could be read was
    /// written to the other side.
    SourceCut,
    /// Its source broke the rules of TLS or gave up with an alert, and every byte before was written
    /// to the other side.
    SourceFault,
    /// The other side can take no more bytes: it was reset.
    SinkReset,
}

/// What to do with the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing: the other direction goes on.
    Nothing,
    /// Pass the end of stream on to this side.
    ShutdownWrite(Side),
    /// Both ends were delivered: close both sockets.
    Close(CloseReason),
    /// Close both; what was written and is not yet acknowledged must arrive first.
    CloseFlushed(CloseReason),
    /// This side is alive and must see a reset after the bytes written to it; the other is dead.
    Reset(Side, CloseReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Flowing,
    /// Its end was passed on.
    Finished,
    /// Its sink is dead; its bytes go nowhere.
    Undeliverable,
}

/// The state of both directions.
#[derive(Clone, Copy, Debug)]
pub struct Relay {
    from_client: Stream,
    from_server: Stream,
    first_end: Option<Side>,
}

impl Default for Relay {
    fn default() -> Self {
        Self { from_client: Stream::Flowing, from_server: Stream::Flowing, first_end: None }
    }
}

impl Relay {
    /// Both directions open.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The stream from `source` came to `outcome`.
    pub fn came_to(&mut self, source: Side, outcome: Outcome, fast: FastClose) -> Act {
        if *self.stream(source) != Stream::Flowing {
            return Act::Nothing;
        }
        match outcome {
            Outcome::Ended => self.ended(source, fast),
            Outcome::SourceReset => Act::Reset(source.other(), reset_by(source)),
            Outcome::SourceCut => Act::Reset(source.other(), cut_by(source)),
            Outcome::SourceFault => Act::Reset(source.other(), fault_of(source)),
            Outcome::SinkReset => self.undeliverable(source),
        }
    }

    fn ended(&mut self, source: Side, fast: FastClose) -> Act {
        if *self.stream(source.other()) == Stream::Undeliverable {
            // The source was reset before; what it had sent is delivered now.
            return Act::Reset(source.other(), reset_by(source));
        }
        let first = *self.first_end.get_or_insert(source);
        *self.stream(source) = Stream::Finished;
        if *self.stream(source.other()) == Stream::Finished {
            return Act::Close(finished_by(first));
        }
        let closes_both = match fast {
            FastClose::Off => false,
            FastClose::Up => source == Side::Server,
            FastClose::Down => source == Side::Client,
            FastClose::Both => true,
        };
        if closes_both {
            return Act::CloseFlushed(CloseReason::FastClose);
        }
        Act::ShutdownWrite(source.other())
    }

    fn undeliverable(&mut self, source: Side) -> Act {
        let dead = source.other();
        *self.stream(source) = Stream::Undeliverable;
        match *self.stream(dead) {
            Stream::Flowing => Act::Nothing,
            Stream::Finished => Act::Reset(source, reset_by(dead)),
            // Both sides are dead: there is nobody to tell.
            Stream::Undeliverable => Act::Close(reset_by(dead)),
        }
    }

    /// Whether bytes from `source` are still to be moved.
    #[must_use]
    pub fn flows(&self, source: Side) -> bool {
        let stream = match source {
            Side::Client => self.from_client,
            Side::Server => self.from_server,
        };
        stream == Stream::Flowing
    }

    /// Whether one side has ended its stream and the other goes on.
    #[must_use]
    pub fn half_closed(&self) -> bool {
        self.from_client == Stream::Finished || self.from_server == Stream::Finished
    }

    /// The classic state number of an open connection: 2, +4 the server ended, +8 the client did.
    #[must_use]
    pub fn state_number(&self) -> u32 {
        let mut n = 2;
        if !self.flows(Side::Server) {
            n += 4;
        }
        if !self.flows(Side::Client) {
            n += 8;
        }
        n
    }

    fn stream(&mut self, source: Side) -> &mut Stream {
        match source {
            Side::Client => &mut self.from_client,
            Side::Server => &mut self.from_server,
        }
    }
}

fn reset_by(side: Side) -> CloseReason {
    match side {
        Side::Client => CloseReason::ClientReset,
        Side::Server => CloseReason::ServerReset,
    }
}

fn cut_by(side: Side) -> CloseReason {
    match side {
        Side::Client => CloseReason::ClientTruncated,
        Side::Server => CloseReason::ServerTruncated,
    }
}

fn fault_of(side: Side) -> CloseReason {
    match side {
        Side::Client => CloseReason::ClientTlsFault,
        Side::Server => CloseReason::ServerTlsFault,
    }
}

fn finished_by(first: Side) -> CloseReason {
    match first {
        Side::Client => CloseReason::ClientFinished,
        Side::Server => CloseReason::ServerFinished,
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Ended, SinkReset, SourceReset};
    use super::Side::{Client, Server};
    use super::*;

    fn play(fast: FastClose, events: &[(Side, Outcome)]) -> Vec<Act> {
        let mut relay = Relay::new();
        events.iter().map(|&(side, outcome)| relay.came_to(side, outcome, fast)).collect()
    }

    #[test]
    fn half_close_is_passed_on_and_the_first_end_names_the_reason() {
        for (first, reason) in
            [(Client, CloseReason::ClientFinished), (Server, CloseReason::ServerFinished)]
        {
            assert_eq!(
                play(FastClose::Off, &[(first, Ended), (first.other(), Ended)]),
                [Act::ShutdownWrite(first.other()), Act::Close(reason)]
            );
        }
    }

    #[test]
    fn a_reset_reaches_the_other_side_as_a_reset() {
        assert_eq!(
            play(FastClose::Off, &[(Server, SourceReset)]),
            [Act::Reset(Client, CloseReason::ServerReset)]
        );
        assert_eq!(
            play(FastClose::Off, &[(Client, Ended), (Server, SourceReset)]),
            [Act::ShutdownWrite(Server), Act::Reset(Client, CloseReason::ServerReset)]
        );
    }

    #[test]
    fn a_cut_tls_stream_reaches_the_other_side_as_a_reset_with_its_own_reason() {
        for (side, cut, fault) in [
            (Client, CloseReason::ClientTruncated, CloseReason::ClientTlsFault),
            (Server, CloseReason::ServerTruncated, CloseReason::ServerTlsFault),
        ] {
            assert_eq!(
                play(FastClose::Off, &[(side, Outcome::SourceCut)]),
                [Act::Reset(side.other(), cut)]
            );
            assert_eq!(
                play(FastClose::Off, &[(side, Outcome::SourceFault)]),
                [Act::Reset(side.other(), fault)]
            );
        }
    }

    #[test]
    fn what_a_dead_side_had_sent_is_delivered_before_the_reset() {
        assert_eq!(
            play(FastClose::Off, &[(Client, SinkReset), (Server, Ended)]),
            [Act::Nothing, Act::Reset(Client, CloseReason::ServerReset)]
        );
        assert_eq!(
            play(FastClose::Off, &[(Client, SinkReset), (Server, SourceReset)]),
            [Act::Nothing, Act::Reset(Client, CloseReason::ServerReset)]
        );
        assert_eq!(
            play(FastClose::Off, &[(Server, Ended), (Client, SinkReset)]),
            [Act::ShutdownWrite(Client), Act::Reset(Client, CloseReason::ServerReset)]
        );
    }

    #[test]
    fn two_dead_sides_end_the_connection() {
        assert_eq!(
            play(FastClose::Off, &[(Client, SinkReset), (Server, SinkReset)]),
            [Act::Nothing, Act::Close(CloseReason::ClientReset)]
        );
    }

    #[test]
    fn fast_close_closes_both_on_the_chosen_end() {
        let rows = [
            (FastClose::Up, Server, true),
            (FastClose::Up, Client, false),
            (FastClose::Down, Client, true),
            (FastClose::Down, Server, false),
            (FastClose::Both, Client, true),
            (FastClose::Both, Server, true),
        ];
        for (fast, side, closes) in rows {
            let want = if closes {
                Act::CloseFlushed(CloseReason::FastClose)
            } else {
                Act::ShutdownWrite(side.other())
            };
            assert_eq!(play(fast, &[(side, Ended)]), [want], "{fast:?} {side:?}");
        }
    }

    #[test]
    fn state_numbers_are_the_classic_ones() {
        let mut relay = Relay::new();
        assert_eq!(relay.state_number(), 2);
        relay.came_to(Client, Ended, FastClose::Off);
        assert_eq!(relay.state_number(), 10);
        let mut relay = Relay::new();
        relay.came_to(Server, Ended, FastClose::Off);
        assert_eq!(relay.state_number(), 6);
    }
}
