//! What the connection log says of TLS, and what hostile clients can make of its lines.

use std::io::{Read, Write};

use pen_test::{Authority, Farm, Pen, until, whole_lines};
use rcgen::DnType;
use rustls::StreamOwned;
use serde_json::Value;

use crate::hall::{Hall, NAME, read_line, session, socket};
use crate::look::credentials;

fn log(pen: &Pen, name: &str, count: usize) -> String {
    until("the log", || {
        let text = whole_lines(&pen.path(name));
        (text.lines().count() >= count).then_some(text)
    })
}

#[test]
fn facts_of_a_session_are_in_its_line_and_forge_none() {
    let (hall, farm, clients) = (Hall::new(), Farm::banners(1), Authority::new("clients"));
    let ca = hall.scratch.write("ca.pem", clients.pem()).display().to_string();
    let pen = hall.pen(&farm).args(["-R", "-G", &ca]).command("ssl_alpn http/1.1");
    let path = pen.path("conn.log").display().to_string();
    let pen = pen.command(&format!("connection_log json {path}")).start();
    // Whoever signs may be careless.
    let careless = clients.sign_with(&["client"], |params| {
        let name = "a\nevent=end \"reason\":\u{1b}[2J\u{9b}";
        params.distinguished_name.push(DnType::CommonName, name);
    });
    let mut config = hall.config();
    config.client_auth_cert_resolver = std::sync::Arc::new(credentials(&careless));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let enter = || {
        let mut client = StreamOwned::new(session(config.clone()), socket(&pen));
        assert!(read_line(&mut client).expect("it is let in").starts_with("s0 "));
        client.conn.send_close_notify();
        let _ = client.flush();
        let _ = client.sock.shutdown(std::net::Shutdown::Write);
        let _ = client.read_to_end(&mut Vec::new());
    };
    enter();
    let text = log(&pen, "conn.log", 1);
    let one: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&one["tls_version"], &one["tls_sni"]), (&"TLSv1.3".into(), &NAME.into()));
    assert_eq!((&one["tls_alpn"], &one["tls_resumed"]), (&"http/1.1".into(), &false.into()));
    assert!(one["tls_cipher"].as_str().is_some_and(|c| c.starts_with("TLS_")), "{one}");
    assert!(one["tls_client_subject"].as_str().is_some_and(|s| s.starts_with("CN=a")), "{one}");
    assert!(one["queue_ms"].as_u64() <= one["total_ms"].as_u64());
    let forms = ["text", r#"template "%{tls_client_subject} %{reason} \"%{tls_client_subject}\"""#];
    for (n, form) in forms.into_iter().enumerate() {
        let name = format!("conn{n}.log");
        pen.set(&format!("connection_log {form} {}", pen.path(&name).display()));
        enter();
        let text = log(&pen, &name, 1);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.trim_end().chars().any(char::is_control), "{text}");
    }
    let template = log(&pen, "conn1.log", 1);
    assert_eq!(template.matches('"').count(), 2, "{template}");
}

#[test]
fn a_handshake_that_fails_is_a_line_with_that_reason() {
    let (hall, farm) = (Hall::new(), Farm::banners(1));
    let pen = hall.pen(&farm);
    let path = pen.path("conn.log").display().to_string();
    let pen = pen.command(&format!("connection_log json {path}")).start();
    let mut client = socket(&pen);
    let _ = client.write_all(b"GET / HTTP/1.0\r\n\r\n");
    let _ = client.read_to_end(&mut Vec::new());
    let text = log(&pen, "conn.log", 1);
    let one: Value = serde_json::from_str(text.trim_end()).expect("JSON");
    assert_eq!((&one["reason"], &one["server"]), (&"handshake_failed".into(), &Value::Null));
    assert!(one["tls_version"].is_null() && one["queue_ms"].is_null(), "{one}");
    let events: Value = serde_json::from_str(&pen.ctl("events json")).expect("JSON");
    let events = events["events"].as_array().expect("a list").clone();
    let failed = events.iter().find(|e| e["key"] == "handshake_failed").expect("an event");
    assert_eq!(failed["cause"], "plain_http");
}
