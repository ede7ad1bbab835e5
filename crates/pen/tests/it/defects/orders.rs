//! Defects that orders of control sessions meet: whoever asked is told, nothing has changed, Pen goes on; where
//! that cannot be known it ends.

use pen_test::{End, Farm, Pen, acts, until};

use super::{VICTIM, echoes, with};

/// Whoever gives the order is told so and nothing else changes.
fn refused(fault: &str, order: &str, told: &str) {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with(fault, &farm) else { return };
    let mut pen = builder.start();
    let client = pen.client();
    echoes(&client, "before");
    let before = settings(&pen);
    for _ in 0..20 {
        let reply = pen.ctl(order);
        assert!(reply.starts_with("error: ") && reply.contains(told), "{order:?}: {reply}");
    }
    assert_eq!(settings(&pen), before);
    echoes(&client, "after");
    echoes(&pen.client(), "who comes later");
    // Orders that do not meet it are carried out.
    assert_eq!(pen.ctl("server 0 max 7"), "");
    assert_eq!(pen.servers()[0].max, 7);
    let said = "an order met a defect of Pen: it is not carried out, Pen goes on";
    assert!(pen.ctl("events").contains(said), "{}", pen.ctl("events"));
    until("the log", || pen.stderr().contains("a defect on demand").then_some(()));
    assert_eq!(pen.stop(), Some(0));
}

/// What is true, but for what moves.
fn settings(pen: &Pen) -> String {
    let path = pen.path("settings");
    assert_eq!(pen.ctl(&format!("write {}", path.display())), "");
    let text = std::fs::read_to_string(path).expect("it was written");
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

const UNCHANGED: &str = "met a defect of Pen, which is in the log; nothing has changed";

#[test]
fn a_panic_while_a_line_is_read() {
    refused("panic-order", &format!("server 0 address {VICTIM}"), UNCHANGED);
}

#[test]
fn a_panic_while_settings_are_looked_at() {
    refused("panic-check", &format!("server 0 address {VICTIM}"), UNCHANGED);
}

#[test]
fn a_panic_in_a_report() {
    refused("panic-report", &format!("explain {VICTIM}"), "it was not carried out");
}

#[test]
fn a_panic_while_settings_become_true_ends_pen_loudly() {
    let farm = Farm::one(&acts::echo());
    let Some(builder) = with("panic-swap", &farm) else { return };
    let mut pen = builder.start();
    let client = pen.client();
    echoes(&client, "before");
    let reply = pen.ctl(&format!("server 0 address {VICTIM}"));
    assert!(reply.starts_with("error: ") && reply.contains("Pen ends"), "{reply}");
    assert_eq!(pen.wait_exit(), None, "by a signal: whoever started it sees that it failed");
    assert_eq!(client.end(), End::Reset, "nothing looks complete");
    let said = pen.stderr();
    assert!(
        said.contains("the control thread met a defect of Pen; every connection is reset"),
        "{said}"
    );
    assert!(said.contains("a defect on demand"), "where it was: {said}");
}
