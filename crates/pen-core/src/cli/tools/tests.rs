//! Command lines of the companion programs as tables.

use super::*;
use crate::limits;

fn os(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

type Parsed = Result<String, Stop>;

fn parsed(program: &str, line: &[&str]) -> Parsed {
    match program {
        "penlog" => penlog::parse(os(line)).map(|l| format!("{l:?}")),
        "penlogd" => penlogd::parse(os(line)).map(|l| format!("{l:?}")),
        _ => mergelogs::parse(os(line)).map(|l| format!("{l:?}")),
    }
}

#[test]
fn wrong_words_are_named() {
    for (program, line, status, part) in [
        ("penlog", &["-x", "h", "1"][..], 2, "unknown option '-x'; see penlog --help"),
        ("penlog", &["--hepl"], 2, "did you mean '--help'?"),
        ("penlog", &[], 1, "usage: penlog HOST PORT"),
        ("penlog", &["h"], 1, "usage: penlog HOST PORT"),
        ("penlog", &["h", "1", "::1", "more"], 2, "'more'"),
        ("penlogd", &["-y", "99"], 2, "unknown option '-y'"),
        ("penlogd", &["-L", "x", "99"], 2, "did you mean '-l FILE', append"),
        ("penlogd", &["-n", "0", "99"], 2, "option -n: '0' is out of range; it takes 1 to 1000000"),
        ("penlogd", &["-n", "x", "99"], 2, "option -n: 'x' is not a number"),
        ("penlogd", &["-l"], 2, "option -l needs a value, FILE"),
        ("penlogd", &["-l", "", "99"], 2, "-l needs a value that is not empty"),
        ("penlogd", &["99", "98"], 2, "'98'"),
        ("mergelogs", &["-y"], 2, "unknown option '-y'"),
        ("mergelogs", &["-j", "-1", "-p", "l", "s:f"], 2, "option -j: '-1' is out of range"),
        ("mergelogs", &["s:f"], 1, "option -p is missing"),
        ("mergelogs", &["-p", "l", "nocolon"], 1, "'nocolon' is not SERVER:FILE"),
        ("mergelogs", &["-p", "l", ":f"], 1, "':f'"),
        ("mergelogs", &["-p", "l", "s:"], 1, "'s:'"),
    ] {
        let stop = parsed(program, line).expect_err(&format!("{program} {line:?}"));
        assert_eq!(stop.status, status, "{line:?}: {stop:?}");
        assert!(stop.stderr.contains(part), "{line:?}: {stop:?}");
        assert!(stop.stderr.starts_with(program) || stop.stderr.starts_with("usage"), "{stop:?}");
    }
}

#[test]
fn answers_go_to_standard_output() {
    for (program, line, part) in [
        ("penlogd", &[][..], "usage: penlogd [options]"),
        ("mergelogs", &[], "usage: mergelogs -p"),
        ("mergelogs", &["-p", "x"], "usage: mergelogs -p"),
        ("penlog", &["--help"], "usage: penlog HOST"),
        ("penlogd", &["-f", "--version"], "penlogd 0.1.0 (Rust)"),
    ] {
        let stop = parsed(program, line).unwrap_err();
        assert_eq!((stop.status, stop.stderr.as_str()), (0, ""));
        assert!(stop.stdout.contains(part), "{}", stop.stdout);
    }
}

#[test]
fn every_option_changes_something() {
    for (program, tool, least) in [
        ("penlogd", penlogd::TOOL, &["99"][..]),
        ("mergelogs", mergelogs::TOOL, &["-p", "pen.log", "s:f"]),
    ] {
        for opt in tool.options.iter().filter(|o| o.letter.is_some()) {
            let name = format!("-{}", opt.letter.unwrap_or_default());
            let mut line = vec![name.as_str()];
            line.extend(opt.value.map(|_| "17"));
            let rest = if name == "-p" && program == "mergelogs" { &["s:f"] } else { least };
            line.extend(rest);
            assert_ne!(parsed(program, &line), parsed(program, least), "{name}");
            assert!(tool.help().contains(&opt.form()) && !opt.help.is_empty());
        }
    }
}

#[test]
fn servers_and_files() {
    for (word, server, file) in [
        ("10.0.0.1:access", "10.0.0.1", "access"),
        ("www1:/var/log/a:b", "www1", "/var/log/a:b"),
        ("[2001:db8::1]:/var/log/a", "2001:db8::1", "/var/log/a"),
        ("2001:db8::1:access", "2001:db8::1", "access"),
        ("::1:/a:b", "::1", "/a:b"),
        ("::1:-", "::1", "-"),
    ] {
        let launch = mergelogs::parse(os(&["-p", "l", word])).unwrap();
        let expected = mergelogs::Input { server: server.into(), file: file.into() };
        assert_eq!(launch.inputs, [expected], "{word}");
    }
}

#[test]
fn defaults_and_bounds_in_texts_are_the_limits() {
    let entries = limits::PENLOGD_ENTRIES_DEFAULT.to_string();
    let most = limits::PENLOGD_ENTRIES_MAX.to_string();
    let jitter = limits::MERGE_JITTER_DEFAULT_S.to_string();
    let (batch, named) =
        (limits::MERGE_BATCH_LINES.to_string(), limits::MERGE_NAMED_MAX.to_string());
    for (tool, letter, numbers) in [
        (penlogd::TOOL, 'n', vec![entries, most]),
        (mergelogs::TOOL, 'j', vec![jitter]),
        (mergelogs::TOOL, 'c', vec![batch]),
        (mergelogs::TOOL, 'r', vec![named]),
    ] {
        let opt = tool.options.iter().find(|o| o.letter == Some(letter)).unwrap();
        let text = format!("{} {}", opt.help, opt.manual);
        for number in numbers {
            assert!(text.contains(&number), "-{letter}: {number}");
        }
    }
    assert_eq!(limits::MERGE_WINDOW_MAX, 1_000_000);
}
