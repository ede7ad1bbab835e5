//! mergelogs from outside: kinds of files, what is wrong with them, more files than descriptors, what
//! a terminal shows, a stream that is larger than the memory it may take.
#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use pen_test::{Program, Scratch, Vitals, until};

const MERGELOGS: &str = env!("CARGO_BIN_EXE_mergelogs");

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("it takes bytes");
    encoder.finish().expect("a vector")
}

fn run(scratch: &Scratch, words: &[&str]) -> (Output, String, String) {
    let mut command = Command::new(MERGELOGS);
    // A zone that would be noticed.
    command.args(words).current_dir(scratch.dir()).env("TZ", "Europe/Helsinki");
    let output = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, said) = (text(&output.stdout), text(&output.stderr));
    (output, out, said)
}

/// Second `n` of an hour, in a zone.
fn web(n: u32, request: &str, zone: &str) -> String {
    let hour = match zone {
        "+0200" => 14,
        "-0500" => 7,
        _ => 12,
    };
    let (minute, second) = (n / 60, n % 60);
    format!("h - - [14/Nov/2023:{hour:02}:{minute:02}:{second:02} {zone}] \"{request}\" 200 5\n")
}

/// The entry for that.
fn entry(client: &str, n: u32, server: &str, request: &str) -> String {
    format!("{client} {} {server} {request}\n", 1_699_963_200 + n)
}

#[test]
fn zones_compressed_files_and_names() {
    let scratch = Scratch::new();
    let pen = entry("::a", 1, "127.0.0.1", "GET /1")
        + &entry("::b", 2, "2001:db8::1", "GET /2")
        + &entry("unix", 3, "10.0.0.3", "GET /3");
    std::fs::write(scratch.path("pen.log"), packed(&pen)).unwrap();
    scratch.write("one", &web(1, "GET /1", "+0200"));
    // Compressed logs that were put together with cat.
    let two = [web(2, "GET /2", "-0500"), web(4, "GET /2", "-0500")].map(|l| packed(&l)).concat();
    std::fs::write(scratch.path("two"), two).unwrap();
    scratch.write("three", &web(3, "GET /3", "+0000"));
    let words = ["-p", "pen.log", "10.0.0.3:three", "localhost:one", "[2001:DB8::1]:two"];
    for more in [&[][..], &["-c"]] {
        let (output, out, said) = run(&scratch, &[more, &words].concat());
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
        let expected = [("::a", 1, 1), ("::b", 2, 2), ("unix", 3, 3), ("::b", 4, 2)]
            .map(|(client, n, m)| web(n, &format!("GET /{m}"), "+0000").replacen('h', client, 1));
        assert_eq!(out, expected.concat());
    }
}

