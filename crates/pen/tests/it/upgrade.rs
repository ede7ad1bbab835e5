//! The program is replaced while it serves: no connection is refused, reset or cut, and what goes wrong
//! changes nothing.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use pen_test::{
    End, Farm, Load, Pattern, Pen, PenBuilder, Place, Sig, TestServer, UdpClient, UdpServer, acts,
    deadline, fingerprint, is_root, over_tls, pen_program, penctl_program, until,
};

/// A pen that may be replaced.
fn replaceable(farm: &Farm) -> PenBuilder {
    // What is forced for all scenarios may be a sandbox in which nothing is started any more.
    Pen::over(farm).args(["-X", "-O", "sandbox on"])
}

/// The process that answers at the control socket.
fn in_charge(pen: &Pen) -> u32 {
    until("somebody at the control socket", || pen.ctl("pid").trim().parse().ok())
}

fn in_file(pen: &Pen) -> u32 {
    let text = std::fs::read_to_string(pen.path("pid")).expect("a pid file");
    text.trim().parse().expect("a number")
}

fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim_start().starts_with('Z') && !rest.is_empty())
}

/// Ends whoever is in charge when the scenario is over, for the kit knows only whom it has started.
struct Heirs<'a>(&'a Pen);

impl Drop for Heirs<'_> {
    fn drop(&mut self) {
        // The control socket knows at once who is in charge, the pid file a moment later.
        if let Ok(session) = std::os::unix::net::UnixStream::connect(self.0.control().word()) {
            end_who_answers(session);
        }
    }
}

fn end_who_answers(mut session: std::os::unix::net::UnixStream) {
    let mut said = String::new();
    let _ = session.set_read_timeout(Some(deadline()));
    let _ = session.write_all(b"pid\n");
    let _ = session.read_to_string(&mut said);
    if let Ok(pid) = said.trim().parse() {
        Sig::Kill.send(pid);
    }
}

/// A transfer that began before an upgrade and ends after some more.
fn transfer(place: &Place, count: usize) -> impl FnOnce() + Send + use<> {
    let place = place.clone();
    move || {
        let client = pen_test::Wire::connect(&place).expect("pen accepts");
        client.finish();
        let (mut expected, mut came) = (fingerprint(), fingerprint());
        expected.add(&Pattern::new(7).take(count));
        let mut buffer = vec![0; 64 * 1024];
        while came.value().0 < expected.value().0 {
            let n = client.read_some(&mut buffer).expect("the transfer goes on");
            came.add(&buffer[..n]);
            // Slow enough to outlive an upgrade.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert_eq!(came.value(), expected.value());
        assert_eq!(client.end(), End::Eof);
    }
}

#[test]
fn twenty_upgrades_under_load_lose_nothing() {
    const BYTES: usize = 8 << 20;
    let farm = Farm::banners(3);
    let bulk = TestServer::start("bulk", acts::answer_after_eof(BYTES));
    let place = Place::free();
    let builder = replaceable(&farm);
    let tls = builder.tls_line();
    let file = format!(
        "service bulk\n{tls}listen {}\nserver 0 address {}\n",
        place.word(),
        bulk.word().replacen(':', " port ", 1)
    );
    let pen = builder.file(&file).start();
    let _heirs = Heirs(&pen);
    let mut load = Load::on(pen.place(), 4);
    let mut transfers = Vec::new();
    let mut before = pen.pid();
    for round in 0..20 {
        if round % 4 == 0 {
            transfers.push(std::thread::spawn(transfer(&place, BYTES)));
        }
        let asked = load.asked();
        until("more clients", || (load.asked() > asked + 20).then_some(()));
        if round % 2 == 0 {
            let reply = pen.ctl("upgrade");
            assert!(reply.starts_with("upgraded: process "), "{reply}");
        } else {
            Sig::Usr2.send(before);
        }
        let heir = until("another process", || Some(in_charge(&pen)).filter(|pid| *pid != before));
        until("its number in the pid file", || (in_file(&pen) == heir).then_some(()));
        before = heir;
    }
    for transfer in transfers {
        transfer.join().expect("a whole transfer");
    }
    let asked = load.asked();
    until("more clients", || (load.asked() > asked + 20).then_some(()));
    load.stop();
    println!("{} connections, {} failed", load.asked(), load.failed());
    assert_eq!(load.failed(), 0, "of {}", load.asked());
    Sig::Term.send(before);
    until("the last one to end", || (!lives(before)).then_some(()));
    assert!(!pen.path("pid").exists(), "the pid file goes with the last one");
}

/// A program that stands where Pen was started from, and can be replaced by another.
fn installed(script: &str, at: &Path) {
    let fresh = at.with_extension("fresh");
    std::fs::write(&fresh, script).expect("the directory is ours");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&fresh, mode).expect("it is ours");
    std::fs::rename(&fresh, at).expect("the directory is ours");
}

/// Pen, started by a path of its own.
struct Installed {
    child: std::process::Child,
    scratch: pen_test::Scratch,
    place: Place,
}

