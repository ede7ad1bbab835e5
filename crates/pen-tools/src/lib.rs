//! The companion programs: `penctl`, and those of the classic log, `penlog`, `penlogd`, `mergelogs`.
//!
//! Formats and decisions are pen-core's (`command`, `logline`, `weblog`, `requests`, `consolidate`,
//! `merge`); here are files, sockets, signals and the terminal.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod ends;
pub mod mergelogs;
mod names;
pub mod penctl;
pub mod penlog;
pub mod penlogd;