#[test]
fn nothing_is_lost_in_silence() {
    let scratch = Scratch::new();
    scratch.write("pen.log", &("junk\n".to_owned() + &entry("::a", 1, "s", "GET /1")));
    let long = "x".repeat(70_000);
    let text = format!(
        "rubbish\n{}\n{long}\nh - - [14/Nov/2023:12:00:02] \"GET /1\" 200\nh - - [ \u{1b}[2J\n",
        web(1, "GET /1", "+0000")
    );
    scratch.write("log", &text);
    let whole = packed(&web(3, "GET /1", "+0000").repeat(2_000));
    std::fs::write(scratch.path("cut.gz"), whole.get(..whole.len() - 9).unwrap()).unwrap();
    let words = ["-r", "rejects", "-p", "pen.log", "s:log", "s:cut.gz"];
    let (output, out, said) = run(&scratch, &words);
    assert_eq!(output.status.code(), Some(1));
    assert!(out.lines().count() > 2 && out.lines().all(|l| l.starts_with("::a - - [")), "{out}");
    for part in [
        "mergelogs: pen.log:1: no entry of Pen's log: 'junk'\n",
        "mergelogs: log:1: no request in quotes: 'rubbish'\n",
        "mergelogs: log:4: longer than any log line: 'xxx",
        "mergelogs: log:6: no request in quotes: 'h - - [ \\u{1b}[2J'\n",
        "mergelogs: cut.gz: ",
        "what follows line ",
        "mergelogs: 4 lines could not be merged, see rejects\n",
        "mergelogs: 1 lines do not say their zone and were taken for universal time\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let rejects = std::fs::read_to_string(scratch.path("rejects")).unwrap();
    assert!(rejects.starts_with("rubbish\n") && rejects.contains("junk\n"));
    assert_eq!(rejects.lines().map(str::len).max(), Some(65_536));
    scratch.write("many", &"junk\n".repeat(500));
    let (_, _, said) = run(&scratch, &["-p", "pen.log", "s:many"]);
    assert!(said.contains("many:100: ") && !said.contains("many:101: "), "{said}");
    assert!(said.contains("500 lines could not be merged\n"), "{said}");
}

#[test]
fn more_files_than_descriptors() {
    let scratch = Scratch::new();
    let files: u32 = 1_000;
    let (mut pen, mut words) = (String::new(), vec!["-p".to_owned(), "pen.log".to_owned()]);
    for second in 0..30 {
        for file in 0..files {
            let request = format!("GET /{file}/{second}");
            pen += &entry(&format!("::{file}"), second, &format!("s{file}"), &request);
        }
    }
    scratch.write("pen.log", &pen);
    for file in 0..files {
        let lines = (0..30).map(|n| web(n, &format!("GET /{file}/{n}"), "+0200"));
        // Larger than a buffer, so that each file is opened more than once.
        let text: String =
            lines.map(|l| l.replace(" 5\n", &format!(" {}\n", "5".repeat(400)))).collect();
        let bytes = if file % 2 == 0 { text.into_bytes() } else { packed(&text) };
        std::fs::write(scratch.path(&format!("f{file}")), bytes).unwrap();
        words.push(format!("s{file}:f{file}"));
    }
    let mut command = Command::new("prlimit");
    command.args(["--nofile=64:64", MERGELOGS]).args(&words).current_dir(scratch.dir());
    let Ok(output) = command.output() else {
        println!("skipped: needs prlimit");
        return;
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    let mut lines = out.lines();
    for n in 0..30 {
        for file in 0..files {
            let line = lines.next().unwrap();
            let request = web(n, &format!("GET /{file}/{n}"), "+0000");
            let start = format!("::{file}{}", request[1..].trim_end_matches("5\n"));
            assert!(line.starts_with(&start), "{line}");
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn a_gigabyte_passes_through_little_memory() {
    let scratch = Scratch::new();
    const LINES: u32 = 100_000;
    let agent = "a".repeat(10_000);
    let entries: String = (0..LINES).map(|n| entry("::1", n / 100, "s", "GET /")).collect();
    scratch.write("pen.log", &entries);
    let mut child = Command::new(MERGELOGS)
        .args(["-p", "pen.log", "s:-"])
        .current_dir(scratch.dir())
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().expect("a pipe");
    let feeding = std::thread::spawn(move || {
        let mut bytes = 0;
        for n in 0..LINES {
            let line = web(n / 100, "GET /", "+0000").replace(" 5\n", &format!(" 5 \"{agent}\"\n"));
            stdin.write_all(line.as_bytes()).unwrap();
            bytes += line.len();
        }
        bytes
    });
    let mut out = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
    let (mut lines, mut most, mut line) = (0, 0, Vec::new());
    while out.read_until(b'\n', &mut line).unwrap() > 0 {
        assert!(line.starts_with(b"::1 - - [14/Nov/2023:"));
        lines += 1;
        if lines % 1_000 == 0 {
            most = Vitals::of(child.id()).map_or(most, |vitals| vitals.rss_kib.max(most));
        }
        line.clear();
    }
    assert!(out.read(&mut [0]).unwrap() == 0 && child.wait().unwrap().success());
    assert_eq!(lines, LINES);
    assert!(feeding.join().unwrap() > 1_000_000_000);
    println!("{most} KiB at most");
    assert!(most > 0 && most < 64 * 1024, "{most} KiB");
}

/// A terminal, made by script(1), on standard error; the lines go to a file, or to the terminal as well.
fn on_a_terminal(scratch: &Scratch, command: &str) -> Program {
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-f", "-c", &format!("{MERGELOGS} {command}"), "seen"]);
    Program::start(script, scratch)
}

#[test]
fn a_terminal_shows_the_progress_where_no_lines_go() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: needs script (bsdutils)");
        return;
    }
    let scratch = Scratch::new();
    scratch.write("pen.log", &entry("::a", 1, "s", "GET /1"));
    let made = Command::new("mkfifo").arg(scratch.path("log")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let merge = on_a_terminal(&scratch, "-p pen.log s:log >out");
    let mut log = std::fs::File::options().write(true).open(scratch.path("log")).unwrap();
    let lines = web(1, "GET /1", "+0000").repeat(5_000);
    until("the progress", || {
        log.write_all(lines.as_bytes()).unwrap();
        let seen = std::fs::read_to_string(scratch.path("seen")).unwrap_or_default();
        seen.contains("\r\u{1b}[K").then_some(()).filter(|()| seen.contains(" lines, "))
    });
    drop(log);
    assert_eq!(merge.finished().code, Some(0));
    // It is wiped away, and what is said at the end stands alone.
    let seen = std::fs::read_to_string(scratch.path("seen")).unwrap();
    let last = seen.rsplit("\r\u{1b}[K").next().unwrap();
    assert!(!last.contains(" MB") && last.contains("client found for"), "{seen}");
    let out = std::fs::read_to_string(scratch.path("out")).unwrap();
    assert!(out.lines().all(|line| line.starts_with("::a - - [14/Nov/2023")));
    // Lines that go to the terminal are not disturbed.
    scratch.write("short", &lines);
    assert_eq!(on_a_terminal(&scratch, "-p pen.log s:short").finished().code, Some(0));
    let seen = std::fs::read_to_string(scratch.path("seen")).unwrap();
    assert!(seen.contains("::a - - [") && !seen.contains("\u{1b}[K"), "{}", seen.len());
}
