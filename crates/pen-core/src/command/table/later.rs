//! Rows: what this build does not offer yet, and words that have lost their meaning.
//!
//! Switching off what is off is accepted. Settings of TLS are kept and written, because they have
//! no effect of their own; what would have an effect is refused.

use super::{Args, Fault, Scope, Spec, not_offered, unusable};
use crate::command::Command;
use crate::near::hint;

const SSL_OPTIONS: [&str; 6] =
    ["no_sslv2", "no_sslv3", "no_tlsv1", "no_tlsv1.1", "no_tlsv1.2", "cipher_server_preference"];

pub(super) const ROWS: &[Spec] = &[
    Spec::new("ssl_ciphers", &["ssl_ciphers LIST"], Scope::Service, "ciphers for TLS 1.2", |a| {
        ssl(a, "a list of ciphers")
    }),
    Spec::new("ssl_option", &["ssl_option OPTION"], Scope::Service, "an option of TLS", ssl_option)
        .manual(
            "no_sslv2, no_sslv3, no_tlsv1, no_tlsv1.1, no_tlsv1.2 or \
                 cipher_server_preference. May be repeated.",
        ),
    Spec::new(
        "ssl_client_renegotiation_interval",
        &["ssl_client_renegotiation_interval T"],
        Scope::Service,
        "seconds between renegotiations",
        |a| {
            let seconds = i64::from(crate::limits::SECONDS_MAX);
            let n = a.need_number("a number of seconds", 0, seconds)?;
            Ok(Command::Ssl(format!("{} {n}", a.word), false))
        },
    ),
    Spec::new(
        "ssl_sni_path",
        &["ssl_sni_path DIRECTORY"],
        Scope::Service,
        "certificates by server name",
        |a| ssl(a, "a directory"),
    ),
    Spec::new(
        "ssl_ocsp_response",
        &["ssl_ocsp_response FILE"],
        Scope::Service,
        "the certificate's OCSP response",
        |a| ssl(a, "a file"),
    ),
    Spec::new(
        "transparent",
        &["transparent", "no transparent"],
        Scope::Service,
        "connections to servers carry the client's address",
        |a| Err(not_offered(a, "transparent mode")),
    )
    .no(|_| Ok(Command::AlreadyOff)),
    Spec::new("dsr_if", &["dsr_if INTERFACE"], Scope::Service, "direct server return", |a| {
        Err(not_offered(a, "direct server return"))
    }),
    Spec::new("dsr_ip", &["dsr_ip ADDRESS"], Scope::Service, "direct server return", |a| {
        Err(not_offered(a, "direct server return"))
    })
    .hidden(),
    Spec::new(
        "tarpit_acl",
        &["tarpit_acl [N]"],
        Scope::Service,
        "the list of addresses that are a tarpit",
        |a| match a.next() {
            None | Some(("-1", _)) => Ok(Command::TarpitOff),
            Some(_) => Err(not_offered(a, "a tarpit")),
        },
    )
    .manual("-1 is off."),
    Spec::new("epoll", &["epoll"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("epoll"))
    })
    .hidden(),
    Spec::new("poll", &["poll"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("poll"))
    })
    .hidden(),
    Spec::new("select", &["select"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("select"))
    })
    .hidden(),
    Spec::new("kqueue", &["kqueue"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("kqueue"))
    })
    .hidden(),
    Spec::new("block", &["block", "no block"], Scope::Process, "old word, no effect", |_| {
        Ok(Command::Obsolete("block"))
    })
    .no(|_| Ok(Command::Obsolete("block")))
    .hidden(),
    Spec::new(
        "delayed_forward",
        &["delayed_forward", "no delayed_forward"],
        Scope::Process,
        "old word, no effect",
        |_| Ok(Command::Obsolete("delayed_forward")),
    )
    .no(|_| Ok(Command::Obsolete("delayed_forward")))
    .hidden(),
];

fn ssl(args: &mut Args<'_>, what: &str) -> Result<Command, Fault> {
    let (value, _) = args.need(what)?;
    Ok(Command::Ssl(format!("{} {value}", args.word), false))
}

fn ssl_option(args: &mut Args<'_>) -> Result<Command, Fault> {
    let word = args.need("the name of an option")?;
    if SSL_OPTIONS.contains(&word.0) {
        return Ok(Command::Ssl(format!("{} {}", args.word, word.0), true));
    }
    Err(unusable(args, word, &format!("is not an option of TLS{}", hint(word.0, SSL_OPTIONS))))
}
