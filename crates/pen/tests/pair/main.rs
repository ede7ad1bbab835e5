//! Two machines and one address: Pen with the real keepalived and the files of `dist/keepalived`, each
//! machine a network namespace. What clients notice when one fails.
//!
//! Each case is done once. `PEN_PAIR_ROUNDS=10 PEN_PAIR_TABLE=/tmp/table cargo test -p pen --test pair`
//! does it ten times and writes what was measured (docs/pairs.md has that table).
#![forbid(unsafe_code)]

mod cases;
mod clients;
mod hall;
mod modes;
