//! Other machines: network namespaces joined by cables to the one of the test.
//!
//! For tests inside [`crate::in_own_network`]: that namespace is one machine (the one where pen
//! runs), each [`Host`] is another. A host is gone when it is dropped, and with the test process
//! whatever happens.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::waiting::until;

/// A machine of its own.
#[derive(Debug)]
pub struct Host {
    name: &'static str,
    /// A process that lives there as long as its standard input is open.
    keeper: Child,
}

impl Host {
    /// One with nothing but a loopback.
    ///
    /// # Panics
    /// When namespaces cannot be made.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let host = Self { name, keeper: unshare.spawn().expect("unshare starts") };
        let here = std::fs::read_link("/proc/self/ns/net").expect("own namespace");
        until("the namespace of another host", || {
            let there = std::fs::read_link(host.namespace()).ok()?;
            (there != here).then_some(())
        });
        host.run("ip link set lo up");
        host
    }

    fn namespace(&self) -> String {
        format!("/proc/{}/ns/net", self.keeper.id())
    }

    /// Runs a shell command there.
    ///
    /// # Panics
    /// When it fails; the message holds what it said.
    pub fn run(&self, command: &str) {
        let mut enter = Command::new("nsenter");
        enter.arg(format!("--net={}", self.namespace())).args(["sh", "-ec", command]);
        succeed(self.name, command, enter);
    }

    /// A cable between `there`, an interface of this host, and `here`, one of the test's. Both ends
    /// are up.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn cable(&self, there: &str, here: &str) {
        let pid = self.keeper.id();
        run_here(&format!("ip link add {here} type veth peer name {there} netns {pid}"));
        run_here(&format!("ip link set {here} up"));
        self.run(&format!("ip link set {there} up"));
    }

    /// Takes over `here`, an interface of the test's network, and calls it `there`.
    ///
    /// # Panics
    /// When there is none, or the name is in use.
    pub fn take(&self, here: &str, there: &str) {
        let pid = self.keeper.id();
        run_here(&format!("ip link set {here} netns {pid} name {there}"));
    }

    /// Does something there: sockets and threads that it makes belong to this host for good.
    ///
    /// # Panics
    /// When `job` does, or the right to go there is missing.
    pub fn inside<T: Send>(&self, job: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.namespace()).expect("the host lives");
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                let network = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(namespace.as_fd(), network)
                    .expect("the right to go there");
                job()
            });
            there.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.keeper.kill());
        drop(self.keeper.wait());
    }
}

/// Runs a shell command in the network of the test.
///
/// # Panics
/// When it fails; the message holds what it said.
pub fn run_here(command: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-ec", command]);
    succeed("here", command, shell);
}

fn succeed(place: &str, what: &str, mut command: Command) {
    let output = command.output().expect("a shell starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {what}: {said}");
}