impl Installed {
    fn start(farm: &Farm) -> Self {
        let scratch = pen_test::Scratch::new();
        let place = Place::free();
        std::os::unix::fs::symlink(pen_program(), scratch.path("pen")).expect("ours");
        let mut command = Command::new(scratch.path("pen"));
        command.args(["-f", "-X", "-O", "sandbox on", "-C"]).arg(scratch.path("ctl"));
        if is_root() {
            command.args(["-u", "root"]);
        }
        command.arg("-p").arg(scratch.path("pid")).arg(place.word()).args(farm.words(""));
        let log = std::fs::File::create(scratch.path("log")).expect("ours");
        let child = command.stderr(log).spawn().expect("it starts");
        let pen = Self { child, scratch, place };
        until("pen to answer", || pen.ask("pid").trim().parse::<u32>().ok());
        pen
    }

    fn path(&self) -> PathBuf {
        self.scratch.path("pen")
    }

    fn ask(&self, line: &str) -> String {
        let mut command = Command::new(penctl_program());
        let output = command.arg(self.scratch.path("ctl")).arg(line).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    }

    fn still_serves(&self, pid: u32) {
        assert_eq!(self.ask("pid").trim(), pid.to_string());
        let client = pen_test::Wire::connect(&self.place).expect("pen accepts");
        assert!(client.read_line().starts_with("s0"));
        let text = std::fs::read_to_string(self.scratch.path("pid")).expect("a pid file");
        assert_eq!(text.trim(), pid.to_string());
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let session = std::os::unix::net::UnixStream::connect(self.scratch.path("ctl"));
        if let Ok(session) = session {
            end_who_answers(session);
        }
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            let mut text = String::new();
            let log = std::fs::File::open(self.scratch.path("log"));
            drop(log.map(|mut file| file.read_to_string(&mut text)));
            eprintln!("pen said:\n{text}");
        }
    }
}

#[test]
fn whatever_goes_wrong_with_the_new_one_the_old_one_serves() {
    if over_tls() {
        return eprintln!("skipped: about processes, not about bytes");
    }
    let farm = Farm::banners(1);
    let pen = Installed::start(&farm);
    let pid = pen.child.id();
    let mut load = Load::on(&pen.place, 2);
    let goes_on = format!("process {pid} goes on");
    // No program; one that ends; one that is ended.
    let scripts = [
        (None, "cannot start "),
        (Some("#!/bin/sh\nexit 3\n"), "it ended before it was ready"),
        (Some("#!/bin/sh\nkill -9 $$\n"), "it ended before it was ready"),
    ];
    for (script, why) in scripts {
        match script {
            Some(script) => installed(script, &pen.path()),
            None => std::fs::remove_file(pen.path()).expect("ours"),
        }
        let reply = pen.ask("upgrade");
        assert!(reply.contains(why) && reply.contains(&goes_on), "{reply}");
        pen.still_serves(pid);
    }
    // The real one, which finds that it cannot serve: its arguments are those of the start, and so it is
    // the environment that is in its way.
    let real = pen_program();
    let limit = format!("#!/bin/sh\nulimit -n 9\nexec {} \"$@\"\n", real.display());
    installed(&limit, &pen.path());
    let reply = pen.ask("upgrade");
    assert!(reply.starts_with("error: upgrade: ") && reply.contains(&goes_on), "{reply}");
    pen.still_serves(pid);
    // One that is ended from outside before it is ready. Meanwhile a second upgrade is refused.
    let flag = pen.scratch.path("flag");
    let slow =
        format!("#!/bin/sh\necho $$ >{0}.new; mv {0}.new {0}; exec sleep 600\n", flag.display());
    installed(&slow, &pen.path());
    Sig::Usr2.send(pid);
    let slow: u32 =
        until("the slow one", || std::fs::read_to_string(&flag).ok()?.trim().parse().ok());
    let second = pen.ask("upgrade");
    assert!(second.contains("one runs already"), "{second}");
    pen.still_serves(pid);
    Sig::Kill.send(slow);
    until("the end of the attempt", || {
        let events = pen.ask("events");
        (events.matches("key=upgrade_failed").count() >= scripts.len() + 3).then_some(())
    });
    pen.still_serves(pid);
    // And at last it succeeds.
    std::fs::remove_file(pen.path()).expect("ours");
    std::os::unix::fs::symlink(real, pen.path()).expect("ours");
    let reply = pen.ask("upgrade");
    assert!(reply.starts_with("upgraded: process "), "{reply}");
    load.stop();
    assert_eq!(load.failed(), 0, "of {}", load.asked());
}

#[test]
fn a_file_that_cannot_be_served_changes_nothing() {
    let farm = Farm::banners(1);
    let pen = replaceable(&farm).file("blacklist 7\n").start();
    let _heirs = Heirs(&pen);
    std::fs::write(pen.file(), "blacklist soon\n").expect("ours");
    let reply = pen.ctl("upgrade");
    let expected = ["pen.conf:1:11: ", "soon", "goes on"];
    assert!(expected.iter().all(|text| reply.contains(text)), "{reply}");
    assert_eq!(in_charge(&pen), pen.pid());
    // What the file says in the end is true in the new process.
    std::fs::write(pen.file(), "blacklist 8\n").expect("ours");
    let reply = pen.ctl("upgrade");
    assert!(reply.starts_with("upgraded: "), "{reply}");
    assert_eq!(pen.ctl("blacklist"), "8\n");
    assert_ne!(in_charge(&pen), pen.pid());
}

