//! Warnings by day, with a clock of its own.

use pen_core::moment::WallSeconds;

use super::*;

const DAY_S: i64 = 86_400;

fn row(fingerprint: &str, left_s: i64) -> CertificateRow {
    CertificateRow {
        service: "default".to_owned(),
        subject: "CN=x".to_owned(),
        file: "/x.pem".to_owned(),
        fingerprint: fingerprint.to_owned(),
        not_after: WallSeconds(left_s),
        ..CertificateRow::default()
    }
}

#[test]
fn each_step_is_said_once() {
    let mut calendar = Calendar::default();
    let mut said = Vec::new();
    for left in (-3 * DAY_S..40 * DAY_S).rev().step_by(3_600) {
        said.extend(calendar.due(&[row("a", left)]).into_iter().map(|text| (left, text)));
    }
    let parts = ["expires in 29 days", "expires in 6 days", "expires in less than", "has EXPIRED"];
    assert_eq!(said.len(), parts.len(), "{said:?}");
    for ((left, text), part) in said.iter().zip(parts) {
        assert!(text.contains(part) && text.contains("/x.pem"), "{left}: {text}");
    }
}

#[test]
fn a_start_says_the_nearest_step_only_and_a_new_certificate_starts_anew() {
    let mut calendar = Calendar::default();
    let said = calendar.due(&[row("a", 6 * DAY_S), row("b", 90 * DAY_S), row("c", -1)]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(calendar.due(&[row("a", 6 * DAY_S), row("c", -1)]), [""; 0]);
    assert_eq!(calendar.due(&[row("d", 90 * DAY_S)]), [""; 0]);
    assert_eq!(calendar.due(&[row("a", 5 * DAY_S)]).len(), 1);
}

#[test]
fn what_is_not_valid_yet_is_said_once_and_the_end_nevertheless() {
    let mut calendar = Calendar::default();
    let early = |now| CertificateRow {
        not_before: WallSeconds(7_200),
        now: WallSeconds(now),
        ..row("a", 40 * DAY_S)
    };
    let said = calendar.due(&[early(0)]);
    assert!(said[0].contains("NOT YET VALID, clients refuse it for 120 minutes"), "{said:?}");
    assert_eq!(calendar.due(&[early(60)]), [""; 0]);
    assert!(calendar.due(&[early(11 * DAY_S)])[0].contains("expires in 29 days"));
}

/// Who replaces one of them must hear of the other.
#[test]
fn a_certificate_in_two_files_is_said_of_both() {
    let other = CertificateRow { file: "/y.pem".to_owned(), ..row("a", DAY_S) };
    let mut calendar = Calendar::default();
    assert_eq!(calendar.due(&[row("a", DAY_S), other]).len(), 2);
}
