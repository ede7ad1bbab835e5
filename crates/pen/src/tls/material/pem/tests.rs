//! Texts that are whole, and texts that are broken in one place.

use super::*;

const GOOD: &str = "-----BEGIN CERTIFICATE-----\nMIIB\nAbc=\n-----END CERTIFICATE-----\n";

#[test]
fn sections_are_named() {
    let two = format!("subject=CN = x\n{GOOD}\n\n{}", GOOD.replace("CERTIFICATE", "X"));
    let header = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n\
                  -----END RSA PRIVATE KEY-----";
    for (text, names) in [
        (GOOD.to_owned(), &["CERTIFICATE"][..]),
        (two, &["CERTIFICATE", "X"]),
        (GOOD.replace('\n', "\r\n"), &["CERTIFICATE"]),
        (GOOD.replace('\n', "\r"), &["CERTIFICATE"]),
        (GOOD.replace('\n', " \n"), &["CERTIFICATE"]),
        (GOOD.trim_end().to_owned(), &["CERTIFICATE"]),
        (format!("-----END Y-----\n{GOOD}"), &["CERTIFICATE"]),
        (header.to_owned(), &["RSA PRIVATE KEY"]),
        (String::new(), &[]),
    ] {
        assert_eq!(
            labels(text.as_bytes()).as_deref(),
            Ok(&*names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()),
            "{text}"
        );
    }
}

#[test]
fn broken_texts_name_the_line() {
    let cut = GOOD.replace("-----END CERTIFICATE-----\n", "");
    for (text, why) in [
        (cut.clone(), "'-----END CERTIFICATE-----' for line 1 is missing: the file is cut"),
        (
            cut.replace("CERTIFICATE", "\u{1b}[2J"),
            "'-----END \\u{1b}[2J-----' for line 1 is missing",
        ),
        (format!("{cut}{GOOD}"), "line 4: 'CERTIFICATE' begins, but 'CERTIFICATE' of line 1"),
        (GOOD.replace("END CERT", "END KERT"), "line 4: this is no end of 'CERTIFICATE'"),
        (format!("\n{}", GOOD.replace("Abc=", "A!c=")), "line 4: '!' has no place"),
        (format!("  {GOOD}"), "line 1: there are blanks in front of '-----BEGIN'"),
        (GOOD.replacen("E-----", "E----", 1), "line 1: it does not end in '-----'"),
        (GOOD.replace("Abc=", "A\u{e9}c="), "line 3: "),
    ] {
        let said = labels(text.as_bytes()).expect_err(&text);
        assert!(said.contains(why), "{why}: {said}");
    }
}

#[test]
fn marks_of_utf_8_are_taken_away() {
    let marked = format!("\u{feff}{GOOD}\u{feff}{GOOD}");
    assert_eq!(without_marks(marked.into_bytes()), format!("{GOOD}{GOOD}").into_bytes());
    assert_eq!(without_marks(GOOD.into()), GOOD.as_bytes());
    let other = b"\xef\xbb\xbf\xff".to_vec();
    assert_eq!(without_marks(other.clone()), other);
}
