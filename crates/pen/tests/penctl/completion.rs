//! Completion in the shells themselves, with the scripts that `penctl --completion` prints.

use std::path::{Path, PathBuf};
use std::process::Command;

use pen_test::{Scratch, Screen, penctl_program, until};

/// The shell, or a note that it is missing.
fn shell(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|p| p.join(name)).find(|p| p.is_file());
    if found.is_none() {
        println!("skipped: there is no {name} here");
    }
    found
}

fn script(scratch: &Scratch, shell: &str) -> PathBuf {
    let output = Command::new(penctl_program()).args(["--completion", shell]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    scratch.write("completion", &text)
}

/// A line, whether the address is in the environment, words that are offered, and words that are not.
const LINES: [(&str, bool, &[&str], &[&str]); 14] = [
    ("penctl --", false, &["--json", "--timeout", "--completion"], &["servers"]),
    ("penctl --completion ", false, &["bash", "zsh", "fish"], &["servers"]),
    ("penctl /run/pen.ctl serv", false, &["server", "servers", "service", "services"], &["acl"]),
    ("penctl 127.0.0.1:8888 black", false, &["blacklist"], &["server"]),
    ("penctl [::1]:8888 ove", false, &["overview"], &[]),
    ("penctl --timeout 5 /x acl 1 ", false, &["permit", "deny", "country"], &["servers"]),
    ("penctl /x no ", false, &["acl", "hash", "listen"], &["blacklist", "top"]),
    ("penctl /x no route ", false, &["sni", "alpn", "default"], &["hash"]),
    ("penctl /x service mail to", false, &["top"], &["acl"]),
    ("penctl /x service mail tcp_fastclose ", false, &["up", "down", "both", "off"], &["acl"]),
    ("penctl /x help exp", false, &["explain"], &["top"]),
    ("penctl wat", true, &["watch"], &["acl"]),
    ("penctl explain ::1 s", true, &["sni", "service"], &["servers"]),
    ("pen --che", false, &["--check"], &["--demo"]),
];

#[test]
fn bash() {
    let (scratch, Some(bash)) = (Scratch::new(), shell("bash")) else { return };
    let script = script(&scratch, "bash");
    for (line, env, offered, hidden) in LINES {
        let function = line.split(' ').next().unwrap();
        let drive = format!(
            "source {}; COMP_LINE=\"$1\" COMP_POINT=${{#1}} COMPREPLY=(); _{function}; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let mut command = Command::new(&bash);
        command.args(["--norc", "-c", &drive, "bash", line]);
        check(&mut command, line, env, offered, hidden);
    }
    // Bash replaces what is behind the last colon.
    let drive = format!(
        "source {}; cd {}; : >a:bc; COMP_LINE='penctl a:' COMP_POINT=9; _penctl; echo \"$COMPREPLY\"",
        script.display(),
        scratch.dir().display()
    );
    let output = Command::new(&bash).args(["--norc", "-c", &drive]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "bc\n");
}

#[test]
fn fish() {
    let (scratch, Some(fish)) = (Scratch::new(), shell("fish")) else { return };
    let script = script(&scratch, "fish");
    for (line, env, offered, hidden) in LINES {
        let drive = format!("source {}; complete -C \"$argv[1]\"", script.display());
        let mut command = Command::new(&fish);
        command.args(["--no-config", "-c", &drive, line]).env("HOME", scratch.dir());
        check(&mut command, line, env, offered, hidden);
    }
}

fn check(command: &mut Command, line: &str, env: bool, offered: &[&str], hidden: &[&str]) {
    command.env_remove("PEN_CONTROL");
    if env {
        command.env("PEN_CONTROL", "/run/pen.ctl");
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<&str> = text.lines().map(|l| l.split('\t').next().unwrap_or(l)).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    for word in offered {
        assert!(words.contains(word), "[{line}] does not offer {word}: {words:?} {said}");
    }
    for word in hidden {
        assert!(!words.contains(word), "[{line}] offers {word}");
    }
}

/// zsh completes where there is a terminal only.
#[test]
fn zsh() {
    let (scratch, Some(zsh)) = (Scratch::new(), shell("zsh")) else { return };
    let script = script(&scratch, "zsh");
    for (line, env, offered, hidden) in LINES {
        let text = typed(&zsh, &scratch, &script, line, env);
        let words: Vec<&str> = text.split_whitespace().collect();
        let last = line.rsplit(' ').next().unwrap();
        let only_one = offered.len() == 1;
        for word in offered {
            // A single word is put into the line at once.
            let there = words.contains(word)
                || only_one && text.contains(&format!("{line}{}", &word[last.len()..]));
            assert!(there, "[{line}] does not offer {word}:\n{text}");
        }
        let below: Vec<&str> = text.lines().skip(1).flat_map(str::split_whitespace).collect();
        for word in hidden {
            assert!(!below.contains(word), "[{line}] offers {word}:\n{text}");
        }
    }
}

/// What the terminal shows after the line and a tabulator.
fn typed(zsh: &Path, scratch: &Scratch, script: &Path, line: &str, env: bool) -> String {
    let home = scratch.dir().display().to_string();
    let mut vars = vec![("TERM", "xterm"), ("HOME", &home), ("ZDOTDIR", &home)];
    if env {
        vars.push(("PEN_CONTROL", "/run/pen.ctl"));
    }
    let screen = Screen::start(zsh, &["-f", "-i"], &vars, (120, 60));
    screen.press(
        "PS1='> ' RPS1= LISTMAX=1000; setopt noautomenu nobeep; autoload -U compinit; \
         compinit -u -D; unsetopt promptsp; clear\n",
    );
    screen.press(&format!("source {}; clear; print rea''dy\n", script.display()));
    let _ = screen.shows("ready\n> ");
    screen.press("clear\n");
    until("an empty screen", || (screen.text().trim() == ">").then_some(()));
    screen.press(line);
    let _ = screen.shows(line.trim_end());
    screen.press("\t");
    // Nothing tells when all is there: it is there when an answer to another key is.
    let mut before = String::new();
    until("completion", || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let text = screen.text();
        let changed = text.trim_end() != format!("> {}", line.trim_end());
        let steady = changed && text == before;
        before = text;
        steady.then_some(())
    });
    before
}
