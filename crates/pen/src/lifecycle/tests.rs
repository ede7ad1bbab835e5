//! Rights and the background, in processes of their own where it cannot be undone.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use pen_sys::pidfile::PidFile;

use super::*;

/// An empty directory of this test.
fn stage(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("pen-lifecycle-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    dir
}

#[test]
fn rights_are_looked_up_by_name() {
    let failure = Rights::look_up(Some("no-such-user-here"), None).unwrap_err();
    assert_eq!(failure.text, "user no-such-user-here: no such user");
    let nothing = Rights::look_up(None, None).unwrap();
    assert_eq!(nothing.permit_control(), !privileges::is_root());
    assert!(Rights::look_up(Some("root"), None).unwrap().permit_control());
    nothing.give_up(&[]).unwrap();
}

const JAIL: &str = "PEN_TEST_JAIL";

/// Not a test of its own: the part of the next one that cannot be undone.
#[test]
fn in_the_jail() {
    let Some(jail) = std::env::var_os(JAIL) else { return };
    let rights = Rights::look_up(Some("nobody"), Some(Path::new(&jail))).unwrap();
    let wrong = Rights::look_up(None, Some(Path::new("/no/such/jail"))).unwrap();
    assert!(wrong.give_up(&[]).unwrap_err().text.starts_with("cannot enter /no/such/jail: "));
    let (logs, _thread) = Logs::start(false, 0).unwrap();
    rights.give_up(&[]).unwrap();
    assert_eq!(privileges::uid(), privileges::user("nobody").map_or(65_534, |u| u.uid));
    // Rights belong to the process: threads that run already have lost them too.
    let place = crate::logs::Place::File("/t.log".into());
    let target = crate::logs::Target::open(&place).unwrap();
    logs.install(crate::logs::LogId(1), target, crate::logs::Shape::Classic).unwrap();
    logs.reopen_all().unwrap();
    assert!(logs.flush_and_stop(Duration::from_secs(5)));
    let pid = PidFile::write(Path::new("/pen.pid")).unwrap();
    assert!(std::fs::read("/etc/passwd").is_err());
    drop(pid);
}

#[test]
fn files_are_opened_as_the_user_inside_the_jail() {
    if !privileges::is_root() {
        println!("skipped: needs root");
        return;
    }
    let jail = stage("jail");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&jail, open).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::tests::in_the_jail", "--nocapture"])
        .env(JAIL, &jail)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let nobody = privileges::user("nobody").unwrap().uid;
    for name in ["pen.pid", "t.log"] {
        assert_eq!(std::fs::metadata(jail.join(name)).unwrap().uid(), nobody, "{name}");
    }
    std::fs::remove_dir_all(&jail).unwrap();
}

#[test]
fn in_the_foreground_there_is_nobody_to_wait() {
    let Begun::Service(start) = begin(false, None).unwrap() else { panic!("no parent here") };
    assert!(!start.is_background());
    let (logs, thread) = Logs::start(false, 0).unwrap();
    start.succeed(&logs, &Notify::default(), "up").unwrap();
    assert!(logs.flush_and_stop(Duration::from_secs(5)));
    thread.join().unwrap();
    // Threads run here: the background is out of reach, and says so.
    let Err(failure) = begin(true, None) else { panic!("must fail") };
    assert!(failure.text.starts_with("cannot go to the background: "));
}