#[test]
fn any_number_of_workers_takes_over_any_other() {
    let farm = Farm::banners(2);
    let pen = replaceable(&farm).file("workers 4\n").start();
    let _heirs = Heirs(&pen);
    let mut load = Load::on(pen.place(), 4);
    for workers in [1, 3, 8, 2, 4] {
        std::fs::write(pen.file(), format!("workers {workers}\n")).expect("ours");
        let reply = pen.ctl("upgrade");
        assert!(reply.starts_with("upgraded: "), "{reply}");
        assert_eq!(pen.ctl("workers"), format!("{workers}\n"));
        let asked = load.asked();
        until("clients of every queue", || (load.asked() > asked + 60).then_some(()));
    }
    load.stop();
    assert_eq!(load.failed(), 0, "of {}", load.asked());
}

#[test]
fn datagrams_find_the_new_process_and_answers_their_client() {
    if over_tls() {
        return eprintln!("skipped: there is no TLS over UDP here");
    }
    let server = UdpServer::echo("127.0.0.1");
    let place = Place::free();
    let pen = Pen::bare()
        .args(["-X", "-O", "sandbox on"])
        .file(&format!(
            "protocol udp\nlisten {}\nserver 0 address {}\n",
            place.word(),
            server.word().replacen(':', " port ", 1)
        ))
        .start();
    let _heirs = Heirs(&pen);
    let client = UdpClient::of(&place);
    for round in 0..5 {
        for n in 0..10 {
            let text = format!("question {round} {n}");
            assert_eq!(client.ask(text.as_bytes()), text.as_bytes(), "round {round}, {n}");
        }
        let reply = pen.ctl("upgrade");
        assert!(reply.starts_with("upgraded: "), "{reply}");
    }
}

#[test]
fn where_nothing_can_be_started_it_is_said_what_can_be_done() {
    let farm = Farm::banners(1);
    let pen = Pen::over(&farm).args(["-X", "-O", "sandbox strict /tmp"]).start();
    let reply = pen.ctl("upgrade");
    let expected = ["error: upgrade: in 'sandbox strict'", "systemctl restart", "goes on"];
    assert!(expected.iter().all(|text| reply.contains(text)), "{reply}");
    assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    if !is_root() {
        return eprintln!("skipped: other users need root");
    }
    let args = ["-u", "65534", "-O", "sandbox on"];
    let builder = Pen::over(&farm).no_control().args(args);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(builder.path(""), mode).expect("it is ours");
    let mut pen = builder.start();
    pen.signal(Sig::Usr2);
    until("the refusal", || pen.stderr().contains("as another user (-u) nothing").then_some(()));
    assert!(pen.runs());
    let pen = Pen::over(&farm).start();
    assert!(pen.ctl("upgrade").contains("-X"));
}

#[test]
fn the_metrics_page_is_shown_by_whoever_serves() {
    if over_tls() {
        return eprintln!("skipped: the page has no TLS");
    }
    let farm = Farm::banners(1);
    let page = Place::free();
    let pen = replaceable(&farm).command(&format!("metrics {}", page.word())).start();
    let _heirs = Heirs(&pen);
    let shown = || {
        let client = pen_test::Wire::connect(&page).expect("the page is there");
        client.send("GET /metrics HTTP/1.0\r\n\r\n").expect("it listens");
        String::from_utf8_lossy(&client.read_to_end().0).into_owned()
    };
    for _ in 0..3 {
        assert!(shown().starts_with("HTTP/1."), "{}", shown());
        let reply = pen.ctl("upgrade");
        assert!(reply.starts_with("upgraded: "), "{reply}");
    }
    assert!(shown().contains("pen_"), "{}", shown());
}

#[test]
fn a_path_is_handed_over_and_one_in_the_background_takes_over() {
    let farm = Farm::banners(1);
    let builder = replaceable(&farm);
    let front = Place::Unix(builder.path("front"));
    let pen = builder.listen(&front).background().start();
    let _heirs = Heirs(&pen);
    for _ in 0..3 {
        let before = in_charge(&pen);
        let client = pen.client();
        assert!(client.read_line().starts_with("s0"));
        let reply = pen.ctl("upgrade");
        assert!(reply.starts_with("upgraded: "), "{reply}");
        assert!(pen.client().read_line().starts_with("s0"));
        // The one before waits for the client that it has.
        assert!(lives(before));
        client.send("x").expect("it goes on");
        assert_eq!(client.read_exact(1), Ok(b"x".to_vec()));
        client.finish();
        assert_eq!(client.end(), End::Eof);
        until("the one before to end", || (!lives(before)).then_some(()));
    }
}
