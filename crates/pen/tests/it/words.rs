//! The command line as a stranger meets it.

use pen_test::{Farm, Finished, Scratch, pen_program, run};

fn pen<'a>(args: impl IntoIterator<Item = &'a str>) -> Finished {
    run(&pen_program(), args)
}

#[test]
fn no_arguments_print_usage() {
    let said = pen([]);
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.to_lowercase().contains("usage"), "{}", said.stdout);
}

#[test]
fn help_and_version() {
    let help = pen(["--help"]);
    assert_eq!(help.code, Some(0));
    for option in ["-r", "-F", "-C", "--check"] {
        assert!(help.stdout.contains(option), "{option} is not in the help");
    }
    let version = pen(["--version"]);
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", version.stdout);
}

#[test]
fn wrong_words_are_named_and_open_nothing() {
    let port = pen_test::free_port().to_string();
    let scratch = Scratch::new();
    let files = ["ctl", "pid", "log", "page"].map(|n| scratch.path(n).display().to_string());
    for (args, word) in [
        (vec!["-y"], "-y"),
        (vec!["--frobnicate"], "--frobnicate"),
        (vec!["-t", "soon"], "soon"),
        (vec!["-t", "0"], "0"),
        (vec!["-b", "-5"], "-5"),
        (vec!["-x", "99999999999999"], "99999999999999"),
        (vec!["-O", "roundrobbin"], "roundrobbin"),
        (vec!["-c"], "-c"),
    ] {
        let [ctl, pid, log, page] = &files;
        let mut all = vec!["-C", ctl, "-p", pid, "-l", log, "-w", page];
        all.extend(&args);
        if word != "-c" {
            all.extend([port.as_str(), "127.0.0.1:9"]);
        }
        let said = pen(all);
        assert_eq!(said.code, Some(2), "{args:?}: {} {}", said.stdout, said.stderr);
        assert!(said.stderr.contains(word), "{args:?}: {}", said.stderr);
        for file in &files {
            assert!(!std::path::Path::new(file).exists(), "{args:?}: {file} was made");
        }
    }
}

#[test]
fn a_near_word_is_suggested() {
    let said = pen(["--chekc", "8080", "127.0.0.1:9"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("--check"), "{}", said.stderr);
    let said = pen(["-O", "roundrobbin", "8080", "127.0.0.1:9"]);
    assert!(said.stderr.contains("roundrobin"), "{}", said.stderr);
}

#[test]
fn bad_addresses_are_named() {
    for word in ["127.0.0.1:99999", "no-such-host.invalid:80", "127.0.0.1:80:many"] {
        let said = pen(["-f", &pen_test::free_port().to_string(), word]);
        assert!(matches!(said.code, Some(1 | 2)), "{word}: {:?}", said.code);
        let host = word.split(':').next().unwrap_or(word);
        assert!(said.stderr.contains(host), "{word}: {}", said.stderr);
    }
}

#[test]
fn check_reads_everything_and_opens_nothing() {
    let farm = Farm::banners(2);
    let scratch = Scratch::new();
    let good = scratch.write("good.conf", "blacklist 3\nserver 0 max 5\n");
    let bad = scratch.write("bad.conf", "blacklist 3\n\nserver 0 maxx 5\n");
    let word = farm[1].word();
    // The port is taken: opening it would fail.
    let (listen, good, bad) =
        (farm[0].place().word(), good.display().to_string(), bad.display().to_string());
    let said = pen(["--check", "-F", &good, &listen, &word]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let said = pen(["--check", "-F", &bad, &listen, &word]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    for part in ["bad.conf", "3", "maxx", "max"] {
        assert!(said.stderr.contains(part), "{part} is not in {}", said.stderr);
    }
}

#[test]
fn what_keeps_pen_from_starting_is_named() {
    let scratch = Scratch::new();
    let port = pen_test::free_port();
    let file = |name: &str, text: &str| scratch.write(name, text).display().to_string();
    let empty = file("empty.conf", "blacklist 3\n");
    let twice = format!("service a\nlisten 127.0.0.1:{port}\nservice b\nlisten 127.0.0.1:{port}\n");
    let twice = file("twice.conf", &twice);
    for (args, code, parts) in [
        (vec!["-f", "-F", "/no/such/file"], 1, &["/no/such/file", "No such file", "listen"][..]),
        (vec!["-f", "-F", &empty], 1, &["empty.conf", "listen"]),
        (vec!["-f"], 2, &["no listening address"]),
        (vec!["--check"], 1, &["no listening address"]),
        (vec!["--check", "-y"], 1, &["-y"]),
        (vec!["-f", "-F", &twice], 1, &["twice", "services a and b"]),
        (vec!["--check", "-F", &twice], 1, &["twice", "services a and b"]),
        (vec!["--demo", "80x"], 2, &["--demo", "'80x'"]),
    ] {
        let said = pen(args.iter().copied());
        assert_eq!(said.code, Some(code), "{args:?}: {} {}", said.stdout, said.stderr);
        for part in parts {
            assert!(said.stderr.contains(part), "{args:?}: {}", said.stderr);
        }
    }
}

#[test]
fn the_demo_answers_and_says_what_to_try() {
    if pen_test::plain_only("the demo has no certificate") {
        return;
    }
    let (scratch, place) = (Scratch::new(), pen_test::Place::free());
    let mut command = std::process::Command::new(pen_program());
    command.args(["-f", "--demo", &place.port().to_string()]);
    let mut demo = pen_test::Program::start(command, &scratch);
    let mut pages = std::collections::BTreeSet::new();
    for _ in 0..6 {
        let client = pen_test::until("the demo to listen", || pen_test::Wire::connect(&place).ok());
        client.send("GET / HTTP/1.0\r\n\r\n").expect("the demo takes it");
        let (page, _) = client.read_to_end();
        assert!(page.starts_with(b"HTTP/1."), "{page:?}");
        pages.insert(page);
    }
    assert!(pages.len() > 1, "the answer does not show which server it is");
    let said = demo.stdout() + &demo.stderr();
    assert!(said.contains("curl") && said.contains(&place.port().to_string()), "{said}");
    let directory = std::env::temp_dir().join(format!("pen-demo-{}", demo.pid()));
    assert!(directory.exists(), "no control socket in {}", directory.display());
    pen_test::Sig::Term.send(demo.pid());
    assert_eq!(pen_test::until("the demo to end", || demo.ended()), Some(0));
    assert!(!directory.exists(), "{} is left behind", directory.display());
}

#[test]
fn options_cluster_and_stand_anywhere() {
    let farm = Farm::banners(2);
    let builder = pen_test::Pen::over(&farm);
    let pen = builder.args(["-rdX", "-b7", "-t", "4"]).start();
    assert_eq!(pen.ctl("blacklist"), "7\n");
    assert_eq!(pen.ctl("timeout"), "4\n");
    assert!(pen.ctl("mode").contains(" roundrobin") && !pen.ctl("mode").contains("no roundrobin"));
    let late = pen_test::Pen::over(&farm).servers(["-h", "-b", "9"]).start();
    assert_eq!(late.ctl("blacklist"), "9\n");
    assert!(late.ctl("mode").starts_with("hash"));
}
