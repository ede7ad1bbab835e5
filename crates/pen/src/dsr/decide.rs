//! What becomes of one frame: the core decides, and what is not for a server is dealt with here.

use std::net::IpAddr;

use pen_core::dsr::{Deed, DropReason, Judge};
use pen_core::frames::{Built, Mac};
use pen_core::moment::Moment;
use pen_core::report::dsr::Counts;

use super::contain::contain;
use super::view::{Eyes, View};
use super::{Shared, tally};

/// What a batch found, beside what it sends to servers.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) counts: Counts,
    /// Frames that go back, with their VLAN tag.
    pub(super) answers: Vec<(Built, Option<[u8; 4]>)>,
    /// Who said to be where.
    pub(super) heard: Vec<(IpAddr, Mac)>,
    /// Server and bytes of each frame for a server.
    pub(super) servers: Vec<(u32, u64)>,
}

/// Decides about a frame, and does what is to be done if it is not for a server; else answers which one
/// that is. A frame that meets a defect of Pen is dropped.
pub(super) fn decide(
    judge: &mut Judge,
    shared: &Shared,
    eyes: &Eyes<'_>,
    (bytes, tag): (&[u8], Option<[u8; 4]>),
    findings: &mut Findings,
) -> Option<(u32, Mac)> {
    let Eyes { view, now, .. } = *eyes;
    let decided = contain(shared, view, || {
        #[cfg(debug_assertions)]
        crate::worker::faults::at_frame(bytes);
        let verdict = judge.judge(&view.scene, eyes, bytes, now);
        findings.heard.extend(verdict.heard);
        match verdict.deed {
            Deed::Forward(slot, mac) => Some((slot, mac)),
            other => {
                aside(shared, view, other, tag, now, findings);
                None
            }
        }
    });
    decided.unwrap_or_else(|| {
        tally::count(&mut findings.counts, DropReason::Defect);
        None
    })
}

/// What is not for a server.
fn aside(
    shared: &Shared,
    view: &View,
    deed: Deed,
    tag: Option<[u8; 4]>,
    now: Moment,
    findings: &mut Findings,
) {
    match deed {
        Deed::Forward(..) => {}
        Deed::Answer(built) => {
            findings.counts.answered += 1;
            findings.answers.push((built, tag));
        }
        Deed::Tarpit(bait) => {
            match shared.tarpit().take(view.scene.own, &bait, view.manners, now) {
                Ok(built) => {
                    findings.counts.tarpit += 1;
                    findings.answers.push((built, tag));
                }
                Err(why) => tally::count(&mut findings.counts, why),
            }
        }
        Deed::Drop(why) => tally::count(&mut findings.counts, why),
    }
}
