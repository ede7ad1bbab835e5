//! Scenarios over TLS: a real pen that ends TLS, before clients that are honest, slow or hostile, and
//! that speaks it to servers.
//!
//! What needs other programs (openssl, curl, nginx) is in `peers`.
#![forbid(unsafe_code)]

mod choice;
mod connlog;
mod early;
mod facts;
mod hall;
mod hello;
mod hostile;
mod look;
mod names;
mod outward;
mod refresh;
mod renewal;
mod routed;
mod stapling;
mod unfinished;
mod visitors;
mod words;
