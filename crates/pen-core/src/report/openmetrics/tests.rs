//! The text of both forms, taken apart as a scraper does.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::moment::WallSeconds;
use crate::reasons::CloseReason;
use crate::report::dsr::DsrRow;
use crate::report::overview::{ServiceRow, tests::overview};
use crate::tally::{SIZES, Tally};

fn facts() -> Facts {
    Facts {
        cpu_s: Some(1.5),
        resident: Some(1),
        virtual_size: Some(2),
        descriptors: Some(3),
        descriptors_max: Some(4),
        threads: Some(5),
        ..Facts::default()
    }
}

fn full() -> (Overview, Vec<CertificateRow>) {
    let mut all = overview();
    let tally = Tally::default();
    tally.closed(CloseReason::ClientFinished, 70, 3_000, 5);
    tally.connected(3);
    tally.first_byte(40_000);
    all.services[0].sums = tally.read();
    let mut frames = ServiceRow { frames: Some(DsrRow::default()), ..ServiceRow::default() };
    frames.kind = crate::report::overview::Kind::Dsr;
    frames.shot.service = "web-1.dsr".to_owned();
    all.services.push(frames);
    let certificate = CertificateRow {
        service: "web".to_owned(),
        file: "/a\"b\\c\nd".to_owned(),
        not_after: WallSeconds(99),
        ..CertificateRow::default()
    };
    (all, vec![certificate])
}

fn shown(form: Form) -> String {
    let (overview, certificates) = full();
    text(&Scene { overview: &overview, certificates: &certificates, facts: facts() }, form)
}

#[test]
fn every_family_has_samples_and_stands_there_once() {
    for form in [Form::Prometheus, Form::OpenMetrics] {
        let text = shown(form);
        let typed: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("# TYPE ")).collect();
        assert_eq!(typed.len(), FAMILIES.len(), "{typed:?}");
        let names: BTreeSet<&str> = typed.iter().filter_map(|t| t.split(' ').next()).collect();
        assert_eq!(names.len(), FAMILIES.len());
        let samples: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
        let keys: BTreeSet<&str> =
            samples.iter().filter_map(|l| l.rsplit_once(' ')).map(|s| s.0).collect();
        assert_eq!(keys.len(), samples.len(), "a sample stands there twice");
        for sample in samples {
            let value = sample.rsplit_once(' ').unwrap().1;
            assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{sample}");
        }
        assert_eq!(text.ends_with("\n# EOF\n"), form == Form::OpenMetrics);
    }
}

#[test]
fn names_follow_the_conventions() {
    for Family { name, kind, labels, help, .. } in FAMILIES {
        let ok = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(name.chars().all(ok) && labels.iter().all(|l| l.chars().all(ok)), "{name}");
        assert!(name.starts_with("pen_") || name.starts_with("process_"), "{name}");
        for ending in ["_total", "_info", "_count", "_sum", "_bucket", "_ms", "_created"] {
            assert!(!name.ends_with(ending), "{name} has the ending of a sample");
        }
        assert!(help.ends_with('.') && !help.contains(['\n', '\\', '|']), "{name}: {help}");
        assert!(!labels.contains(&"client") && !labels.contains(&"le"));
        let unit = ["_seconds", "_bytes"].iter().any(|unit| name.ends_with(unit));
        assert!(*kind != Kind::Histogram || unit, "{name} has no unit");
    }
}

