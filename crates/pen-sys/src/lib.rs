//! What Pen asks the kernel and no well-kept crate offers safely. One kernel facility per file;
//! the only crate of the workspace with unsafe code, each block with its proof.
//!
//! Functions here are small, safe to call, and carry no policy: which address, which user, how
//! often and what to say are the daemon's business. Errors are `std::io::Error` as the kernel gave
//! them, with a sentence added only where the bare error would mislead.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod activation;
pub mod addresses;
pub mod capabilities;
pub mod clock;
pub mod daemon;
pub mod datagrams;
pub mod descriptors;
pub mod files;
mod headers;
pub mod heap;
pub mod launcher;
pub mod letterbox;
pub mod localtime;
mod netlink;
pub mod notices;
pub mod notify;
pub mod packets;
pub mod parcels;
pub mod pidfile;
pub mod privileges;
pub mod rlimit;
pub mod routes;
pub mod sandbox;
pub mod services;
pub mod signals;
pub mod sockets;
pub mod syslog;
