//! Options against the real kernel.

use super::*;

fn config(change: impl FnOnce(&mut ServiceConfig)) -> Config {
    let mut config = Config::default();
    change(&mut config.services[0]);
    config
}

#[test]
fn what_is_not_asked_for_is_not_tried() {
    assert_eq!(check(&Config::default(), &Config::default()), Ok(Vec::new()));
    assert_eq!(of(&Config::default().services[0]), Options::default());
}

#[test]
fn a_congestion_control_that_nobody_has_is_an_error_with_a_list() {
    let new = config(|s| s.sockets.congestion = Some("nosuch".into()));
    let error = check(&Config::default(), &new).unwrap_err();
    assert!(error.contains("service default: congestion nosuch:"), "{error}");
    assert!(error.contains("reno"), "{error}");
    // Already true: not looked at again.
    assert_eq!(check(&new, &new), Ok(Vec::new()));
    let new = config(|s| s.sockets.congestion = Some("reno".into()));
    assert_eq!(check(&Config::default(), &new), Ok(Vec::new()));
}

#[test]
fn a_buffer_that_the_kernel_cuts_is_a_warning() {
    let new = config(|s| s.sockets.rcvbuf = pen_core::limits::SOCKET_BUFFER_MAX);
    let warnings = check(&Config::default(), &new).unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("rcvbuf 1073741823: the kernel gives"), "{warnings:?}");
    let new = config(|s| s.sockets.sndbuf = 65_536);
    assert_eq!(check(&Config::default(), &new), Ok(Vec::new()));
}
