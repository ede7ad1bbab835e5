//! Sockets: listening, accepting, connecting, and what is asked of an open one.
//!
//! Everything opened here is non-blocking and close-on-exec from its first moment.
//! Deliberately not here: which addresses, when, and what to do about errors.

mod accept;
mod connect;
pub(crate) mod foreign;
mod listen;
mod options;
mod state;
mod unix;

pub use accept::{Accepted, Peer, accept};
pub use connect::{Progress, Source, Target, connect_start, is_ours};
pub use foreign::{NotTransparent, carry_foreign, foreign_permitted};
pub(crate) use listen::permit_absent;
pub use listen::{Binding, Transport, lacks, local_address, tcp_bind, tcp_bind_dressed, tcp_probe};
pub use options::{Options, Probes, Refused, dress_again, try_on};
pub use state::{
    TcpState, peer_uid, reset, set_nodelay, shutdown_write, take_error, tcp_state, unacknowledged,
};
pub use unix::{Seat, unix_bind};

#[cfg(test)]
mod tests;
