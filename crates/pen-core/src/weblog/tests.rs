//! Lines as real servers write them, and as hostile clients would like them.

use proptest::prelude::*;

use super::*;
use crate::moment::WallSeconds;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_client_is_replaced_and_the_time_is_utc() {
    for (line, expected) in [
        (
            "10.9.9.9 - - [14/Nov/2023:23:13:20 +0100] \"GET / HTTP/1.0\" 200 5 \"ref\" \"agent\"",
            "CLIENT - - [14/Nov/2023:22:13:20 +0000] \"GET / HTTP/1.0\" 200 5 \"ref\" \"agent\"",
        ),
        (
            "www.example.org:443 10.9.9.9 - joe [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
            "www.example.org:443 CLIENT - joe [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
        ),
        (
            "[::1]:80 ::1 - - [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
            "[::1]:80 CLIENT - - [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
        ),
        (
            "host.example ::1 ident joe [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
            "host.example CLIENT ident joe [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
        ),
        (
            "::1 - john doe [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
            "CLIENT - john doe [14/Nov/2023:22:13:20 +0000] \"GET /\" 200 5",
        ),
        // A user's name that tries to be a time and a request.
        (
            "h - [01/Jan/2000:00:00:00 +0000] \\\"GET /x\\\" [14/Nov/2023:22:13:20 +0000] \"GET /\" 200",
            "CLIENT - [01/Jan/2000:00:00:00 +0000] \\\"GET /x\\\" [14/Nov/2023:22:13:20 +0000] \"GET /\" 200",
        ),
    ] {
        let parsed = WebLine::parse(line.as_bytes()).unwrap();
        let time = parsed.time().unwrap();
        let mut out = Vec::new();
        parsed.append_at(&mut out, "CLIENT", time);
        assert_eq!(text(&out), expected);
        assert_eq!(time, WebTime { wall: WallSeconds(1_700_000_000), zoned: true });
        out.clear();
        parsed.append_with(&mut out, "CLIENT");
        assert!(parsed.has_client() && text(&out).contains("CLIENT "), "{}", text(&out));
        assert_eq!(text(parsed.request()).get(..5), Some("GET /"));
    }
}

#[test]
fn what_is_no_line_says_why() {
    for (line, broken) in [
        ("", Broken::Request),
        ("rubbish", Broken::Request),
        ("x - - [no end", Broken::Request),
        ("one \" quote", Broken::Request),
        ("x - - \"GET /\"", Broken::Time),
        ("x - - [] \"GET /\"", Broken::Time),
        ("x - - [14/Nov/2023:22:13:20 +0000 \"GET /\"", Broken::Time),
        ("x - - [31/Feb/2023:22:13:20 +0000] \"GET /\"", Broken::Time),
    ] {
        let found = WebLine::parse(line.as_bytes()).and_then(|l| l.time());
        assert_eq!(found, Err(broken), "{line}");
    }
    let quoted = WebLine::parse(b"\"GET /\" x").unwrap();
    assert!(!quoted.has_client());
}

#[test]
fn escapes_of_web_servers() {
    for (written, sent) in [
        ("GET /\\\"a\\\\\\x1b\\xC3\\xa9\\t", &b"GET /\"a\\\x1b\xc3\xa9\t"[..]),
        ("GET /\\", b"GET /\\"),
        ("GET /\\xg1\\q", b"GET /\\xg1\\q"),
    ] {
        let line = format!("x - - [t] \"{written}\" 200");
        let parsed = WebLine::parse(line.as_bytes()).unwrap();
        let spellings: Vec<_> = parsed.spellings().map(Cow::into_owned).collect();
        assert_eq!(spellings, [sent.to_vec(), written.as_bytes().to_vec()], "{written}");
    }
    let parsed = WebLine::parse(b"x - - [t] \"GET /\" 200").unwrap();
    assert_eq!(parsed.spellings().count(), 1);
}

#[test]
fn times() {
    for (text, wall) in [
        ("09/Jan/2002:00:28:50 +0100", Some(1_010_532_530)),
        ("01/Jan/1970:00:00:00 +0000", Some(0)),
        ("29/Feb/2024:12:00:00 -0530", Some(1_709_227_800)),
        ("31/Dec/2016:23:59:60 +0000", Some(1_483_228_800)),
        ("14/Nov/2023:22:13:20", Some(1_700_000_000)),
        ("29/Feb/2023:12:00:00 +0000", None),
        ("14/Nov/2023:24:13:20 +0000", None),
        ("14/Nov/2023:22:13:20 +00", None),
        ("14/Nov/2023:22:13:20 +9900", None),
        ("14/XXX/2023:22:13:20 +0000", None),
        ("1/Nov/2023:22:13:20 +0000", None),
        ("00/Nov/2023:22:13:20 +0000", None),
        ("14/Nov/2023:-2:13:20 +0000", None),
    ] {
        let found = WebTime::parse(text.as_bytes());
        assert_eq!(found.map(|t| t.wall.0), wall, "{text}");
        assert_eq!(found.is_none_or(|t| t.zoned), text != "14/Nov/2023:22:13:20", "{text}");
    }
}

proptest! {
    #[test]
    fn times_survive_writing_and_reading(wall in -62_000_000_000_i64..253_402_300_000) {
        let mut out = Vec::new();
        append_utc(&mut out, WallSeconds(wall));
        prop_assert_eq!(WebTime::parse(&out).map(|t| t.wall.0), Some(wall), "{}", text(&out));
    }

    #[test]
    fn no_bytes_panic(line in "[\\[\\]\"\\\\ x0-9/:+-]{0,60}", junk in prop::collection::vec(any::<u8>(), 0..80)) {
        for bytes in [line.as_bytes(), &junk] {
            if let Ok(parsed) = WebLine::parse(bytes) {
                let mut out = Vec::new();
                parsed.append_with(&mut out, "c");
                parsed.append_at(&mut out, "c", WebTime { wall: WallSeconds(0), zoned: true });
                prop_assert!(parsed.spellings().count() <= 2 && parsed.time().is_ok() | true);
            }
        }
    }
}
