//! The same where frames are passed on (direct server return): the table's server for a client, then
//! the ones that the table has for it while those before are out.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Answer, By, Outcome, Question, Skip, Standing, Trial, all};
use crate::addr::ClientAddr;
use crate::dsr::{self, DropReason, Farm};
use crate::limits::EXPLAIN_TURNS_MAX;
use crate::moment::Moment;
use crate::reasons::Refusal;
use crate::servers::ServerRef;
use crate::service::Live;

/// What becomes of the first frame of a new flow. `None` for a client that sends no frames.
#[must_use]
pub fn explain(
    question: &Question,
    scene: &dsr::Scene,
    farm: &impl Farm,
    live: &Live,
    now: Moment,
) -> Option<Answer> {
    let ClientAddr::Ip(ip) = question.client else { return None };
    let by = By::Maglev { port: scene.with_port };
    let by_port = scene.with_port && question.port.is_none();
    let client = (ip, question.port.unwrap_or(0));
    let without = Without { farm, out: RefCell::default() };
    let mut trials = Vec::new();
    let mut outcome = None;
    for turn in 1..=EXPLAIN_TURNS_MAX {
        match dsr::drawn(scene, &without, client) {
            Err(reason) => {
                outcome.get_or_insert(Outcome::Dropped(reason));
                break;
            }
            Ok(_) if by_port => {
                outcome = Some(Outcome::ByPort);
                break;
            }
            Ok(slot) => {
                outcome.get_or_insert_with(|| first(farm, slot));
                let standing = Standing::Tried { turn, crowded: false };
                trials.push(Trial { server: ServerRef::Regular(slot), standing });
                without.out.borrow_mut().insert(slot);
            }
        }
    }
    let tried = without.out.into_inner();
    let denied = outcome == Some(Outcome::Dropped(DropReason::Denied));
    for server in all(&live.servers, live) {
        let standing = match server {
            ServerRef::Regular(slot) if tried.contains(&slot) => continue,
            ServerRef::Regular(_) if denied => Standing::Skipped(Skip::ClientDenied),
            ServerRef::Regular(slot) => standing(farm, live, slot, ip, now),
            ServerRef::Emergency | ServerRef::Abuse => Standing::Skipped(Skip::NoFrames),
        };
        trials.push(Trial { server, standing });
    }
    let outcome = outcome.unwrap_or(Outcome::Dropped(DropReason::NoServer));
    Some(Answer { by, outcome, trials, at_last: None })
}

/// What the frame's server makes of it.
fn first(farm: &impl Farm, slot: u32) -> Outcome {
    match farm.standing(slot) {
        dsr::Standing::Ready(_) => Outcome::Server(ServerRef::Regular(slot)),
        _ => Outcome::Dropped(DropReason::ServerUnknown),
    }
}

fn standing(farm: &impl Farm, live: &Live, slot: u32, client: IpAddr, now: Moment) -> Standing {
    let server = live.server(ServerRef::Regular(slot));
    let Some(server) = server.filter(|s| s.config.host.ip().is_some_and(|ip| !ip.is_unspecified()))
    else {
        return Standing::Refused(Refusal::Unset);
    };
    if server.load.blacklisted(now, live.config.blacklist_s) {
        return Standing::Refused(Refusal::Blacklisted);
    }
    match farm.standing(slot) {
        dsr::Standing::Gone | dsr::Standing::Shunned(_) => Standing::Skipped(Skip::Silent),
        _ if !farm.admits(slot, client) => Standing::Refused(Refusal::DeniedByAcl),
        _ => Standing::Possible,
    }
}

/// The farm without some servers.
struct Without<'a, F> {
    farm: &'a F,
    out: RefCell<BTreeSet<u32>>,
}

impl<F: Farm> Farm for Without<'_, F> {
    fn standing(&self, slot: u32) -> dsr::Standing {
        if self.out.borrow().contains(&slot) {
            return dsr::Standing::Gone;
        }
        self.farm.standing(slot)
    }

    fn admits(&self, slot: u32, client: IpAddr) -> bool {
        self.farm.admits(slot, client)
    }

    fn permits(&self, client: IpAddr) -> bool {
        self.farm.permits(client)
    }
}
