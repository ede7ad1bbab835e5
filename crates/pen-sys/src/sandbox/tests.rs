//! Each test shuts in a thread of its own: what it gives up is gone with it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::net::{AddressFamily, SocketType};

use super::*;

fn alone(test: impl FnOnce() + Send + 'static) {
    if let Err(panic) = thread::spawn(test).join() {
        std::panic::resume_unwind(panic);
    }
}

/// An empty directory, removed at the end.
struct Stage(PathBuf);

impl Stage {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("pen-sandbox-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Those of a guard that are refused, or are not.
fn attempts(places: Option<&[&Path]>, of: fn(Guard) -> bool, refused: bool) -> Vec<&'static str> {
    let all = attempt_forbidden(places).into_iter();
    all.filter(|a| of(a.guard) && a.refused == refused).map(|a| a.what).collect()
}

const CALLS: fn(Guard) -> bool = |guard| guard == Guard::Calls;
const FILES: fn(Guard) -> bool = |guard| guard != Guard::Calls;

#[test]
fn what_is_forbidden_is_refused_and_was_not_before() {
    for calls in [Calls::Dangerous, Calls::Unknown { packets: false }] {
        alone(move || {
            // What the kernel refuses whoever lacks the rights, before it looks at what is asked.
            let by_right = ["load a module", "program the kernel", "watch the processor"];
            let before = attempts(None, CALLS, true);
            assert!(before.iter().all(|what| by_right.contains(what)), "no filter: {before:?}");
            forbid_calls(calls).unwrap();
            assert_eq!(attempts(None, CALLS, false), [""; 0], "{calls:?}");
            assert_eq!(attempts(None, CALLS, true).len(), 18);
            let account = account();
            assert!(account.no_new_privileges);
            assert_eq!(account.calls_filtered, Some(true));
        });
    }
    assert!(!account().no_new_privileges, "only the threads that asked for it");
}

#[test]
fn what_is_needed_still_works() {
    for calls in [Calls::Dangerous, Calls::Unknown { packets: true }] {
        alone(move || {
            forbid_calls(calls).unwrap();
            let sum = thread::spawn(|| 20 + 22).join().unwrap();
            assert_eq!(sum, 42, "threads start");
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let there = listener.local_addr().unwrap();
            let client = std::net::TcpStream::connect(there).unwrap();
            assert!(listener.accept().is_ok());
            drop(client);
            assert!("localhost:80".parse::<std::net::SocketAddr>().is_err());
            let names = std::net::ToSocketAddrs::to_socket_addrs("localhost:80");
            assert!(names.unwrap().count() > 0, "names are resolved");
            let refused = Command::new("/bin/true").status().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        });
    }
}

#[test]
fn what_rules_for_files_forbid_is_refused_and_was_not_before() {
    let stage = Stage::new("elsewhere");
    for strict in [false, true] {
        let place = stage.0.clone();
        alone(move || {
            let write = [place.as_path()];
            let places = strict.then_some(write.as_slice());
            // The parent may be another user's.
            let before = attempts(places, FILES, true);
            assert!(before.iter().all(|what| *what == "signal another process"), "{before:?}");
            let files = match strict {
                // For what the test itself reads.
                true => Files::Only { read: &[Path::new("/dev/null")], write: &write },
                false => Files::Ordinary,
            };
            forbid_new_privileges().unwrap();
            let Rules::Some { number, .. } = forbid_files(files).unwrap() else {
                println!("skipped: no Landlock here");
                return;
            };
            let after = attempt_forbidden(places);
            for a in after.iter().filter(|a| FILES(a.guard)) {
                let known = matches!(a.guard, Guard::Files(since) if since <= number);
                assert_eq!(a.refused, known, "{}", a.what);
            }
            let tried = after.iter().filter(|a| FILES(a.guard)).count();
            assert_eq!(tried, if strict { 4 } else { 2 });
        });
    }
    let root = [Path::new("/")];
    let tried = attempt_forbidden(Some(&root)).into_iter().filter(|a| FILES(a.guard)).count();
    assert_eq!(tried, 2, "all places are permitted ones");
}

#[test]
fn packet_sockets_only_where_they_are_needed() {
    let open = || rustix::net::socket(AddressFamily::PACKET, SocketType::RAW, None);
    let opens = move |calls| {
        let answer = thread::spawn(move || {
            forbid_calls(calls).unwrap();
            open()
        });
        answer.join().unwrap()
    };
    if open().is_err() {
        println!("skipped: this user may open no packet sockets");
        return;
    }
    assert!(opens(Calls::Dangerous).is_ok());
    assert!(opens(Calls::Unknown { packets: true }).is_ok());
    assert!(opens(Calls::Unknown { packets: false }).is_err());
}

#[test]
fn files_only_where_they_are_permitted() {
    let stage = Stage::new("only");
    let [here, there, elsewhere] = ["here", "there", "elsewhere"].map(|name| stage.0.join(name));
    for dir in [&here, &there, &elsewhere] {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("old"), "old").unwrap();
    }
    alone(move || {
        forbid_new_privileges().unwrap();
        let missing = there.join("missing");
        let (read, write) = ([there.as_path(), &missing], [here.as_path()]);
        let rules = forbid_files(Files::Only { read: &read, write: &write }).unwrap();
        if rules == Rules::None {
            println!("skipped: no Landlock here");
            return;
        }
        let denied = |result: io::Result<()>, what: &str| {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied, "{what}");
        };
        fs::write(here.join("new"), "new").unwrap();
        fs::rename(here.join("new"), here.join("old")).unwrap();
        assert_eq!(fs::read(here.join("old")).unwrap(), b"new");
        std::os::unix::net::UnixListener::bind(here.join("socket")).unwrap();
        fs::remove_file(here.join("socket")).unwrap();
        assert_eq!(fs::read(there.join("old")).unwrap(), b"old");
        denied(fs::write(there.join("old"), "new"), "write where only reading is permitted");
        denied(fs::remove_file(there.join("old")), "remove there");
        denied(fs::read(elsewhere.join("old")).map(drop), "read elsewhere");
        denied(fs::write(elsewhere.join("new"), "new"), "write elsewhere");
        denied(fs::read("/etc/hostname").map(drop), "read the system's files");
        denied(std::os::unix::fs::symlink("old", here.join("link")), "make a link");
    });
}

#[test]
fn ordinary_files_everywhere_and_nothing_else() {
    let stage = Stage::new("ordinary");
    let dir = stage.0.clone();
    alone(move || {
        forbid_new_privileges().unwrap();
        if forbid_files(Files::Ordinary).unwrap() == Rules::None {
            println!("skipped: no Landlock here");
            return;
        }
        fs::write(dir.join("file"), "text").unwrap();
        fs::rename(dir.join("file"), dir.join("other")).unwrap();
        assert_eq!(fs::read(dir.join("other")).unwrap(), b"text");
        std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
        assert!(fs::read("/etc/passwd").is_ok());
        assert!(std::os::unix::fs::symlink("other", dir.join("link")).is_err());
        let refused = Command::new("/bin/true").status().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "nothing is executed");
        // Other processes are out of reach; the parent of this one lives.
        let parent = rustix::process::getppid().unwrap();
        let signalled = rustix::process::test_kill_process(parent);
        assert_eq!(signalled, Err(rustix::io::Errno::PERM));
        let own = rustix::process::getpid();
        assert_eq!(rustix::process::test_kill_process(own), Ok(()), "itself it may signal");
    });
}
