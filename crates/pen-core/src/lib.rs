//! Pen's decisions.
//!
//! Everything in this crate is a value or a function of values: no socket, file, clock, thread or
//! randomness. Time, resolved names and bytes come in as arguments; replies, effects and the next
//! step of a connection come out. What asks the kernel lives in `pen-sys`, what performs in `pen`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod acl;
pub mod addr;
pub mod addresses;
pub mod apart;
pub mod arrivals;
mod bucket;
mod calendar;
pub mod ciphers;
pub mod circles;
pub mod cli;
pub mod clients;
pub mod command;
pub mod command_file;
pub mod config;
pub mod connlog;
pub mod consolidate;
pub mod control_line;
pub mod difference;
pub mod dsr;
pub mod event;
pub mod explain;
pub mod flow;
pub mod frames;
pub mod handshakes;
pub mod hello;
pub mod http;
pub mod inspection;
pub mod journey;
pub mod limits;
pub mod listen_word;
pub mod logline;
pub mod maglev;
pub mod memory;
pub mod merge;
pub mod moment;
pub mod near;
pub mod quoting;
pub mod reasons;
pub mod relay;
pub mod report;
pub mod requests;
pub mod routes;
pub mod sandbox;
mod secret;
pub mod select;
pub mod server_word;
pub mod servers;
pub mod service;
pub mod slots;
pub mod socket_options;
pub mod stamp;
pub mod state;
pub mod succession;
pub mod tally;
pub mod tarpit;
pub mod transparent;
pub mod web;
pub mod weblog;
