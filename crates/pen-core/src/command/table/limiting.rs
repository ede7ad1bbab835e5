//! Rows: what one source may take of a service.

use super::{Number, Report, Scope, Spec, number, report};

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "limit_conn",
        &["limit_conn [N]"],
        Scope::Service,
        "connections or flows that one source may have at once",
        |a| number(a, Number::LimitConn),
    )
    .json()
    .since("0.1.0")
    .manual(
        "0 (the default) is any number. A source is an IPv4 address or a /64 network of IPv6, see \
         limit_prefix4 and limit_prefix6; clients on Unix sockets are never limited. A client beyond \
         the limit is reset at once, or its datagram dropped; the abuse server does not get it. Only \
         connections that are opened while a limit is set are counted. 100 is far more than a \
         browser opens; where many people share one address, as behind the address translation of a \
         company, allow as many as they need or exempt them with limit_exempt. Direct server return \
         is not limited: it keeps no connections.",
    ),
    Spec::new(
        "limit_rate",
        &["limit_rate [N]"],
        Scope::Service,
        "connections or flows per second that one source may open",
        |a| number(a, Number::LimitRate),
    )
    .json()
    .since("0.1.0")
    .manual(
        "0 (the default) is any number. After a rest a source may open limit_burst at once. What was \
         said for limit_conn holds here as well.",
    ),
    Spec::new(
        "limit_burst",
        &["limit_burst [N]"],
        Scope::Service,
        "connections or flows that one source may open at once after a rest",
        |a| number(a, Number::LimitBurst),
    )
    .json()
    .since("0.1.0")
    .manual("0 (the default) is as many as limit_rate."),
    Spec::new(
        "limit_prefix4",
        &["limit_prefix4 [N]"],
        Scope::Service,
        "bits of an IPv4 address that make a source",
        |a| number(a, Number::LimitPrefix4),
    )
    .json()
    .since("0.1.0")
    .manual("32 is the default. With other prefixes counting begins anew."),
    Spec::new(
        "limit_prefix6",
        &["limit_prefix6 [N]"],
        Scope::Service,
        "bits of an IPv6 address that make a source",
        |a| number(a, Number::LimitPrefix6),
    )
    .json()
    .since("0.1.0")
    .manual(
        "64 is the default: one user has at least such a network. Many sites are given 56 or 48. With \
         other prefixes counting begins anew.",
    ),
    Spec::new(
        "limit_exempt",
        &["limit_exempt [N]"],
        Scope::Service,
        "the access list whose clients are not limited",
        |a| number(a, Number::LimitExempt),
    )
    .json()
    .since("0.1.0")
    .manual(
        "1 to 9; 0 (the default) is nobody. Clients that the list permits may open as many as they \
         like. An empty list permits everybody, so fill it first.",
    ),
    Spec::new(
        "sources",
        &["sources [json]"],
        Scope::Service,
        "the sources with the most connections, and who was turned away by the limits",
        |_| report(Report::Sources),
    )
    .json()
    .control_only()
    .since("0.1.0")
    .manual("Counted while limit_conn or limit_rate is set."),
];
