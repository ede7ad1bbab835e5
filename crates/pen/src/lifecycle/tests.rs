//! Pid files on a real file system; rights in processes of their own.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

/// An empty directory of this test.
fn stage(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("pen-lifecycle-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap();
    dir
}

#[test]
fn the_pid_file_holds_the_number_and_goes_with_the_process() {
    let dir = stage("pid");
    let path = dir.join("p.pid");
    for before in [None, Some("999999 and something old\n")] {
        if let Some(text) = before {
            std::fs::write(&path, text).unwrap();
        }
        let pid = PidFile::write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        let twice = PidFile::write(&path).unwrap_err();
        assert!(twice.text.contains("still runs"), "{}", twice.text);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        pid.remove().unwrap();
        assert!(!path.exists());
    }
    let pid = PidFile::write(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "of another").unwrap();
    pid.remove().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "of another");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_is_no_plain_file_is_refused_and_untouched() {
    let dir = stage("odd");
    let precious = dir.join("precious");
    std::fs::write(&precious, "precious").unwrap();
    let (link, socket, fifo) = (dir.join("link"), dir.join("socket"), dir.join("fifo"));
    symlink(&precious, &link).unwrap();
    let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [&link, &socket, &fifo, &dir, &PathBuf::from("/dev/null"), &dir.join("no/x.pid")] {
        let failure = PidFile::write(path).unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        assert!(failure.text.contains(&path.display().to_string()), "{}", failure.text);
    }
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn rights_are_looked_up_by_name() {
    let failure = Rights::look_up(Some("no-such-user-here"), None).unwrap_err();
    assert_eq!(failure.text, "user no-such-user-here: no such user");
    let nothing = Rights::look_up(None, None).unwrap();
    assert_eq!(nothing.permit_control(), !privileges::is_root());
    assert!(Rights::look_up(Some("root"), None).unwrap().permit_control());
    nothing.give_up().unwrap();
}

const JAIL: &str = "PEN_TEST_JAIL";

/// Not a test of its own: the part of the next one that cannot be undone.
#[test]
fn in_the_jail() {
    let Some(jail) = std::env::var_os(JAIL) else { return };
    let rights = Rights::look_up(Some("nobody"), Some(Path::new(&jail))).unwrap();
    let wrong = Rights::look_up(None, Some(Path::new("/no/such/jail"))).unwrap();
    assert!(wrong.give_up().unwrap_err().text.starts_with("cannot enter /no/such/jail: "));
    let (logs, _thread) = Logs::start(false, 0).unwrap();
    rights.give_up().unwrap();
    assert_eq!(privileges::uid(), privileges::user("nobody").map_or(65_534, |u| u.uid));
    // Rights belong to the process: threads that run already have lost them too.
    let place = crate::logs::Place::File("/t.log".into());
    let target = crate::logs::Target::open(&place).unwrap();
    logs.install(crate::logs::LogId(1), target).unwrap();
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
    let Begun::Service(start) = begin(false).unwrap() else { panic!("no parent here") };
    assert!(!start.is_background());
    let (logs, thread) = Logs::start(false, 0).unwrap();
    start.succeed(&logs, &Notify::default(), "up").unwrap();
    assert!(logs.flush_and_stop(Duration::from_secs(5)));
    thread.join().unwrap();
    // Threads run here: the background is out of reach, and says so.
    let Err(failure) = begin(true) else { panic!("must fail") };
    assert!(failure.text.starts_with("cannot go to the background: "));
}
