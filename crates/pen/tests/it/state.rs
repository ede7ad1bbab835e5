//! The state file: who ends and starts anew sends clients where they were, and so does the partner.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pen_test::{
    Farm, Pen, PenBuilder, Place, Program, Scratch, Sig, holds, in_own_network, is_root,
    pen_program, until,
};

/// Clients that the scenarios know.
const CLIENTS: usize = 12;

fn source(n: usize) -> String {
    format!("127.0.7.{}", n + 1)
}

/// Over these servers, the last one first.
fn backwards(farm: &Farm) -> PenBuilder {
    let mut words = farm.words("");
    words.reverse();
    Pen::bare().servers(words)
}

fn keeping(pen: PenBuilder, file: &Path) -> PenBuilder {
    // Round robin would not remember; the interval is longer than any test.
    pen.command(&format!("state_file {}", file.display())).command("state_interval 3600")
}

/// Which server each client has; they come in this order.
fn ask_all(pen: &Pen, order: impl IntoIterator<Item = usize>) -> Vec<(usize, Option<String>)> {
    let mut all: Vec<_> = order.into_iter().map(|n| (n, pen.ask(&source(n)))).collect();
    all.sort();
    all
}

#[test]
fn who_starts_anew_sends_clients_where_they_were() {
    let (farm, scratch) = (Farm::banners(5), Scratch::new());
    let file = scratch.path("state");
    let mut pen = keeping(Pen::over(&farm), &file).start();
    let had = ask_all(&pen, 0..CLIENTS);
    assert_eq!(pen.ctl("state write"), format!("{CLIENTS} clients written\n"));
    // Nothing is written at this end.
    pen.signal(Sig::Kill);
    pen.wait_exit();
    let mut pen = keeping(backwards(&farm), &file).start();
    assert_eq!(ask_all(&pen, (0..CLIENTS).rev()), had, "after a crash");
    // The file is older than the last of these.
    assert_eq!(pen.ask("127.0.8.1"), pen.ask("127.0.8.1"));
    let latecomer = pen.ask("127.0.8.1");
    assert_eq!(pen.stop(), Some(0));
    let pen = keeping(Pen::over(&farm), &file).start();
    assert_eq!(pen.ask("127.0.8.1"), latecomer, "after TERM");
    assert_eq!(ask_all(&pen, (0..CLIENTS).rev()), had);
    let said = pen.ctl("state json");
    assert!(said.contains(&format!("\"clients\":{}", CLIENTS + 1)), "{said}");
    assert!(pen.ctl("events").contains("key=state_read"), "{}", pen.ctl("events"));
}

#[test]
fn it_is_written_now_and_then_and_after_a_drain() {
    let (farm, scratch) = (Farm::banners(2), Scratch::new());
    let file = scratch.path("state");
    let mut pen = keeping(Pen::over(&farm), &file).command("state_interval 1").start();
    let had = pen.ask("127.0.7.1");
    let text = until("the file", || {
        fs::read_to_string(&file).ok().filter(|text| text.contains("\n127.0.7.1 "))
    });
    assert!(text.starts_with("pen-state 1\nwritten "), "{text}");
    let open = pen.client_from("127.0.7.2");
    let greeted = open.read_line();
    assert_eq!(pen.ctl("state_interval 3600"), "3600\n");
    pen.signal(Sig::Quit);
    drop(open);
    assert_eq!(pen.wait_exit(), Some(0));
    let pen = keeping(backwards(&farm), &file).start();
    assert_eq!(pen.ask("127.0.7.1"), had);
    assert!(greeted.starts_with(&pen.ask("127.0.7.2").expect("served")));
}

#[test]
fn servers_that_are_gone_and_clients_seen_too_long_ago_are_left_out() {
    let (farm, scratch) = (Farm::banners(4), Scratch::new());
    let file = scratch.path("state");
    let mut pen = keeping(Pen::over(&farm), &file).start();
    ask_all(&pen, 0..8);
    pen.stop();
    let pen = keeping(Pen::bare(), &file).servers([farm[1].word()]).start();
    let said = pen.ctl("state");
    assert!(said.contains("2 clients taken in, 6 of servers that are not here"), "{said}");
    drop(pen);
    let text = fs::read_to_string(&file).expect("there is a file");
    let old = text.replacen(text.lines().nth(1).expect("a time"), "written 1000000000", 1);
    let mended = with_right_end(&old);
    fs::write(&file, mended).expect("ours");
    let pen = keeping(Pen::over(&farm), &file).command("tracking 600").start();
    assert!(pen.ctl("state").contains("0 clients taken in"), "{}", pen.ctl("state"));
}

