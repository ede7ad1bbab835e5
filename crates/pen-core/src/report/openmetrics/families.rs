//! The table of metrics, and how each is read.

use super::{Family, Kind, Samples, Scene};
use crate::dsr;
use crate::flow::{self, FlowEnd};
use crate::limits;
use crate::reasons::{CloseReason, ConnectFailure, Refusal, TlsFault};
use crate::report::ServerRow;
use crate::report::dsr::DsrRow;
use crate::report::overview::{Kind as Service, ServiceRow};
use crate::tally::{SIZES, Sums, TIMES, WAITS};

const SERVICE: &[&str] = &["service"];
const SERVICE_REASON: &[&str] = &["service", "reason"];
const SERVICE_WAY: &[&str] = &["service", "direction"];
const SERVER: &[&str] = &["service", "server"];
const SERVER_REASON: &[&str] = &["service", "server", "reason"];

const MS: f64 = 1000.0;
const BYTES: f64 = 1.0;

type Read = fn(&Scene<'_>, &mut Samples<'_>);

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: Read,
) -> Family {
    Family { name, kind: Kind::Counter, labels, help, read }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: Read,
) -> Family {
    Family { name, kind: Kind::Gauge, labels, help, read }
}

const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: Read,
) -> Family {
    Family { name, kind: Kind::Info, labels, help, read }
}

const fn histogram(name: &'static str, help: &'static str, read: Read) -> Family {
    Family { name, kind: Kind::Histogram, labels: SERVICE, help, read }
}

