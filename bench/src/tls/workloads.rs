//! What is measured over TLS, with whom.

use super::{Key, Variant, Version, settings};
use crate::balancers::Kind;
use crate::load::Kind as LoadKind;
use crate::options::Options;
use crate::workloads::{AT_ONCE, MIB, Shape, Subject, Workload};

/// Hitch has one server, so all of them have one.
const SERVERS: u32 = 1;

const FULL: Variant = Variant { key: Key::P256, version: Version::V13, resumed: false };

/// The workloads with TLS.
pub fn all(options: &Options) -> Vec<Workload> {
    let rows = handshakes().into_iter().chain(traffic(options));
    rows.map(|(name, says, variant, shape)| Workload {
        name,
        says,
        shape,
        subjects: subjects(options, variant, shape),
        stays: false,
    })
    .collect()
}

type Row = (&'static str, &'static str, Variant, Shape);

fn handshakes() -> Vec<Row> {
    let short = Shape::Load { kind: LoadKind::ShortClient, connections: AT_ONCE, idle: 0 };
    let row =
        |name, says, key, version, resumed| (name, says, Variant { key, version, resumed }, short);
    vec![
        (
            "tls-full-p256",
            "full handshakes (TLS 1.3, ECDSA P-256), one exchange each, 64 at once",
            FULL,
            short,
        ),
        row(
            "tls-full-rsa",
            "full handshakes (TLS 1.3, RSA 2048), one exchange each, 64 at once",
            Key::Rsa,
            Version::V13,
            false,
        ),
        row(
            "tls-resumed",
            "resumed handshakes (TLS 1.3, ECDSA P-256), one exchange each, 64 at once",
            Key::P256,
            Version::V13,
            true,
        ),
        row(
            "tls12-full-p256",
            "full handshakes (TLS 1.2, ECDSA P-256), one exchange each, 64 at once",
            Key::P256,
            Version::V12,
            false,
        ),
        row(
            "tls12-full-rsa",
            "full handshakes (TLS 1.2, RSA 2048), one exchange each, 64 at once",
            Key::Rsa,
            Version::V12,
            false,
        ),
        row(
            "tls12-resumed",
            "resumed handshakes (TLS 1.2, ECDSA P-256), one exchange each, 64 at once",
            Key::P256,
            Version::V12,
            true,
        ),
    ]
}

fn traffic(options: &Options) -> Vec<Row> {
    let load = |kind, connections| Shape::Load { kind, connections, idle: 0 };
    let (one, many) = if options.smoke { (MIB, MIB) } else { (64 * MIB, 16 * MIB) };
    let row = |name, says, shape| (name, says, FULL, shape);
    vec![
        row("tls-keep-64", "small requests over TLS, 64 connections", load(LoadKind::Keep, 64)),
        row(
            "tls-bulk-down-1",
            "bytes to the client over TLS, 1 connection",
            load(LoadKind::Down(one), 1),
        ),
        row(
            "tls-bulk-up-1",
            "bytes to the server over TLS, 1 connection",
            load(LoadKind::Up(one), 1),
        ),
        row(
            "tls-bulk-down-16",
            "bytes to the client over TLS, 16 connections",
            load(LoadKind::Down(many), 16),
        ),
        row(
            "tls-bulk-up-16",
            "bytes to the server over TLS, 16 connections",
            load(LoadKind::Up(many), 16),
        ),
        row(
            "tls-idle",
            "connections that do nothing over TLS",
            Shape::Idle { connections: options.idle },
        ),
    ]
}

fn subjects(options: &Options, variant: Variant, shape: Shape) -> Vec<Subject> {
    let mut all = Vec::new();
    for threads in options.threads.iter().copied() {
        for kind in Kind::ALL.into_iter().filter(|k| settings::knows(*k)) {
            // What it is tuned by concerns bulk; the rest would be measured twice.
            if kind == Kind::HaproxyTuned && !shape.is_bulk() {
                continue;
            }
            let label = |k: Kind| match threads {
                1 => k.name().to_owned(),
                _ => format!("{}, {threads} threads", k.name()),
            };
            all.push(Subject {
                label: label(kind),
                kind,
                threads,
                servers: SERVERS,
                clients: None,
                log: None,
                tls: Some(variant),
                reference: label(Kind::Haproxy),
            });
        }
    }
    all.retain(|s| options.wants_balancer(s.kind.name()));
    all
}
