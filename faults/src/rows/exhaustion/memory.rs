//! Far more load than there is memory for, in a control group of 24 MB: 3,000 clients and their server send
//! at once while the balancer stands still, and read nothing.

use std::time::Duration;

use pen_test::storm::{Asker, Storm, is_answered};
use pen_test::{Group, Place, Scratch, Sig, Wire};

use crate::rows::Row;
use crate::running::Running;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run: |stage| run(stage, false),
    ..Row::new(
        34,
        "24 MB of memory, load far above",
        "never ended for memory; a client who reads is always served, a new one during and after",
    )
};

pub const UNIX: Row = Row {
    run: |stage| run(stage, true),
    form: "c",
    title: "24 MB of memory, load far above, the server at a Unix socket",
    // What the server does not read is kept by the kernel, and no connection that is closed frees it.
    expects: "never ended for memory; a client who reads is always served, a new one after",
    ..ROW
};

/// The connections alone would take more than the budget, 70 percent of it.
const LIMIT: u64 = 24 << 20;
/// Those who come.
pub(super) const CLIENTS: usize = 3_000;

fn run(stage: &Stage, unix: bool) -> Verdict {
    let scratch = Scratch::new();
    let server = if unix { Place::Unix(scratch.path("server")) } else { Place::local(0) };
    let mut storm = Storm::at(&server);
    let mut setup = Setup { room: CLIENTS + 500, ..Setup::of([storm.word()]) }
        .with(Subject::Pen, Scope::Global, "engine copy")
        .with(Subject::Pen, Scope::Global, format!("pending_max {CLIENTS}"));
    if !unix {
        // The kernel would hold the bytes otherwise, and the balancer nothing.
        setup = setup
            .with(Subject::Pen, Scope::Global, "sndbuf 4096")
            .with(Subject::Haproxy, Scope::Global, "tune.sndbuf.client 4096")
            .with(Subject::Haproxy, Scope::Global, "tune.sndbuf.server 4096");
    }
    let (group, mut balancer) = match confined(stage, &setup) {
        Ok(both) => both,
        Err(verdict) => return verdict,
    };
    let steady = Asker::start(&balancer.place);
    let served = storm.gather(&balancer.place, CLIENTS);
    storm.break_loose(&balancer.pids());
    std::thread::sleep(Duration::from_secs(stage.of(20, 5)));
    let fresh = unix || Wire::connect(&balancer.place).is_ok_and(|wire| is_answered(&wire));
    let (answers, all) = steady.end();
    let cut = storm.cut();
    let (lives, kills, most) = (balancer.lives(), group.kills(), group.most() >> 20);
    storm.pass_over();
    let after = lives && Wire::connect(&balancer.place).is_ok_and(|wire| is_answered(&wire));
    let words = format!(
        "{kills} kills for memory, {}, most {most} MB, {served} of {CLIENTS} taken in, {cut} cut; who \
         reads: {answers} answers, {}; a new one: {}, after: {after}",
        if lives { "lives" } else { "ENDED" },
        if all { "all" } else { "then NONE" },
        if unix { "not asked for".to_owned() } else { fresh.to_string() },
    );
    // Only Pen has a budget; it must have been needed.
    let said = balancer.said();
    let told = ["memory: full: ", "memory: critical: "].iter().all(|stage| said.contains(stage));
    let shed = stage.subject != Subject::Pen || told && cut > 0;
    kill(balancer);
    Verdict::of(lives && kills == 0 && shed && all && fresh && after, words)
}

/// A balancer in a control group with little memory.
///
/// # Errors
/// The verdict, where there are no such groups or it does not start.
pub(super) fn confined(stage: &Stage, setup: &Setup) -> Result<(Group, Running), Verdict> {
    let group = Group::limited(LIMIT);
    let group = group.ok_or_else(|| Verdict::skipped("no control groups for memory here"))?;
    let scratch = Scratch::new();
    let program = group.program(&stage.program, &scratch);
    let balancer = Running::start(stage.subject, &program, setup);
    Ok((group, balancer.map_err(|why| Verdict::of(false, why))?))
}

/// Ends all of its processes: nginx's workers would outlive their master for a while, and the group has to
/// be empty.
pub(super) fn kill(balancer: Running) {
    balancer.pids().into_iter().for_each(|pid| Sig::Kill.send(pid));
}