/// Every metric, in the order of the text.
pub const FAMILIES: &[Family] = &[
    info("pen_build", &["version"], "The program.", |_, out| {
        out.put(&[env!("CARGO_PKG_VERSION")], 1);
    }),
    gauge("process_start_time_seconds", &[], "When the process started, since 1970.", |s, out| {
        out.put(&[], s.overview.process.started.0);
    }),
    counter("process_cpu_seconds", &[], "Processor time, user and system.", |s, out| {
        out.put_some(s.facts.cpu_s);
    }),
    gauge("process_resident_memory_bytes", &[], "Memory that is really there.", |s, out| {
        out.put_some(s.facts.resident);
    }),
    gauge("process_virtual_memory_bytes", &[], "Addresses in use.", |s, out| {
        out.put_some(s.facts.virtual_size);
    }),
    gauge("process_open_fds", &[], "Open descriptors.", |s, out| {
        out.put_some(s.facts.descriptors);
    }),
    gauge("process_max_fds", &[], "Descriptors there may be.", |s, out| {
        out.put_some(s.facts.descriptors_max);
    }),
    gauge("process_threads", &[], "Threads.", |s, out| out.put_some(s.facts.threads)),
    gauge(
        "pen_worker_connections",
        &["worker"],
        "Connections of a worker, of all services, idlers included.",
        |s, out| {
            for (n, count) in s.overview.process.workers.iter().enumerate() {
                out.put(&[&n.to_string()], count);
            }
        },
    ),
    counter("pen_reloads", &[], "How often the settings were read again.", |s, out| {
        out.put(&[], s.overview.process.reloads);
    }),
    gauge("pen_draining", &[], "1 when the process accepts no more.", |s, out| {
        out.put(&[], u8::from(s.overview.process.draining));
    }),
    counter(
        "pen_log_lost",
        &["what"],
        "Messages and lines of service logs that were lost because writing could not keep up.",
        |s, out| {
            out.put(&["messages"], s.facts.lost_messages);
            out.put(&["lines"], s.facts.lost_lines);
        },
    ),
    gauge(
        "pen_unfinished_handshakes",
        &[],
        "TLS handshakes and hellos of clients that are not over.",
        |s, out| out.put(&[], s.facts.handshakes),
    ),
    gauge("pen_udp_local_ports", &[], "Local ports towards UDP servers.", |s, out| {
        out.put(&[], s.facts.udp_ports);
    }),
    gauge(
        "pen_certificate_not_after_timestamp_seconds",
        &["service", "file"],
        "The last second of a certificate that clients are shown, since 1970.",
        |s, out| {
            for row in s.certificates {
                out.put(&[&row.service, &row.file], row.not_after.0);
            }
        },
    ),
    info("pen_service", &["service", "mode"], "A service and what it deals with.", |s, out| {
        each(s, |row| out.put(&[&row.shot.service, row.kind.word()], 1));
    }),
    gauge(
        "pen_service_ready",
        SERVICE,
        "1 when the service listens and has a server that can be used.",
        |s, out| each(s, |row| out.put(&[&row.shot.service], u8::from(row.not_ready.is_empty()))),
    ),
    gauge(
        "pen_service_servers",
        &["service", "state"],
        "Servers of the table by state: usable, blacklisted, unset.",
        |s, out| each(s, |row| states(row, out)),
    ),
    gauge("pen_clients_remembered", SERVICE, "Slots of the client table in use.", |s, out| {
        each(s, |row| out.put(&[&row.shot.service], row.shot.clients_used));
    }),
    gauge("pen_clients_limit", SERVICE, "Size of the client table.", |s, out| {
        each(s, |row| out.put(&[&row.shot.service], row.shot.clients_max));
    }),
    gauge("pen_connections_current", SERVICE, "Connections now, idlers included.", |s, out| {
        tcp(s, |row| out.put(&[&row.shot.service], row.shot.conn_used));
    }),
    gauge("pen_connections_limit", SERVICE, "Connections there may be.", |s, out| {
        tcp(s, |row| out.put(&[&row.shot.service], row.shot.conn_max));
    }),
    gauge("pen_idlers_current", SERVICE, "Idlers now.", |s, out| {
        tcp(s, |row| out.put(&[&row.shot.service], row.shot.idlers));
    }),
    counter("pen_connections", SERVICE, "Clients that were accepted.", |s, out| {
        sums(s, |name, sums| out.put(&[name], sums.accepted));
    }),
    counter(
        "pen_connections_routed",
        SERVICE_WAY,
        "Clients that a route led here (in) or to another service (out).",
        |s, out| {
            sums(s, |name, sums| {
                out.put(&[name, "in"], sums.came);
                out.put(&[name, "out"], sums.left);
            });
        },
    ),
    counter(
        "pen_connections_closed",
        SERVICE_REASON,
        "Connections that ended, by close reason; idlers are not among them.",
        |s, out| {
            sums(s, |name, sums| {
                // Idlers alone end for this reason.
                for reason in CloseReason::ALL.into_iter().filter(|r| *r != CloseReason::IdlerEnded)
                {
                    out.put(&[name, reason.word()], sums.closed_for(reason));
                }
            });
        },
    ),
    counter("pen_client_received_bytes", SERVICE, "Bytes from clients, after TLS.", |s, out| {
        sums(s, |name, sums| out.put(&[name], sums.received))
    }),
    counter("pen_client_sent_bytes", SERVICE, "Bytes to clients, before TLS.", |s, out| {
        sums(s, |name, sums| out.put(&[name], sums.sent));
    }),
    counter(
        "pen_tls_handshakes",
        &["service", "result"],
        "TLS handshakes of clients: full, resumed, failed.",
        |s, out| {
            sums(s, |name, sums| {
                out.put(&[name, "full"], sums.full);
                out.put(&[name, "resumed"], sums.resumed);
                out.put(&[name, "failed"], sums.failed.iter().sum::<u64>());
            });
        },
    ),
    counter(
        "pen_tls_handshake_failures",
        SERVICE_REASON,
        "TLS handshakes of clients that failed, by handshake fault.",
        |s, out| {
            sums(s, |name, sums| {
                for fault in TlsFault::ALL {
                    out.put(&[name, fault.word()], sums.failed_for(fault));
                }
            });
        },
    ),
    histogram(
        "pen_connection_connect_seconds",
        "From the first server that was asked until one was connected, failed tries included.",
        |s, out| sums(s, |name, sums| out.put_all(&[name], &WAITS, MS, &sums.connect)),
    ),
    histogram(
        "pen_connection_first_byte_seconds",
        "From the connect until the server's first byte.",
        |s, out| sums(s, |name, sums| out.put_all(&[name], &WAITS, MS, &sums.first_byte)),
    ),
    histogram(
        "pen_connection_duration_seconds",
        "From accept to the end of connections that ended.",
        |s, out| sums(s, |name, sums| out.put_all(&[name], &TIMES, MS, &sums.duration)),
    ),
    histogram(
        "pen_connection_received_bytes",
        "Bytes from the client, of connections that ended.",
        |s, out| sums(s, |name, sums| out.put_all(&[name], &SIZES, BYTES, &sums.bytes_in)),
    ),
    histogram(
        "pen_connection_sent_bytes",
        "Bytes to the client, of connections that ended.",
        |s, out| sums(s, |name, sums| out.put_all(&[name], &SIZES, BYTES, &sums.bytes_out)),
    ),
    gauge("pen_flows_current", SERVICE, "Flows now.", |s, out| {
        udp(s, |row| out.put(&[&row.shot.service], row.shot.conn_used));
    }),
    gauge("pen_flows_limit", SERVICE, "Flows there may be.", |s, out| {
        udp(s, |row| out.put(&[&row.shot.service], row.shot.conn_max));
    }),
    counter("pen_flows", SERVICE, "Flows that began.", |s, out| {
        udp(s, |row| out.put(&[&row.shot.service], row.datagrams.opened));
    }),
    counter("pen_flows_moved", SERVICE, "Flows that went to another server.", |s, out| {
        udp(s, |row| out.put(&[&row.shot.service], row.datagrams.moved));
    }),
    counter("pen_flows_ended", SERVICE_REASON, "Flows that ended, by reason.", |s, out| {
        udp(s, |row| {
            for why in FlowEnd::ALL {
                out.put(&[&row.shot.service, why.word()], row.datagrams.ended(why));
            }
        });
    }),
    counter(
        "pen_datagrams",
        SERVICE_WAY,
        "Datagrams that were passed on: to_servers, to_clients.",
        |s, out| {
            udp(s, |row| {
                out.put(&[&row.shot.service, "to_servers"], row.datagrams.to_servers);
                out.put(&[&row.shot.service, "to_clients"], row.datagrams.to_clients);
            });
        },
    ),
    counter("pen_datagram_bytes", SERVICE_WAY, "Bytes of those datagrams.", |s, out| {
        udp(s, |row| {
            out.put(&[&row.shot.service, "to_servers"], row.datagrams.to_servers_bytes);
            out.put(&[&row.shot.service, "to_clients"], row.datagrams.to_clients_bytes);
        });
    }),
    counter(
        "pen_datagrams_dropped",
        SERVICE_REASON,
        "Datagrams that were dropped, by drop reason.",
        |s, out| {
            udp(s, |row| {
                for why in flow::DropReason::ALL {
                    out.put(&[&row.shot.service, why.word()], row.datagrams.dropped(why));
                }
            });
        },
    ),
    counter("pen_frames_forwarded", SERVICE, "Frames passed on to servers.", |s, out| {
        frames(s, |name, row| out.put(&[name], row.counts.forwarded));
    }),
    counter("pen_frame_forwarded_bytes", SERVICE, "Bytes of those frames.", |s, out| {
        frames(s, |name, row| out.put(&[name], row.counts.forwarded_bytes));
    }),
    counter(
        "pen_frames_answered",
        SERVICE,
        "Questions for the service's address that were answered.",
        |s, out| frames(s, |name, row| out.put(&[name], row.counts.answered)),
    ),
    counter("pen_frames_tarpit", SERVICE, "Frames that the tarpit sent.", |s, out| {
        frames(s, |name, row| out.put(&[name], row.counts.tarpit));
    }),
    counter(
        "pen_frames_lost",
        SERVICE,
        "Frames that the kernel could not keep until they were looked at.",
        |s, out| frames(s, |name, row| out.put(&[name], row.counts.lost)),
    ),
    counter(
        "pen_frames_dropped",
        SERVICE_REASON,
        "Frames that went nowhere, by reason.",
        |s, out| {
            frames(s, |name, row| {
                for (why, count) in dsr::DropReason::ALL.into_iter().zip(row.counts.dropped) {
                    out.put(&[name, why.word()], count);
                }
            });
        },
    ),
    gauge(
        "pen_servers_without_metrics",
        &[],
        "Servers beyond the number that have metrics of their own.",
        |s, out| {
            let all = s.overview.services.iter().flat_map(table).count();
            out.put(&[], all.saturating_sub(limits::METRICS_SERVERS_MAX));
        },
    ),
    info(
        "pen_server",
        &["service", "server", "name", "address"],
        "A server: its number, name and address.",
        |s, out| {
            servers(s, |service, number, row| {
                let name = row.name.as_deref().unwrap_or_default();
                let address = match row.port {
                    0 => row.host.to_string(),
                    port => format!("{}:{port}", row.host),
                };
                out.put(&[service, number, name, &address], 1);
            });
        },
    ),
    gauge("pen_server_usable", SERVER, "1 when clients can be sent to the server.", |s, out| {
        servers(s, |service, number, row| out.put(&[service, number], u8::from(row.usable())));
    }),
    gauge(
        "pen_server_blacklisted_seconds",
        SERVER,
        "Seconds until the server is not blacklisted any more; 0 when it is not.",
        |s, out| {
            servers(s, |service, number, row| {
                out.put(&[service, number], row.sentence_s.unwrap_or(0));
            });
        },
    ),
    gauge(
        "pen_server_connections_current",
        SERVER,
        "Connections or flows at the server now.",
        |s, out| servers(s, |service, number, row| out.put(&[service, number], row.conn)),
    ),
    gauge(
        "pen_server_connects_pending",
        SERVER,
        "Connects to the server that have not been answered.",
        |s, out| servers(s, |service, number, row| out.put(&[service, number], row.pending)),
    ),
    gauge(
        "pen_server_connections_limit",
        SERVER,
        "The server's soft limit; 0 is none.",
        |s, out| servers(s, |service, number, row| out.put(&[service, number], row.max)),
    ),
    gauge("pen_server_weight", SERVER, "The server's weight.", |s, out| {
        servers(s, |service, number, row| out.put(&[service, number], row.weight));
    }),
    counter(
        "pen_server_connections",
        SERVER,
        "Connections and flows that were established, idlers included.",
        |s, out| servers(s, |service, number, row| out.put(&[service, number], row.total)),
    ),
    counter("pen_server_received_bytes", SERVER, "Bytes from the server.", |s, out| {
        servers(s, |service, number, row| out.put(&[service, number], row.received));
    }),
    counter("pen_server_sent_bytes", SERVER, "Bytes to the server.", |s, out| {
        servers(s, |service, number, row| out.put(&[service, number], row.sent));
    }),
    counter(
        "pen_server_failures",
        SERVER_REASON,
        "Connects to the server that failed, and failures that a UDP server reported, by reason.",
        |s, out| {
            servers(s, |service, number, row| {
                for (why, count) in ConnectFailure::ALL.into_iter().zip(row.failures) {
                    out.put(&[service, number, why.word()], count);
                }
            });
        },
    ),
    counter(
        "pen_server_passed_over",
        SERVER_REASON,
        "How often clients passed the server over without a connect, by refusal.",
        |s, out| {
            servers(s, |service, number, row| {
                for (why, count) in Refusal::ALL.into_iter().zip(row.refusals) {
                    out.put(&[service, number, why.word()], count);
                }
            });
        },
    ),
];

