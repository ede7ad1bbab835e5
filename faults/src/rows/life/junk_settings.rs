//! Settings that are junk: bent files, loops, devices, endless lines.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pen_test::{Farm, Pattern, Scratch};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::rows::Row;
use crate::settings;
use crate::setup::Setup;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::verdict::Verdict;

pub const ROW: Row = Row {
    run,
    ..Row::new(
        59,
        "junk settings: bent files, include loop, /dev/zero, FIFO, a line without end",
        "accepted, or refused with a message: 0 crashes, 0 hangs, 0 without a word; Pen names file and line",
    )
};

/// Who takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a look at settings ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Accepted,
    Refused,
    /// Refused, and nobody is told why.
    Dumb,
    Crashed,
    Hung,
}

fn run(stage: &Stage) -> Verdict {
    if stage.subject == Subject::Classic {
        return Verdict::without("it cannot be asked to check settings");
    }
    let (scratch, farm) = (Scratch::new(), Farm::banners(2));
    let good = good(stage.subject, &farm, &scratch);
    if look(stage, &scratch.write("good", &good), Place::File) != Ended::Accepted {
        return Verdict::of(false, "good settings are refused");
    }
    let tries = stage.of(2_000, 100);
    let end = Instant::now() + Duration::from_secs(stage.of(35, 8));
    let mut all = Vec::new();
    for n in 0..tries {
        if Instant::now() > end {
            break;
        }
        let file = scratch.path("bent");
        let written = std::fs::write(&file, bent(good.as_bytes(), stage.seed + n));
        written.expect("the scratch directory is ours");
        all.push((format!("bent file {n}"), look(stage, &file, Place::Line)));
    }
    let bent = all.len();
    all.extend(special(stage, &scratch).into_iter().map(|(name, ended)| (name.to_owned(), ended)));
    let count = |what| all.iter().filter(|(_, ended)| *ended == what).count();
    let named: Vec<&str> = all
        .iter()
        .filter(|(_, ended)| !matches!(ended, Ended::Accepted | Ended::Refused))
        .map(|(name, _)| name.as_str())
        .take(4)
        .collect();
    let [crashed, hung, dumb] = [Ended::Crashed, Ended::Hung, Ended::Dumb].map(count);
    let text = format!(
        "{bent} bent files and {} others: {} accepted, {} refused, {crashed} crashes, {hung} hangs, {dumb} \
         without a word{}{}",
        all.len() - bent,
        count(Ended::Accepted),
        count(Ended::Refused),
        if named.is_empty() { "" } else { ": " },
        named.join(", ")
    );
    Verdict::of(crashed + hung + dumb == 0, text)
}

fn good(subject: Subject, farm: &Farm, scratch: &Scratch) -> String {
    let setup = Setup::of(farm.words(""));
    match subject {
        Subject::Pen | Subject::Classic => format!(
            "listen {}\nroundrobin\nblacklist 7\nacl 1 deny 192.0.2.0/24\nclient_acl 1\nserver 0 address \
             127.0.0.1 port 80 max 7 hard 9\nserver 1 address ::1 port 81 name second\nservice more\n\
             listen 127.0.0.1:1\nserver 0 address 127.0.0.1 port 9\nkeepalive idle 9\nroute sni *.example.org server 0\n",
            setup.listen.word()
        ),
        Subject::Haproxy | Subject::Nginx => {
            let words = settings::words(subject, &setup, scratch);
            let file = words.last().cloned().unwrap_or_default();
            std::fs::read_to_string(file).expect("it was written a moment ago")
        }
    }
}

/// Up to eight changes: bytes, pieces that are left out or come twice, long numbers.
fn bent(good: &[u8], seed: u64) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let dice = Pattern::new(seed + 1).take(8 * 8);
    let count = usize::from(dice.first().copied().unwrap_or_default() % 8) + 1;
    for throw in dice.chunks(8).take(count) {
        let number = throw.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
        let at = (number >> 16) % bytes.len().max(1);
        let rest = bytes.get(at..).unwrap_or_default().to_vec();
        match number % 6 {
            0 => bytes.truncate(at),
            1 => bytes.extend(rest),
            2 => bytes.splice(at..at, *b"99999999999999999999").for_each(drop),
            3 => bytes.splice(at..at, *b"\n").for_each(drop),
            4 => bytes.splice(at..at, [0, 0xff, b'"', b'{', b';']).for_each(drop),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= throw[3]),
        }
    }
    bytes
}

