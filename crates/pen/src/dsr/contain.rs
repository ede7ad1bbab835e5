//! A defect of Pen that a frame meets drops that frame and no other.
//!
//! Contained is what is decided about a frame and what is learnt from it. What a thread remembers of flows
//! and fragments, and what threads share of servers and the tarpit, is changed entry by entry, each whole at
//! every moment: at worst something that a frame told is not remembered. Not contained is what all frames have
//! in common: the ring, handing frames to the kernel, the questions for servers. A defect there ends the
//! process, as [`super::post::Post::work`] says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Shared;
use super::view::View;

/// Does something about a frame. `None` if it met a defect; that is told.
pub(super) fn contain<R>(shared: &Shared, view: &View, work: impl FnOnce() -> R) -> Option<R> {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    if done.is_none() {
        shared.say_defect(view);
    }
    done
}
