//! `sandbox`: at the start only, because what is given up cannot be had back.

use crate::command::{Context, Done, Door, Fault};
use crate::config::Process;
use crate::sandbox::Sandbox;

pub(super) fn apply(
    process: &mut Process,
    context: &Context,
    wanted: &Sandbox,
) -> Result<Done, Fault> {
    let mut done = Done::default();
    if context.starting || process.sandbox == *wanted {
        process.sandbox.clone_from(wanted);
        return Ok(done);
    }
    let words = wanted.words();
    if context.door == Door::Control {
        let message = format!("sandbox: '{words}' comes too late; it is for the start only");
        return Err(Fault::new(message, 0));
    }
    done.notices.push(format!("sandbox: {words} takes effect at the next start"));
    Ok(done)
}
