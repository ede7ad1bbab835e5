//! What the scripts are made of; that they work in their shells is tested with these.

use super::*;

#[test]
fn the_words_behind_a_command_come_from_its_forms() {
    for (word, expected) in [
        ("acl", &["permit", "deny", "country"][..]),
        ("tcp_fastclose", &["up", "down", "both", "off"]),
        ("keepalive", &["idle", "interval", "count"]),
        ("explain", &["port", "sni", "alpn", "service", "json"]),
        ("route", &["sni", "service", "server", "here", "close", "alpn", "default"]),
        ("blacklist", &["json"]),
        ("hash", &[]),
    ] {
        let spec = table::find(word).unwrap();
        assert_eq!(literals(spec), expected, "{word}");
    }
    let files: Vec<&str> = commands().filter(|s| takes_file(s)).map(|s| s.word).collect();
    for word in ["include", "write", "log", "ssl_certificate", "ssl_ca_dir", "geoip_db"] {
        assert!(files.contains(&word), "{word}");
    }
    assert!(files.contains(&"server"), "its ca, cert and key are files");
    assert!(!files.contains(&"blacklist"));
    assert!(deniable().contains(&"acl") && !deniable().contains(&"blacklist"));
    let first: Vec<&str> = beginnings().into_iter().map(|(word, _)| word).collect();
    assert!(["servers", "top", "watch", "no", "-"].iter().all(|w| first.contains(w)), "{first:?}");
    assert!(!first.contains(&"epoll"), "old words are not offered");
}

#[test]
fn every_program_has_a_script_for_every_shell() {
    for shell in Shell::ALL {
        let all = all(shell);
        for program in PROGRAMS {
            let script = script(shell, program).unwrap();
            assert!(all.contains(&script));
            let options = Program::find(program).unwrap().options;
            assert!(options.len() > 1);
            for option in options {
                let name = match shell {
                    Shell::Fish => option.long.map_or_else(
                        || format!("-s {} ", option.letter.unwrap()),
                        |long| format!("-l {long} "),
                    ),
                    _ => option.name(),
                };
                assert!(script.contains(&name), "{shell:?} {program} {name}");
            }
        }
        assert!(script(shell, "sh").is_none());
    }
}
