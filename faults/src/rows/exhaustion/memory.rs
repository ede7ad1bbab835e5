//! Far more load than there is memory for, in a control group of 64 MB.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pen_test::acts::Act;
use pen_test::{Scratch, Sig, TestServer, Wire, until};

use crate::rows::Row;
use crate::running::Running;
use crate::setup::{Scope, Setup};
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        34,
        "64 MB of memory, load far above",
        "never ended for memory; a client who reads is served during and after",
    )
};

const LIMIT: u64 = 64 << 20;

fn run(stage: &Stage) -> Verdict {
    let Some(group) = Group::limited(LIMIT) else {
        return Verdict::skipped("no control groups for memory here");
    };
    let server = TestServer::start("s0", pours());
    let setup = Setup { room: 3_000, ..Setup::of([server.word()]) }
        .with(Subject::Pen, Scope::Global, "engine copy")
        .with(Subject::Pen, Scope::Global, "pending_max 3000")
        // The kernel would hold the answers otherwise, and the balancer nothing.
        .with(Subject::Pen, Scope::Global, "sndbuf 4096")
        .with(Subject::Haproxy, Scope::Global, "tune.sndbuf.client 4096");
    let scratch = Scratch::new();
    let program = group.program(&stage.program, &scratch);
    let mut balancer = match Running::start(stage.subject, &program, &setup) {
        Ok(balancer) => balancer,
        Err(why) => return Verdict::of(false, why),
    };
    let steady = Wire::connect(&balancer.place);
    let count = stage.of(2_500, 1_500);
    let greedy: Vec<Wire> = (0..count)
        .filter_map(|_| {
            let wire = Wire::connect(&balancer.place).ok()?;
            // It may be closed already.
            let _ = wire.send(b"GET\n");
            Some(wire)
        })
        .collect();
    std::thread::sleep(Duration::from_secs(stage.of(5, 2)));
    let during = steady.is_ok_and(|wire| asks(&wire))
        || Wire::connect(&balancer.place).is_ok_and(|wire| asks(&wire));
    let shed = greedy.iter().filter(|wire| has_been_cut(wire)).count();
    let (lives, kills) = (balancer.lives(), group.kills());
    let most = group.most() >> 20;
    drop(greedy);
    let after = lives && (0..20).any(|_| Wire::connect(&balancer.place).is_ok_and(|w| asks(&w)));
    let words = format!(
        "{kills} kills for memory, {}, most {most} MB, {shed} of {count} shed, served during: {during}, \
         after: {after}",
        if lives { "lives" } else { "ENDED" },
    );
    // nginx's workers would outlive their master for a while, and the group has to be empty.
    balancer.pids().into_iter().for_each(|pid| Sig::Kill.send(pid));
    drop(balancer);
    Verdict::of(lives && kills == 0 && during && after, words)
}

/// Answers without end to `GET`, and `pong` to everything else.
fn pours() -> Act {
    Arc::new(|served| {
        while let Ok(asked) = served.read_exact(4) {
            let piece = vec![7; 64 * 1024];
            while asked == b"GET\n" && !served.is_leaving() && served.send(&piece).is_ok() {}
            if served.send(b"pong").is_err() {
                return;
            }
        }
    })
}

fn asks(wire: &Wire) -> bool {
    wire.set_patience(Duration::from_secs(5));
    wire.send(b"ping").is_ok() && wire.read_exact(4).is_ok_and(|b| b == b"pong")
}

/// Whether the balancer has reset it. What it had sent before may still be there to read.
fn has_been_cut(wire: &Wire) -> bool {
    wire.send_some(b".").is_err_and(|e| e.kind() != std::io::ErrorKind::WouldBlock)
}

/// A control group that ends with the case.
struct Group(PathBuf);

impl Group {
    fn limited(bytes: u64) -> Option<Self> {
        let one = Path::new("/sys/fs/cgroup/memory");
        let (root, limit) = match one.join("memory.limit_in_bytes").exists() {
            true => (one, "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max"),
        };
        let group = Self(root.join(format!("pen-faults-{}", std::process::id())));
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join(limit), bytes.to_string()).ok()?;
        Some(group)
    }

    /// A program that starts another one in it.
    fn program(&self, program: &Path, scratch: &Scratch) -> PathBuf {
        let (group, program) = (self.0.display(), program.display());
        let text = format!("#!/bin/sh\necho $$ > {group}/cgroup.procs\nexec {program} \"$@\"\n");
        let file = scratch.write("in-group", &text);
        drop(fs::set_permissions(&file, fs::Permissions::from_mode(0o755)));
        file
    }

    /// How often the kernel ended a process of it for memory.
    fn kills(&self) -> u64 {
        let text = self.text("memory.events") + &self.text("memory.oom_control");
        let number = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok();
        text.lines().filter_map(number).sum()
    }

    /// The most bytes it had.
    fn most(&self) -> u64 {
        let text = self.text("memory.max_usage_in_bytes") + &self.text("memory.peak");
        text.trim().parse().unwrap_or_default()
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes have ended, or are about to.
        until("the group to be empty", || fs::remove_dir(&self.0).ok());
    }
}
