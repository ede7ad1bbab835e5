//! The companion programs of the classic log: `penlog`, `penlogd`, `mergelogs`.
//!
//! Formats and decisions are pen-core's (`logline`, `weblog`, `requests`, `consolidate`, `merge`);
//! here are files, sockets and signals. `penctl` is a program of its own.
#![forbid(unsafe_code)]

mod ends;
pub mod mergelogs;
mod names;
pub mod penlog;
pub mod penlogd;
