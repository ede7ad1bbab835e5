//! The reply of `events`: what happened lately.

use std::sync::Arc;

use serde::Serialize;

use crate::event::{Occurrence, Since};

/// The events, as lines or as one object.
#[must_use]
pub fn reply(since: &Since, as_json: bool) -> String {
    #[derive(Serialize)]
    struct Reply<'a> {
        events: Vec<&'a Occurrence>,
        lost: u64,
        last: u64,
    }
    if as_json {
        let events = since.events.iter().map(Arc::as_ref).collect();
        return super::json::line(&Reply { events, lost: since.lost, last: since.last });
    }
    let mut text = String::new();
    for event in &since.events {
        text += &event.line();
        text.push('\n');
    }
    text
}
