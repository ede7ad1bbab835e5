//! Frames of a local network: interfaces, and packet sockets with a ring that the kernel writes into.
//!
//! The ring is TPACKET_V2. V3 would waste less room, but hands frames over by the block, and a block
//! that is not full is held back for milliseconds; here a frame is there at once. What is larger than
//! a place of the ring (segments that the kernel has joined) comes through the socket's queue
//! instead. Frames carry what the kernel still has to do about them (checksums, segments) in both
//! directions, so that they can be passed on as they are. Deliberately not here: what frames mean.

mod interface;
mod ring;
mod send;
mod socket;

#[cfg(test)]
mod tests;

pub use interface::{Address, Interface, addresses, interface};
pub use ring::{Frame, Ring, Whole};
pub use send::{Offload, Outbox, Parcel};
pub use socket::{PacketSocket, Size};