fn each(scene: &Scene<'_>, mut read: impl FnMut(&ServiceRow)) {
    scene.overview.services.iter().for_each(&mut read);
}

fn of_kind(scene: &Scene<'_>, kind: Service, mut read: impl FnMut(&ServiceRow)) {
    scene.overview.services.iter().filter(|row| row.kind == kind).for_each(&mut read);
}

fn tcp(scene: &Scene<'_>, read: impl FnMut(&ServiceRow)) {
    of_kind(scene, Service::Tcp, read);
}

fn udp(scene: &Scene<'_>, read: impl FnMut(&ServiceRow)) {
    of_kind(scene, Service::Udp, read);
}

fn sums(scene: &Scene<'_>, mut read: impl FnMut(&str, &Sums)) {
    tcp(scene, |row| read(&row.shot.service, &row.sums));
}

fn frames(scene: &Scene<'_>, mut read: impl FnMut(&str, &DsrRow)) {
    each(scene, |row| {
        if let Some(frames) = &row.frames {
            read(&row.shot.service, frames);
        }
    });
}

/// The servers that are set.
fn table(row: &ServiceRow) -> impl Iterator<Item = &ServerRow> {
    let shot = &row.shot;
    shot.servers.iter().chain(&shot.emergency).chain(&shot.abuse).filter(|s| s.is_set())
}

/// Each server that is set, as far as they have metrics of their own.
fn servers(scene: &Scene<'_>, mut read: impl FnMut(&str, &str, &ServerRow)) {
    let all = scene.overview.services.iter().flat_map(|row| table(row).map(move |s| (row, s)));
    for (row, server) in all.take(limits::METRICS_SERVERS_MAX) {
        read(&row.shot.service, &server.server.to_string(), server);
    }
}

fn states(row: &ServiceRow, out: &mut Samples<'_>) {
    let shot = &row.shot;
    let unset = shot.servers.iter().filter(|s| !s.is_set()).count();
    let usable = shot.usable();
    for (state, count) in
        [("usable", usable), ("blacklisted", shot.servers.len() - usable - unset), ("unset", unset)]
    {
        out.put(&[&shot.service, state], count);
    }
}
