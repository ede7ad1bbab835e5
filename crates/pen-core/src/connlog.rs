//! The connection log: what a connection or a flow of datagrams was, as one line.
//!
//! A [`Record`] is what the worker knows when it ends; a [`Format`] makes a line of it, as text, as JSON or
//! by a template of the operator. The closed list of what there is to know is in `field`;
//! `docs/logs.md` explains each (a test keeps it complete). Deliberately not here: where lines go.

mod field;
mod format;
mod record;
mod settings;
mod template;
#[cfg(test)]
mod tests;

pub use field::Field;
pub use format::{Format, each};
pub use record::{Local, Record, TcpFacts, What};
pub use settings::{ConnectionLog, EventLog, LogPlace};
pub use template::Template;
