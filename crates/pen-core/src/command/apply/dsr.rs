//! `dsr_ip` and `tarpit_acl`.

use std::net::IpAddr;

use super::show;
use crate::addr::Names;
use crate::command::{Done, Fault, Word};
use crate::config::ServiceConfig;
use crate::limits::ACL_LISTS;
use crate::near::shown;
use crate::server_word::resolve_host;

/// The address that a word means.
pub(super) fn ip(word: Option<&Word>, names: &dyn Names) -> Result<Option<IpAddr>, Fault> {
    let Some(word) = word else { return Ok(None) };
    let wrong = |why: &str| Fault::new(format!("dsr_ip: {} {why}", shown(&word.text)), word.column);
    let host = resolve_host(&word.text, names).map_err(|why| wrong(&format!(": {why}")))?;
    match host.ip().filter(|ip| !ip.is_unspecified() && !ip.is_multicast()) {
        Some(ip) => Ok(Some(ip)),
        None => Err(wrong("is no address of a machine")),
    }
}

/// As in the classic, a list that does not exist becomes list 0.
/// Stores a list; without one it is asked for. As in the classic, a list that does not exist becomes
/// list 0.
pub(super) fn tarpit_acl(service: &mut ServiceConfig, given: Option<i64>, done: &mut Done) {
    let fits = |n: i64| u8::try_from(n).ok().filter(|&list| usize::from(list) < ACL_LISTS);
    let stored = &mut service.dsr.tarpit_acl;
    match given.map(|n| (n, fits(n))) {
        None => {}
        Some((-1, _)) => *stored = None,
        Some((_, Some(list))) => *stored = Some(list),
        Some((n, None)) => {
            *stored = Some(0);
            done.notices.push(format!("tarpit_acl: {n} is out of range, 0 is used"));
        }
    }
    done.reply = show::tarpit_acl(*stored);
}
