//! Explanations, compared byte for byte.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::*;
use crate::addr::ClientAddr;
use crate::explain::{Scene, explain};
use crate::journey::Way;
use crate::routes::When;
use crate::select::Cursor;
use crate::service::tests::{live, server, service};

/// A client that a route leads to a service with three servers.
pub fn explained() -> Explained<'static> {
    static QUESTION: Question = Question {
        client: ClientAddr::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        port: None,
        hello: None,
    };
    let mut config = service(2);
    config.mode.weight = true;
    config.servers[0].name = Some("red".to_owned());
    config.servers[1].weight = 4;
    config.emergency = Some(server(9));
    let live = live(&config);
    live.servers[0].load.fail(Moment(1_000));
    let (cursor, now) = (Cursor::default(), Moment(11_500));
    let scene = Scene { live: &live, cursor: &cursor, remembered: None, excess: None, now };
    let answer = explain(&QUESTION, Way::Free, &scene);
    let passage = Passage {
        service: "default".to_owned(),
        when: Some(When::sni("*.example.org").unwrap()),
        to: To::Service("test".to_owned()),
    };
    let place = Served { live: Arc::new(live), answer, waits: Some(Wait::PendingMax) };
    Explained {
        question: &QUESTION,
        passages: vec![passage],
        place: Some(place),
        asked: "default",
        by_hello: true,
        now,
    }
}

#[test]
fn an_explanation_is_for_people_and_for_programs() {
    let row = explained();
    assert_eq!(
        text(&row),
        "client 127.0.0.1 gets server 1 10.0.0.1:80\n\
         service default: route sni *.example.org leads to service test\n\
         service test: weight, the least connections for the weight\n\
         waits until a connect is answered: pending_max is reached\n\
         server 1 10.0.0.1:80: yes, is tried first\n\
         server 0 red 10.0.0.0:80: no, blacklisted: 20 s are left\n\
         emergency server 10.0.0.9:80: would be tried as number 2\n\
         if all of these fail: closed, no_server\n\
         depends on what the client says first; this is for one that no route by name or protocol \
         is for (ask with: sni NAME, alpn PROTOCOL)\n\
         depends on the connections of the moment\n"
    );
    let twin: serde_json::Value = serde_json::from_str(&json(&row)).unwrap();
    assert_eq!((&twin["server"], &twin["rule"]), (&1.into(), &"weight".into()));
    assert_eq!(twin["servers"][1]["refusal"], "blacklisted");
    assert_eq!(twin["servers"][1]["sentence_s"], 20);
    assert_eq!(twin["servers"][2]["turn"], 2);
    assert_eq!(twin["depends_on"], serde_json::json!(["hello", "load"]));
    let nowhere = Explained { place: None, ..explained() };
    assert!(text(&nowhere).starts_with("client 127.0.0.1 gets no server: closed, no_route\n"));
    assert!(json(&nowhere).contains(r#""closed":"no_route""#));
}