/// The same lines with their right end.
fn with_right_end(text: &str) -> String {
    let body: String = text
        .lines()
        .filter(|l| !l.starts_with("end "))
        .fold(String::new(), |all, line| all + line + "\n");
    let end = text.lines().last().expect("an end").split(' ').nth(1).expect("a count").to_owned();
    let mut sum = u32::MAX;
    for byte in body.bytes() {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    format!("{body}end {end} {:08x}\n", !sum)
}

#[test]
fn the_partner_takes_in_what_the_other_knows() {
    let (farm, scratch) = (Farm::banners(5), Scratch::new());
    let shipped = scratch.path("from-partner");
    let master = keeping(Pen::over(&farm), &shipped).start();
    let backup = keeping(backwards(&farm), &scratch.path("own")).start();
    // The backup knows two of them, from long ago and differently.
    ask_all(&backup, [1, 0]);
    assert!(
        holds(Duration::from_millis(1_200), || true),
        "who was at both within a second is known better here"
    );
    let had = ask_all(&master, 0..CLIENTS);
    assert_eq!(master.ctl("state write"), format!("{CLIENTS} clients written\n"));
    let said = backup.ctl(&format!("state read {}", shipped.display()));
    assert!(said.starts_with(&format!("{CLIENTS} clients taken in;")), "{said}");
    assert_eq!(ask_all(&backup, (0..CLIENTS).rev()), had);
    // They were at the backup later than there.
    let again = backup.ctl(&format!("state read {}", shipped.display()));
    assert!(
        again.starts_with(&format!("0 clients taken in, {CLIENTS} known better here")),
        "{again}"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_a_warning_and_nothing_more() {
    let (farm, scratch) = (Farm::banners(3), Scratch::new());
    let file = scratch.path("state");
    let mut pen = keeping(Pen::over(&farm), &file).start();
    ask_all(&pen, 0..4);
    pen.stop();
    let whole = fs::read_to_string(&file).expect("it was written");
    let rows = [
        ("its end is missing", whole.trim_end_matches(|c| c != ' ').to_owned(), true),
        ("its end is missing", "pen-state 1\n".to_owned(), true),
        ("its checksum is wrong", whole.replacen("127.0.7.2", "127.0.7.9", 1), true),
        ("of version 7", whole.replacen("pen-state 1", "pen-state 7", 1), true),
        ("something follows its end", whole.repeat(2), true),
        ("line 4: it is not the next server", whole.replacen("server 0", "server 9", 1), true),
        ("it is no state file of Pen", "hash\nserver 0 address 10.0.0.1\n".to_owned(), false),
        ("it is no state file of Pen", "\u{1}\u{2}".repeat(5_000), false),
    ];
    for (what, text, replaced) in rows {
        fs::write(&file, &text).expect("ours");
        let pen = keeping(Pen::over(&farm), &file).start();
        let said = pen.stderr();
        let warns = said.contains("WARNING") && said.contains(what);
        assert!(warns && said.contains("Pen starts with empty client tables"), "{what}: {said}");
        let events = pen.ctl("events");
        assert!(events.contains("key=state_failed") && events.contains("cause=read"), "{events}");
        assert_eq!(ask_all(&pen, 0..1).len(), 1);
        let said = pen.ctl("state write");
        assert_eq!(said == "1 clients written\n", replaced, "{said}");
        let stays = fs::read_to_string(&file).expect("it is there") == text;
        assert_eq!(stays, !replaced, "{what}");
    }
}

#[test]
fn what_is_no_file_holds_nobody_up() {
    let (farm, scratch) = (Farm::banners(1), Scratch::new());
    let pipe = scratch.path("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|s| s.success()), "mkfifo(1) of coreutils is needed");
    for path in [pipe.as_path(), Path::new("/dev/zero"), scratch.dir()] {
        let pen = keeping(Pen::over(&farm), path).start();
        assert!(pen.stderr().contains("it is no regular file"), "{}", pen.stderr());
        let said = pen.ctl("state write");
        assert!(said.contains("it stays"), "{said}");
        let said = pen.ctl(&format!("state read {}", path.display()));
        assert!(said.starts_with("error: state: "), "{said}");
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s0"));
    }
}

#[test]
fn a_full_disk_is_told_once_and_when_it_is_over() {
    let prepare = "mount -t tmpfs -o size=16k none /mnt";
    let test = "state::a_full_disk_is_told_once_and_when_it_is_over";
    in_own_network(test, prepare, || {
        let farm = Farm::banners(2);
        let pen = keeping(Pen::over(&farm), Path::new("/mnt/state")).start();
        ask_all(&pen, 0..3);
        assert_eq!(pen.ctl("state write"), "3 clients written\n");
        let before = fs::read("/mnt/state").expect("it was written");
        let full = fs::write("/mnt/fill", vec![0; 20_000]);
        assert!(full.is_err(), "the disk is small");
        for _ in 0..3 {
            let said = pen.ctl("state write");
            assert!(said.contains("No space left on device"), "{said}");
        }
        assert_eq!(fs::read("/mnt/state").expect("it stays"), before);
        let names = fs::read_dir("/mnt").expect("a directory").count();
        assert_eq!(names, 2, "nothing is left behind");
        assert_eq!(pen.ctl("events").matches("key=state_failed").count(), 1);
        assert!(pen.ctl("state").contains("not written: "), "{}", pen.ctl("state"));
        fs::remove_file("/mnt/fill").expect("ours");
        assert_eq!(pen.ctl("state write"), "3 clients written\n");
        assert_eq!(pen.ctl("events").matches("key=state_recovered").count(), 1);
        assert!(!pen.ctl("state").contains("not written: "), "{}", pen.ctl("state"));
    });
}

#[test]
fn it_is_kept_in_the_strict_sandbox_in_a_jail_and_without_rights() {
    let (farm, scratch) = (Farm::banners(3), Scratch::new());
    let file = scratch.path("state");
    let strict = || keeping(backwards(&farm), &file).command("sandbox strict");
    let mut pen = strict().start();
    let had = ask_all(&pen, 0..4);
    assert_eq!(pen.ctl("state write"), "4 clients written\n");
    assert_eq!(pen.stop(), Some(0));
    assert_eq!(ask_all(&strict().start(), (0..4).rev()), had);
    if !is_root() {
        println!("skipped: a jail needs root");
        return;
    }
    let jail = scratch.path("jail");
    let given = format!(
        "mkdir -p {0}/var && chown nobody {0}/var && chmod 711 {1}",
        jail.display(),
        scratch.dir().display()
    );
    assert!(Command::new("sh").args(["-c", &given]).status().is_ok_and(|s| s.success()));
    let place = Place::free();
    for said in ["", "1 clients taken in"] {
        let mut command = Command::new(pen_program());
        command.args(["-f", "-u", "nobody", "-O", "state_file /var/state", "-j"]).arg(&jail);
        command.arg(place.word()).args(farm.words(""));
        let mut pen = Program::start(command, &scratch);
        until("an answer", || {
            let mut greeting = [0; 2];
            let mut stream = TcpStream::connect(place.word()).ok()?;
            stream.read_exact(&mut greeting).ok()
        });
        Sig::Term.send(pen.pid());
        assert_eq!(until("its end", || pen.ended()), Some(0), "{}", pen.stderr());
        assert!(pen.stderr().contains(said), "{}", pen.stderr());
        let text = fs::read_to_string(jail.join("var/state")).expect("it was written");
        assert!(text.contains("\n127.0.0.1 "), "{text}");
    }
}

#[test]
fn it_can_be_set_and_unset_while_pen_runs() {
    let (farm, scratch) = (Farm::banners(2), Scratch::new());
    let file = scratch.path("state");
    let pen = Pen::over(&farm).start();
    assert_eq!(pen.ctl("state"), "no state_file\n");
    assert_eq!(pen.ctl("state write"), "error: state: there is no state_file\n");
    let had = pen.ask("127.0.7.1");
    let word = format!("{}\n", file.display());
    assert_eq!(pen.ctl(&format!("state_file {}", file.display())), word);
    until("the file, which is written at once", || file.exists().then_some(()));
    fs::write(scratch.path("copy"), fs::read(&file).expect("it is there")).expect("ours");
    pen.set("no state_file");
    assert!(pen.ctl("state write").starts_with("error: "));
    let written = pen.path("settings");
    pen.set(&format!("write {}", written.display()));
    let settings = fs::read_to_string(written).expect("settings");
    assert!(settings.contains("\nno state_file\nstate_interval 60\n"), "{settings}");
    let fresh = backwards(&farm).start();
    let said = fresh.ctl(&format!("state read {}", scratch.path("copy").display()));
    assert!(said.starts_with("1 clients taken in;"), "{said}");
    assert_eq!(fresh.ask("127.0.7.1"), had);
}
