//! Rows 32 to 48: running out of things, and those who want it.

mod descriptors;
mod descriptors_udp;
mod errors;
mod frames;
mod full;
mod greed;
mod http_shapes;
mod malformed_tls;
mod many_clients;
mod memory;
mod memory_tls;
mod names;
mod proxy_abuse;
mod slowloris;
mod starvation;
mod syn_flood;
mod tls_flood;
mod udp_abuse;

use super::Row;

/// Them.
pub const ROWS: &[Row] = &[
    descriptors::ROW,
    descriptors_udp::ROW,
    errors::ROW,
    errors::SPLICE,
    errors::TLS,
    memory::ROW,
    memory_tls::ROW,
    memory::UNIX,
    full::ROW,
    slowloris::TLS,
    slowloris::HTTP,
    slowloris::PROXY,
    syn_flood::ROW,
    greed::ADDRESS,
    greed::NETWORK,
    greed::RATE_ROW,
    many_clients::MANY,
    many_clients::COLLIDING,
    names::ROW,
    tls_flood::ROW,
    malformed_tls::ROW,
    proxy_abuse::ROW,
    udp_abuse::ROW,
    frames::ROW,
    http_shapes::ROW,
    starvation::ROW,
];
