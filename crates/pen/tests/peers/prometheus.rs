//! Prometheus: its own tool finds nothing wrong with the metrics and the rules, and the real server
//! scrapes a Pen.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pen_test::{Farm, Pen, Place, Scratch, TestServer, UdpServer, deadline, free_port, run, until};

use crate::{Real, find};

/// The body, if the answer is 200.
fn get(port: u16, path: &str, accept: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(deadline())).expect("a deadline is no 0");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    )
    .expect("it takes requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, then the end");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// A Pen with a service of each kind, used a little.
fn busy(port: u16) -> (Pen, Farm, UdpServer) {
    let farm = Farm::from([
        TestServer::refusing("dead"),
        TestServer::start("s1", pen_test::acts::banner()),
    ]);
    let udp = UdpServer::named("a");
    let (at, udp_door) = (udp.place().port(), free_port());
    let file = format!(
        "metrics 127.0.0.1:{port}\nservice dns\nprotocol udp\nlisten 127.0.0.1:{udp_door}\n\
         server 0 address 127.0.0.1 port {at} name first\n"
    );
    let pen = Pen::over(&farm).args(["-r"]).file(&file).start();
    for _ in 0..5 {
        assert_eq!(pen.ask("127.0.0.1").as_deref(), Some("s1"));
    }
    pen.wait_idle();
    (pen, farm, udp)
}

fn dist(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist").join(name)
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    let Some(promtool) = find("promtool") else { return };
    let port = free_port();
    let _kept = busy(port);
    let text = until("the numbers to be fresh", || {
        let text = get(port, "/metrics", "*/*").expect("metrics are shown");
        text.contains("pen_connections_total{service=\"default\"} 5\n").then_some(text)
    });
    let mut command = Command::new(promtool);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("promtool runs");
    let mut input = child.stdin.take().expect("it was piped");
    input.write_all(text.as_bytes()).expect("it takes metrics");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn promtool_accepts_the_rules_and_they_do_what_they_say() {
    let Some(promtool) = find("promtool") else { return };
    for (words, file) in [
        (["check", "rules"], dist("prometheus/pen.rules.yml")),
        (["test", "rules"], dist("prometheus/pen.rules.test.yml")),
    ] {
        let words = words.map(Into::into).into_iter().chain([file.into_os_string()]);
        let finished = run(&promtool, words);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stdout.contains("SUCCESS"), "{finished:?}");
    }
}

#[test]
fn a_real_prometheus_scrapes_pen() {
    let Some(prometheus) = find("prometheus") else { return };
    let port = free_port();
    let (_pen, _farm, _udp) = busy(port);
    let open = get(port, "/metrics", "application/openmetrics-text;version=1.0.0");
    let open = open.expect("metrics are shown");
    assert!(open.ends_with("# EOF\n"));
    let (scratch, place) = (Scratch::new(), Place::free());
    let rules = dist("prometheus/pen.rules.yml").canonicalize().expect("the rules are there");
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{}]\nscrape_configs:\n- \
         job_name: pen\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n",
        rules.display()
    );
    let config = scratch.write("prometheus.yml", &config);
    let mut command = Command::new(prometheus);
    command.arg(format!("--config.file={}", config.display()));
    command.arg(format!("--storage.tsdb.path={}", scratch.path("data").display()));
    command.arg(format!("--web.listen-address={}", place.word()));
    command.arg("--log.level=warn");
    let real = Real::start(command, place, scratch);
    let query = |text: &str| {
        // It answers 503 until it has read its own files.
        let answer = get(real.place.port(), &format!("/api/v1/query?query={text}"), "*/*");
        answer.unwrap_or_default()
    };
    until("a scrape", || query("up").contains("\"1\"]").then_some(()));
    until("a metric", || {
        let asked = query("pen_connections_total");
        (asked.contains("\"service\":\"default\"") && asked.contains("\"5\"]")).then_some(())
    });
    let failed = query(
        "pen_server_failures_total%7Bservice=%22default%22,reason=%22refused%22,server=%220%22%7D",
    );
    assert!(failed.contains("\"1\"]"), "{failed}");
    let buckets = query("pen_connection_duration_seconds_bucket%7Ble=%221.0%22%7D");
    assert!(buckets.contains("\"service\":\"default\""), "{buckets}");
    let out = until("an evaluation of the rules", || {
        Some(query("ALERTS%7Balertname=%22PenServerOut%22%7D")).filter(|a| a.contains("pending"))
    });
    assert!(out.contains("\"server\":\"0\""), "{out}");
}
