//! Lists as tables.

use super::*;

/// Letters for the suites of TLS 1.2: E/R for the key, 2/1/c for the cipher.
fn tls12(list: &str) -> String {
    let read = Ciphers::parse(list).unwrap_or_else(|e| panic!("{list}: {e}"));
    let short = |s: &Suite| {
        let key = if s.name().contains("ECDSA") { 'E' } else { 'R' };
        let cipher = match s.name() {
            n if n.contains("AES256") => '2',
            n if n.contains("AES128") => '1',
            _ => 'c',
        };
        format!("{key}{cipher}")
    };
    let of: Vec<String> = read.suites().iter().filter(|s| !s.is_tls13()).map(short).collect();
    of.join(" ")
}

#[test]
fn lists_of_tls_1_2() {
    const FULL: &str = "E2 E1 Ec R2 R1 Rc";
    for (list, suites) in [
        ("HIGH", FULL),
        ("ALL", FULL),
        ("DEFAULT", FULL),
        ("HIGH:!aNULL:!MD5:!3DES", FULL),
        ("HIGH,!aNULL", FULL),
        ("kEECDH", FULL),
        ("TLSv1.2", FULL),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", "E2"),
        ("ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256", "Rc E1"),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "R1"),
        ("ECDHE+AESGCM:ECDHE+CHACHA20", "E2 E1 R2 R1 Ec Rc"),
        ("EECDH+aRSA", "R2 R1 Rc"),
        ("AES128:AES256", "E1 R1 E2 R2"),
        ("AES128:HIGH:@STRENGTH", "E2 Ec R2 Rc E1 R1"),
        ("HIGH:+AES256", "E1 Ec R1 Rc E2 R2"),
        ("HIGH:-AES256:AES256", "E1 Ec R1 Rc E2 R2"),
        ("HIGH:!AES256:AES256", "E1 Ec R1 Rc"),
        ("!CHACHA20:HIGH", "E2 E1 R2 R1"),
        ("SUITEB128", "E2 E1"),
        ("HIGH:@SECLEVEL=2", FULL),
        // What it does not say of TLS 1.2 stays, but not what it bans.
        ("TLS_AES_128_GCM_SHA256", FULL),
        ("TLS_AES_128_GCM_SHA256:!CHACHA20", "E2 E1 R2 R1"),
        // Mozilla's intermediate list.
        (
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
             ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
             ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
             DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305",
            "E1 R1 E2 R2 Ec Rc",
        ),
        ("DES-CBC3-SHA:HIGH", FULL),
    ] {
        assert_eq!(tls12(list), suites, "{list}");
    }
}

#[test]
fn lists_of_tls_1_3() {
    let names = |list: &str| -> Vec<&str> {
        let read = Ciphers::parse(list).unwrap();
        read.suites().iter().filter(|s| s.is_tls13()).map(|s| s.name()).collect()
    };
    let all: Vec<&str> = ALL.iter().filter(|s| s.is_tls13()).map(|s| s.name()).collect();
    assert_eq!(names("HIGH"), all);
    assert_eq!(names("AES128"), all);
    assert_eq!(
        names("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
        ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
    );
    assert_eq!(names("HIGH:!TLS_AES_128_GCM_SHA256"), [all[0], all[2]]);
    assert!(names("AES128:!TLS_AES_128_GCM_SHA256:!TLS_AES_256_GCM_SHA384").len() == 1);
}

#[test]
fn lists_that_are_refused_name_the_word() {
    for (list, part) in [
        ("", "nothing is left"),
        ("RC4:aNULL", "'RC4', 'aNULL'"),
        ("DHE-RSA-AES128-SHA", "'DHE-RSA-AES128-SHA' stands for no cipher"),
        ("HIGH:!ALL", "nothing is left"),
        ("HIHG", "'HIHG' is no cipher and no group; did you mean 'HIGH'?"),
        ("HIGH:!CHACHA2O", "'CHACHA2O' is no cipher and no group; did you mean 'CHACHA20'?"),
        ("HIGH:ECDHE+AESGMC", "did you mean 'AESGCM'?"),
        ("HIGH:@SECLEVEL=4", "'@SECLEVEL=4'"),
        ("HIGH:+", "'' is no cipher"),
    ] {
        let why = Ciphers::parse(list).expect_err(list);
        assert!(why.contains(part), "{list}: {why}");
    }
}

#[test]
fn foreign_names_are_told() {
    let read = Ciphers::parse("HIGH:RC4:AES128-SHA:!3DES").unwrap();
    assert_eq!(read.foreign(), ["RC4", "AES128-SHA"]);
    assert_eq!(read.text(), "HIGH:RC4:AES128-SHA:!3DES");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn any_list_is_answered(list in "[-+!@:,A-Za-z0-9_=.]{0,40}") {
        if let Ok(read) = Ciphers::parse(&list) {
            assert!(!read.suites().is_empty());
            let mut seen = read.suites().to_vec();
            seen.dedup();
            assert_eq!(seen.len(), read.suites().len());
        }
    }
}