#[test]
fn distributions_add_up() {
    for form in [Form::Prometheus, Form::OpenMetrics] {
        let text = shown(form);
        let value = |sample: &str| -> String {
            let line = text.lines().find_map(|l| l.strip_prefix(sample)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{sample} is not in {text}")).to_owned()
        };
        let of = |name: &str, end: &str| {
            value(&format!("{name}_bucket{{service=\"web\",le=\"{end}\"}}"))
        };
        let duration = "pen_connection_duration_seconds";
        assert_eq!(
            [of(duration, "0.05"), of(duration, "0.1"), of(duration, "+Inf")],
            ["0", "1", "1"]
        );
        assert_eq!(value("pen_connection_duration_seconds_sum{service=\"web\"}"), "0.07");
        assert_eq!(value("pen_connection_duration_seconds_count{service=\"web\"}"), "1");
        let late = "pen_connection_first_byte_seconds";
        assert_eq!([of(late, "30.0"), of(late, "+Inf")], ["0", "1"]);
        let size = "pen_connection_received_bytes";
        assert_eq!([of(size, "1024.0"), of(size, "4096.0")], ["0", "1"]);
        let last = format!("{:?}", SIZES[SIZES.len() - 1] as f64);
        assert_eq!(of(size, &last), "1");
    }
}

#[test]
fn the_forms_differ_in_their_heads_only() {
    let (plain, open) = (shown(Form::Prometheus), shown(Form::OpenMetrics));
    let samples = |text: &str| -> Vec<String> {
        text.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(samples(&plain), samples(&open));
    assert!(
        plain.contains(
            "# TYPE pen_connections_total counter\npen_connections_total{service=\"web\"} "
        )
    );
    assert!(
        open.contains("# TYPE pen_connections counter\npen_connections_total{service=\"web\"} ")
    );
    assert!(
        plain.contains("# TYPE pen_build_info gauge\n") && open.contains("# TYPE pen_build info\n")
    );
    assert!(plain.contains("file=\"/a\\\"b\\\\c\\nd\"} 99\n"), "{plain}");
    assert!(plain.contains("process_cpu_seconds_total 1.5\n"));
    assert!(
        plain.contains(
            "pen_connections_closed_total{service=\"web\",reason=\"client_finished\"} 1\n"
        )
    );
    assert!(!plain.contains("idler_ended"));
    assert!(plain.contains(
        "pen_server_failures_total{service=\"web\",server=\"1\",reason=\"refused\"} 1\n"
    ));
    assert!(plain.contains("pen_service_servers{service=\"web\",state=\"blacklisted\"} 1\n"));
}

#[test]
fn what_is_not_known_is_left_out() {
    let overview = Overview::default();
    let scene = Scene { overview: &overview, certificates: &[], facts: Facts::default() };
    let text = text(&scene, Form::Prometheus);
    assert!(!text.contains("process_open_fds") && !text.contains("pen_certificate"), "{text}");
    assert!(text.contains("pen_reloads_total 0\n"));
}

#[test]
fn the_number_of_series_is_bounded() {
    let mut overview = overview();
    let row = overview.services[0].shot.servers[0].clone();
    overview.services[0].shot.servers = vec![row; crate::limits::METRICS_SERVERS_MAX + 7];
    let scene = Scene { overview: &overview, certificates: &[], facts: Facts::default() };
    let text = text(&scene, Form::Prometheus);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines() {
        *counts.entry(line.split(['{', ' ']).next().unwrap()).or_default() += 1;
    }
    assert_eq!(counts["pen_server_usable"], crate::limits::METRICS_SERVERS_MAX);
    assert!(text.contains("\npen_servers_without_metrics 7\n"));
}

/// The names in a text that look like metrics of Pen.
fn named(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c)).filter(|w| w.starts_with("pen_"));
    words.map(str::to_owned).collect()
}

#[test]
fn what_dashboards_and_rules_name_exists() {
    let known: BTreeSet<String> = FAMILIES
        .iter()
        .flat_map(|family| {
            let name = family.sample_name();
            match family.kind {
                Kind::Histogram => {
                    ["_bucket", "_sum", "_count"].map(|e| format!("{name}{e}")).to_vec()
                }
                _ => vec![name],
            }
        })
        .collect();
    let dashboard = include_str!("../../../../../dist/grafana/pen.json");
    assert!(serde_json::from_str::<serde_json::Value>(dashboard).is_ok());
    let rules = include_str!("../../../../../dist/prometheus/pen.rules.yml");
    for (what, text) in [("the dashboard", dashboard), ("the rules", rules)] {
        let unknown: Vec<String> = named(text).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{what} names {unknown:?}");
        assert!(named(text).len() > 5, "{what} names too little");
    }
}
