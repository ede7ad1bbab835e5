//! The daemon `pen`: everything that performs what `pen-core` decides.
#![forbid(unsafe_code)]

mod boot;
mod built;
mod clock;
mod compose;
mod control;
mod countries;
mod demo;
mod dsr;
mod engine;
mod files;
mod gather;
mod inspection;
mod lifecycle;
mod listeners;
mod logs;
mod memory;
mod names;
mod outgoing;
mod publish;
mod reload;
mod resolve;
mod sandbox;
mod shared;
mod socket_options;
mod state;
mod tls;
mod transparent;
mod upgrade;
#[cfg(feature = "web")]
mod web;
#[cfg(not(feature = "web"))]
#[path = "web/absent.rs"]
mod web;
mod worker;

fn main() -> std::process::ExitCode {
    boot::run(std::env::args_os().skip(1))
}
