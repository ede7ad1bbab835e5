//! A test in a network namespace of its own, where it may change what belongs to the machine.

use std::process::Command;

use crate::program::is_root;

/// Tells the test that it runs inside.
const INSIDE: &str = "PEN_TEST_NAMESPACE";

/// Runs `job` in new network and mount namespaces where loopback is up and the shell command
/// `prepare` has been run. `test` is the full name of the calling test: it is started again in
/// there, as a process of its own. Without the right to make namespaces it is skipped, with a
/// printed reason.
///
/// # Panics
/// When the test fails inside, or did not run there.
pub fn in_own_network(test: &str, prepare: &str, job: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return job();
    }
    // Root needs no user namespace, and pen could not become another user in one.
    let flags: &[&str] = match is_root() {
        true => &["--net", "--mount"],
        false => &["--net", "--mount", "--map-root-user"],
    };
    let possible = Command::new("unshare").args(flags).args(["ip", "link"]).output();
    if !possible.is_ok_and(|o| o.status.success()) {
        println!("skipped: no network namespaces here (unshare, ip)");
        return;
    }
    let script = format!("ip link set lo up && {{ {prepare}; }} && exec \"$@\"");
    let mut unshare = Command::new("unshare");
    unshare.args(flags).args(["sh", "-c", &script, "sh"]);
    let this = std::env::current_exe().expect("a test is a program");
    let output = unshare.arg(this).args(["--exact", test]).env(INSIDE, "1").output();
    let output = output.expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "in the namespace:\n{said}\n{complaints}");
    assert!(said.contains("1 passed"), "{test} did not run in the namespace:\n{said}");
}
