//! Makes `cargo test` build the tools, which scenarios elsewhere run, and looks at how they refuse.
#![forbid(unsafe_code)]

use std::process::Command;

#[test]
fn penctl_without_arguments_prints_usage() {
    let said = Command::new(env!("CARGO_BIN_EXE_penctl")).output().expect("cargo built it");
    assert!(said.status.success());
    assert!(String::from_utf8_lossy(&said.stdout).to_lowercase().contains("usage"));
}

#[test]
fn penctl_without_a_listener_fails_with_the_address() {
    let mut penctl = Command::new(env!("CARGO_BIN_EXE_penctl"));
    let said = penctl.args(["/no/such/socket", "pid"]).output().expect("cargo built it");
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).contains("/no/such/socket"));
}