/// What is no ordinary file.
fn special(stage: &Stage, scratch: &Scratch) -> Vec<(&'static str, Ended)> {
    let (folder, fifo) = (scratch.path("folder"), scratch.path("fifo"));
    std::fs::create_dir(&folder).expect("the scratch directory is ours");
    mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
    let endless = scratch.path("endless");
    let mut file = File::create(&endless).expect("the scratch directory is ours");
    let megabyte = vec![b'a'; 1 << 20];
    for _ in 0..stage.of(1_000, 100) {
        file.write_all(&megabyte).expect("there is room");
    }
    let include = |path: &Path| match stage.subject {
        Subject::Nginx => format!("include {};\n", path.display()),
        _ => format!("include {}\n", path.display()),
    };
    let itself = scratch.path("itself");
    std::fs::write(&itself, include(&itself)).expect("the scratch directory is ours");
    let mut all = vec![
        ("a folder", look(stage, &folder, Place::File)),
        ("/dev/zero", look(stage, Path::new("/dev/zero"), Place::File)),
        ("a line without end", look(stage, &endless, Place::File)),
        ("a FIFO", look(stage, &fifo, Place::File)),
    ];
    // HAProxy includes nothing.
    if stage.subject != Subject::Haproxy {
        all.push(("a file that includes itself", look(stage, &itself, Place::Line)));
        let zero = scratch.write("zero", &include(Path::new("/dev/zero")));
        all.push(("a file that includes /dev/zero", look(stage, &zero, Place::Line)));
    }
    drop(std::fs::remove_file(endless));
    all
}

/// What Pen has to name of what it refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What is not read has no lines.
    File,
    /// The line of the file.
    Line,
}

/// What Pen says of settings that are wrong as a whole: one is missing, or two do not go together.
const OF_NO_LINE: [&str; 2] =
    ["nor the command line says where to listen", "no such port (all ports are for dsr_if only)"];

/// Shows settings to the balancer.
fn look(stage: &Stage, file: &Path, place: Place) -> Ended {
    let mut command = Command::new("prlimit");
    // Who takes all memory of the machine has crashed.
    command.arg("--as=4000000000").arg(&stage.program);
    match stage.subject {
        Subject::Pen | Subject::Classic => command.arg("--check").arg("-F"),
        Subject::Haproxy => command.args(["-c", "-f"]),
        Subject::Nginx => command.args(["-t", "-c"]),
    };
    // In a file, so that nobody waits for a reader.
    let said = Scratch::new();
    let [out, errors] = ["out", "errors"]
        .map(|name| File::create(said.path(name)).expect("the scratch directory is ours"));
    command.arg(file).stdin(Stdio::null()).stdout(out).stderr(errors);
    let mut child = command.spawn().expect("prlimit starts");
    let end = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return match status.code() {
                    Some(0) => Ended::Accepted,
                    Some(101) | None => Ended::Crashed,
                    Some(_) if explained(stage.subject, file, place, &said) => Ended::Refused,
                    Some(_) => Ended::Dumb,
                };
            }
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(2)),
            Ok(None) | Err(_) => {
                drop((child.kill(), child.wait()));
                return Ended::Hung;
            }
        }
    }
}

/// Whether somebody who is refused a file is told why; by Pen on standard error, with the place.
fn explained(subject: Subject, file: &Path, place: Place, said: &Scratch) -> bool {
    let [out, errors] = ["out", "errors"].map(|name| {
        let bytes = std::fs::read(said.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let right = match subject {
        Subject::Pen => {
            let rest = errors.split_once(&format!("{}:", file.display()));
            let line = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
            rest.is_some_and(|(_, rest)| place == Place::File || line(rest))
                || OF_NO_LINE.iter().any(|words| errors.contains(words))
        }
        _ => !(out + &errors).trim().is_empty(),
    };
    if !right {
        eprintln!("{}: refused with: {}", file.display(), errors.trim());
    }
    right
}
