//! Scenarios of direct server return and the tarpit: client, Pen and two servers are machines of their
//! own on one segment, with checksums and segmentation left to the network as Linux does it.
//!
//! Without the right to make network namespaces they are skipped, with a printed reason.
#![forbid(unsafe_code)]

mod faults;
mod hall;
mod live;
mod service;
mod tags;
mod tarpit;
