//! Rows: what the sockets of a service are asked for.

use super::{Number, Scope, Spec, Switch, number, off, on, unusable};
use crate::command::words::{Args, number as number_in};
use crate::command::{Command, Fault, Word};
use crate::limits;
use crate::socket_options::Keepalive;

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "source",
        &["source ADDRESS", "no source"],
        Scope::Service,
        "connections to servers leave from this address",
        |a| a.need_word("an address").map(|w: Word| Command::Source(Some(w))),
    )
    .no(|_| Ok(Command::Source(None)))
    .manual(
        "The kernel chooses the port when it knows the server, so that one address serves as many \
         connections to each server as there are ports (net.ipv4.ip_local_port_range), and not in \
         all.",
    ),
    Spec::new(
        "transparent",
        &["transparent", "no transparent"],
        Scope::Service,
        "connections to servers carry the client's address",
        |_| Ok(on(Switch::Transparent)),
    )
    .no(|_| Ok(off(Switch::Transparent)))
    .manual(
        "Servers see the client's address, with a port of Pen's choice, in place of Pen's \
         (IP_TRANSPARENT, IPV6_TRANSPARENT). What they answer must come back through the machine of \
         Pen, which must hand it to Pen; docs/transparent.md has the commands, pen --check --live says what is missing. Needs the capability CAP_NET_RAW, which Pen keeps when it becomes the user of \
         -u if a service is transparent then; if that comes later, Pen must be started again. A server \
         of the other family (IPv4, IPv6) is passed over, and a client of a Unix socket finds no server: \
         never is another address shown, unless transparent_fallback permits it. source wins over \
         transparent; idlers exclude it.",
    ),
    Spec::new(
        "transparent_fallback",
        &["transparent_fallback", "no transparent_fallback"],
        Scope::Service,
        "where the client's address cannot be carried, servers see Pen's own",
        |_| Ok(on(Switch::TransparentFallback)),
    )
    .no(|_| Ok(off(Switch::TransparentFallback)))
    .since("0.1.0")
    .manual(
        "Only with transparent. Without it such a connection is refused and the log says why: a \
         server that trusts addresses must not be shown a wrong one.",
    ),
    Spec::new(
        "tcp_nodelay",
        &["tcp_nodelay", "no tcp_nodelay"],
        Scope::Service,
        "send small segments at once",
        |_| Ok(on(Switch::TcpNodelay)),
    )
    .no(|_| Ok(off(Switch::TcpNodelay)))
    .manual(
        "Without it Pen asks for the same where it matters: before the second write of a direction, \
         because the sender has decided when its bytes go. What a connection with one request and \
         one answer saves is two system calls.",
    ),
    Spec::new(
        "keepalive",
        &["keepalive [idle T] [interval T] [count N]", "no keepalive"],
        Scope::Service,
        "let the kernel probe quiet connections",
        |a| keepalive(a).map(|k| Command::Keepalive(Some(k))),
    )
    .no(|_| Ok(Command::Keepalive(None)))
    .manual(
        "On both sides. After idle seconds without a byte there is a probe every interval seconds; \
         after count of them without an answer the connection is reset. What is not named is the \
         kernel's (net.ipv4.tcp_keepalive_time, _intvl, _probes: 2 hours, 75 seconds, 9). Open \
         connections keep what they have.",
    ),
    Spec::new(
        "user_timeout",
        &["user_timeout [T]", "no user_timeout"],
        Scope::Service,
        "seconds that sent bytes may stay unacknowledged before the connection is reset",
        |a| number(a, Number::UserTimeout),
    )
    .no(|_| Ok(Command::Number(Number::UserTimeout, Some(0))))
    .json()
    .since("0.1.0")
    .manual(
        "On both sides (TCP_USER_TIMEOUT). 0, the default, leaves it to the kernel, which tries for \
         about 15 minutes. It finds an other end that has vanished while bytes are under way, as \
         keepalive does while there are none. Open connections keep what they have.",
    ),
    Spec::new(
        "defer_accept",
        &["defer_accept [T]", "no defer_accept"],
        Scope::Service,
        "seconds for which a client that says nothing is not accepted",
        |a| number(a, Number::DeferAccept),
    )
    .no(|_| Ok(Command::Number(Number::DeferAccept, Some(0))))
    .json()
    .since("0.1.0")
    .manual(
        "Such a client costs Pen nothing and no server a connection (TCP_DEFER_ACCEPT). When the \
         time is over the kernel, which rounds it up to its own steps (1, 3, 7, 15 ... seconds), hands the client out if it \
         still answers. 0, the default, is off. Not for services whose server speaks first \
         (smtp, ssh, mysql): their clients would wait that long.",
    ),
    Spec::new(
        "rcvbuf",
        &["rcvbuf [BYTES]", "no rcvbuf"],
        Scope::Service,
        "size of the kernel's receive buffers",
        |a| number(a, Number::Rcvbuf),
    )
    .no(|_| Ok(Command::Number(Number::Rcvbuf, Some(0))))
    .json()
    .since("0.1.0")
    .manual(
        "Of both sides of new connections. 0, the default, leaves it to the kernel, whose buffers \
         grow as they are needed (net.ipv4.tcp_rmem); a fixed one does not grow any more and bounds \
         what a slow reader on the other side holds. The kernel caps it at net.core.rmem_max, and \
         Pen says so.",
    ),
    Spec::new(
        "sndbuf",
        &["sndbuf [BYTES]", "no sndbuf"],
        Scope::Service,
        "size of the kernel's send buffers",
        |a| number(a, Number::Sndbuf),
    )
    .no(|_| Ok(Command::Number(Number::Sndbuf, Some(0))))
    .json()
    .since("0.1.0")
    .manual("As rcvbuf, with net.ipv4.tcp_wmem and net.core.wmem_max."),
    Spec::new(
        "congestion",
        &["congestion [NAME]", "no congestion"],
        Scope::Service,
        "the congestion control of new connections",
        |a| match a.next() {
            None => Ok(Command::Congestion(None)),
            Some(word) if is_name(word.0) => Ok(Command::Congestion(Some(Some(word.0.to_owned())))),
            Some(word) => Err(unusable(a, word, "is not the name of a congestion control")),
        },
    )
    .no(|_| Ok(Command::Congestion(Some(None))))
    .json()
    .since("0.1.0")
    .manual(
        "On both sides, for example bbr. One that the kernel does not offer to Pen's user is an \
         error that names those it does (net.ipv4.tcp_allowed_congestion_control). Without it the \
         kernel's (net.ipv4.tcp_congestion_control).",
    ),
    Spec::new(
        "freebind",
        &["freebind", "no freebind"],
        Scope::Service,
        "listen on addresses that the machine does not have yet",
        |_| Ok(on(Switch::Freebind)),
    )
    .no(|_| Ok(off(Switch::Freebind)))
    .since("0.2.0")
    .manual(
        "For one of a pair of machines between which an address moves (IP_FREEBIND, IPV6_FREEBIND; TCP and \
         UDP; needs no right): Pen listens from its start on, and clients are served as soon as an \
         interface has the address. Off by default, because a mistyped address could not be told from \
         one that is to come; with it Pen says at the start which addresses are not there, and pen \
         --check --live does. Stands before the listen it is for, or comes with it in a file. It is looked at \
         when a listener is opened; one that is open stays when its address leaves, with or without it.",
    ),
    Spec::new(
        "mptcp",
        &["mptcp", "no mptcp"],
        Scope::Service,
        "take clients that speak Multipath TCP",
        |_| Ok(on(Switch::Mptcp)),
    )
    .no(|_| Ok(off(Switch::Mptcp)))
    .since("0.1.0")
    .manual(
        "Listeners speak Multipath TCP; clients that do not are served as before. Connections to \
         servers are TCP. Where the kernel has none (net.mptcp.enabled) Pen says so and listens with \
         TCP. An address that is listened on stays as it is until it is opened anew (by no listen \
         and listen, or the next start); Pen says so.",
    ),
];

fn keepalive(args: &mut Args<'_>) -> Result<Keepalive, Fault> {
    let mut wanted = Keepalive::default();
    while let Some(word) = args.next() {
        let (place, high) = match word.0 {
            "idle" => (&mut wanted.idle_s, limits::KEEPALIVE_MAX_S),
            "interval" => (&mut wanted.interval_s, limits::KEEPALIVE_MAX_S),
            "count" => (&mut wanted.count, limits::KEEPALIVE_COUNT_MAX),
            _ => return Err(unusable(args, word, "is none of idle, interval, count")),
        };
        let Some(value) = args.next() else {
            return Err(unusable(args, word, &format!("needs a number (1 to {high})")));
        };
        let value = number_in(args.word, value, 1, i64::from(high))?;
        *place = u32::try_from(value).ok();
    }
    Ok(wanted)
}

fn is_name(word: &str) -> bool {
    (1..=limits::CONGESTION_NAME_MAX).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
