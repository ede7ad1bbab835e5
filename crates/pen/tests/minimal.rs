//! A Pen that is built without TLS and without its web interface (`--no-default-features`): it serves, and names
//! what it was built without. `PEN` names the program; the usual one is skipped.

use pen_test::{Farm, Finished, Pen, free_port, pen_program, run};

/// What `pen --version` says; nothing, with the reason printed, where it has everything.
fn version() -> Option<String> {
    let said = run(&pen_program(), ["--version"]).stdout;
    if said.contains("built without TLS") && said.contains("built without its web interface") {
        return Some(said);
    }
    eprintln!("skipped: PEN names no minimal build ({})", said.trim());
    None
}

fn check(words: &[&str]) -> Finished {
    let mut all = vec!["--check"];
    all.extend(words);
    run(&pen_program(), all)
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    if version().is_none() {
        return;
    }
    let port = free_port().to_string();
    let plain = [port.as_str(), "127.0.0.1:9"];
    let good = check(&plain);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    for (option, what) in [
        (["-E", "/nowhere.pem"], "ssl_certificate"),
        (["-K", "/nowhere.key"], "ssl_key"),
        (["-O", "server 0 address 127.0.0.1 port 9 tls verify"], "server 0 tls"),
        (["-O", "metrics 127.0.0.1:1"], "metrics"),
    ] {
        let said = check(&[option.as_slice(), &plain].concat());
        assert_eq!(said.code, Some(1), "{option:?}: {}", said.stdout);
        let built = said.stderr.contains("this Pen was built without");
        assert!(built && said.stderr.contains(what), "{option:?}: {}", said.stderr);
    }
}

#[test]
fn it_serves_and_is_steered() {
    if version().is_none() {
        return;
    }
    let farm = Farm::banners(2);
    let pen = Pen::over(&farm).start();
    assert!(pen.ask("127.0.0.1").is_some());
    for line in ["ssl_reload", "ssl_certificate /nowhere.pem", "server 1 tls insecure"] {
        let said = pen.ctl(line);
        assert!(
            said.starts_with("error: ") && said.contains("built without TLS"),
            "{line}: {said}"
        );
    }
    let said = pen.ctl("metrics 127.0.0.1:1");
    assert!(said.contains("built without its web interface"), "{said}");
    assert!(pen.ask("127.0.0.2").is_some(), "it goes on");
    assert_eq!(pen.servers().len(), 2);
    pen.wait_idle();
}
