//! Rows: TLS. The classic's words, and beside them one for each of its options.

use super::{
    Args, Fault, Number, Report, Scope, Spec, Switch, Target, number, off, on, optional_text,
    report, unusable,
};
use crate::ciphers::Ciphers;
use crate::command::{Command, Ssl};
use crate::config::{ClientCertificates, TlsOption};
use crate::limits::{SECONDS_MAX, TLS_ALPN_MAX, TLS_ALPN_NAME_MAX};
use crate::near::{hint, shown};

/// Options of the classic that switch off what is not there.
const OLD_OPTIONS: [&str; 4] = ["no_sslv2", "no_sslv3", "no_tlsv1", "no_tlsv1.1"];

pub(super) const ROWS: &[Spec] = &[
    Spec::new(
        "ssl_certificate",
        &["ssl_certificate [FILE [KEYFILE]] [json]", "no ssl_certificate"],
        Scope::Service,
        "the certificate: clients must speak TLS",
        certificate,
    )
    .no(|_| Ok(Command::Target(Target::SslCertificate, Some(None))))
    .json()
    .since("0.1.0")
    .manual(
        "The same as option -E. FILE is PEM: the certificate, then the certificates between it and \
         the authority, and the key if it is in no file of its own. With KEYFILE both are set at \
         once, as options -E and -K do. Open connections keep what they started with.",
    ),
    file("ssl_key", &["ssl_key [FILE] [json]", "no ssl_key"], "the certificate's key", |a| {
        set(a, Target::SslKey)
    })
    .no(|_| unset(Target::SslKey))
    .manual("The same as option -K. It must be a key without a passphrase."),
    file(
        "ssl_ca_file",
        &["ssl_ca_file [FILE] [json]", "no ssl_ca_file"],
        "certificate authorities",
        |a| set(a, Target::SslCaFile),
    )
    .no(|_| unset(Target::SslCaFile))
    .manual(
        "The same as option -G. Client certificates are verified by them, and the chain of the \
         certificate is completed from them.",
    ),
    file(
        "ssl_ca_dir",
        &["ssl_ca_dir [DIRECTORY] [json]", "no ssl_ca_dir"],
        "a directory of certificate authorities",
        |a| set(a, Target::SslCaDir),
    )
    .no(|_| unset(Target::SslCaDir))
    .manual(
        "The same as option -A: all PEM files of the directory, also one made by openssl rehash. \
         It is read at the start and on ssl_reload, not per client.",
    ),
    file("ssl_crl", &["ssl_crl [FILE] [json]", "no ssl_crl"], "revoked client certificates", |a| {
        set(a, Target::SslCrl)
    })
    .no(|_| unset(Target::SslCrl))
    .manual(
        "PEM or DER. With it every client certificate and those between it and the authority must \
         be spoken of by a list that has not expired.",
    ),
    Spec::new(
        "ssl_client_certificate",
        &["ssl_client_certificate off|optional|required"],
        Scope::Service,
        "whether clients must show a certificate",
        |a| {
            a.need_choice(&ClientCertificates::WORDS).map(|c| Command::Ssl(Ssl::Clients(c)))
        },
    )
    .since("0.1.0")
    .manual(
        "required is the same as option -R. off (the default) asks for none; optional asks, and a \
         certificate that is shown must be good. Without ssl_ca_file and ssl_ca_dir the \
         authorities of the system are trusted.",
    ),
    Spec::new(
        "ssl_ciphers",
        &["ssl_ciphers [LIST]", "no ssl_ciphers"],
        Scope::Service,
        "the ciphers, as a list of OpenSSL",
        |a| {
            let Some(word) = a.next() else { return Ok(Command::Ssl(Ssl::Ciphers(None))) };
            match Ciphers::parse(word.0) {
                Ok(list) => Ok(Command::Ssl(Ssl::Ciphers(Some(Some(list))))),
                Err(why) => Err(Fault::new(format!("{}: {why}", a.word), word.1)),
            }
        },
    )
    .no(|_| Ok(Command::Ssl(Ssl::Ciphers(Some(None)))))
    .manual(
        "Names and groups of OpenSSL (HIGH, ECDHE, AESGCM, CHACHA20, !AES128 ...). Groups mean \
         TLS 1.2; suites of TLS 1.3 are named one by one, and stay as they are if none is. What \
         Pen does not offer is passed over with a notice; a list that is left with nothing is an \
         error.",
    ),
    Spec::new(
        "ssl_option",
        &["ssl_option OPTION", "no ssl_option [OPTION]"],
        Scope::Service,
        "an option of TLS",
        |a| option(a, true),
    )
    .no(|a| match a.rest.len() {
        0 => Ok(Command::Ssl(Ssl::NoOptions)),
        _ => option(a, false),
    })
    .manual(
        "no_tlsv1.2, no_tlsv1.3 or cipher_server_preference (the order of ssl_ciphers counts). May \
         be repeated. no_sslv2, no_sslv3, no_tlsv1 and no_tlsv1.1 are accepted: nothing older than \
         TLS 1.2 is offered. no ssl_option takes all back.",
    ),
    file(
        "ssl_sni_path",
        &["ssl_sni_path [DIRECTORY] [json]", "no ssl_sni_path"],
        "certificates by server name",
        |a| set(a, Target::SslSniPath),
    )
    .since("0.34")
    .no(|_| unset(Target::SslSniPath))
    .manual(
        "The name N has its certificate in N.crt, its key in N.key or the same file, further \
         certificates of the chain in N.ca, and an OCSP response in N.ocsp. _.example.org (or \
         *.example.org) are the names one step below. A certificate also serves the names that it \
         holds. The directory is read at the start and on ssl_reload; a name that is not there gets \
         the certificate of ssl_certificate.",
    ),
    Spec::new(
        "ssl_sni_strict",
        &["ssl_sni_strict", "no ssl_sni_strict"],
        Scope::Service,
        "refuse clients that name no server or an unknown one",
        |_| Ok(on(Switch::SslSniStrict)),
    )
    .no(|_| Ok(off(Switch::SslSniStrict)))
    .since("0.1.0"),
    file(
        "ssl_ocsp_response",
        &["ssl_ocsp_response [FILE] [json]", "no ssl_ocsp_response"],
        "the certificate's OCSP response",
        |a| set(a, Target::SslOcspResponse),
    )
    .since("0.34")
    .no(|_| unset(Target::SslOcspResponse))
    .manual(
        "DER. It is given to clients that ask, as long as it is valid; a file that changes is read \
         again within a minute.",
    ),
    Spec::new(
        "ssl_alpn",
        &["ssl_alpn NAME ...", "no ssl_alpn"],
        Scope::Service,
        "the protocols to offer in TLS (ALPN)",
        alpn,
    )
    .no(|_| Ok(Command::Ssl(Ssl::Alpn(Vec::new()))))
    .since("0.1.0")
    .manual(
        "The preferred one first, for example h2 http/1.1: the servers must speak what is agreed. \
         A client that offers only others is refused.",
    ),
    Spec::new(
        "ssl_tickets",
        &["ssl_tickets", "no ssl_tickets"],
        Scope::Service,
        "clients may resume a session by a ticket",
        |_| Ok(on(Switch::SslTickets)),
    )
    .no(|_| Ok(off(Switch::SslTickets)))
    .since("0.1.0")
    .manual("On by default. The keys are changed every six hours and never leave the process."),
    Spec::new(
        "ssl_early_data",
        &["ssl_early_data", "no ssl_early_data"],
        Scope::Service,
        "take data with the first packet of a client that comes back",
        |_| Ok(on(Switch::SslEarlyData)),
    )
    .no(|_| Ok(off(Switch::SslEarlyData)))
    .since("0.1.0")
    .manual(
        "Off by default: such data can be recorded and sent again by others, so the servers must \
         stand requests that come twice. Sessions are then kept in memory instead of tickets.",
    ),
    Spec::new(
        "ssl_handshake_timeout",
        &["ssl_handshake_timeout [T]"],
        Scope::Service,
        "seconds a TLS handshake may take",
        |a| number(a, Number::SslHandshakeTimeout),
    )
    .json()
    .since("0.1.0")
    .manual(
        "No server is contacted before it has ended. With routes, also the seconds that the first \
         message of a handshake may take.",
    ),
    Spec::new(
        "ssl_handshakes_max",
        &["ssl_handshakes_max [N]"],
        Scope::Service,
        "unfinished TLS handshakes of the process",
        |a| number(a, Number::SslHandshakesMax),
    )
    .json()
    .since("0.1.0")
    .manual("Beyond, each new client takes the place of the one that is at it the longest."),
    Spec::new(
        "ssl_handshakes_per_client",
        &["ssl_handshakes_per_client [N]"],
        Scope::Service,
        "unfinished TLS handshakes of one client address",
        |a| number(a, Number::SslHandshakesPerClient),
    )
    .json()
    .since("0.1.0")
    .manual("Further ones are closed."),
    Spec::new(
        "ssl_client_renegotiation_interval",
        &["ssl_client_renegotiation_interval T"],
        Scope::Service,
        "accepted, no effect",
        |a| {
            let n = a.need_number("a number of seconds", 0, i64::from(SECONDS_MAX))?;
            Ok(Command::Void(format!("{} {n}", a.word), "clients cannot renegotiate"))
        },
    )
    .manual("Clients cannot renegotiate, so there is no interval."),
    Spec::new(
        "ssl_reload",
        &["ssl_reload"],
        Scope::Process,
        "read certificates and their companions again",
        |_| Ok(Command::ReloadTls),
    )
    .control_only()
    .since("0.1.0")
    .manual(
        "Files that have changed are read again, as on signal HUP. A certificate that is not right \
         stays as it was, and the reason is told. Open connections keep theirs.",
    ),
    Spec::new(
        "certificates",
        &["certificates [json]"],
        Scope::Process,
        "the certificates, and how long they last",
        |_| report(Report::Certificates),
    )
    .json()
    .control_only()
    .since("0.1.0"),
];

const fn file(
    word: &'static str,
    forms: &'static [&'static str],
    help: &'static str,
    read: super::Read,
) -> Spec {
    Spec::new(word, forms, Scope::Service, help, read).json().since("0.1.0")
}

fn set(args: &mut Args<'_>, which: Target) -> Result<Command, Fault> {
    Ok(Command::Target(which, optional_text(args).map(Some)))
}

fn unset(which: Target) -> Result<Command, Fault> {
    Ok(Command::Target(which, Some(None)))
}

fn certificate(args: &mut Args<'_>) -> Result<Command, Fault> {
    let Some(certificate) = optional_text(args) else {
        return Ok(Command::Target(Target::SslCertificate, None));
    };
    Ok(match optional_text(args) {
        Some(key) => Command::Ssl(Ssl::Pair(certificate, key)),
        None => Command::Target(Target::SslCertificate, Some(Some(certificate))),
    })
}

fn option(args: &mut Args<'_>, on: bool) -> Result<Command, Fault> {
    let word = args.need("the name of an option")?;
    if OLD_OPTIONS.contains(&word.0) {
        let text = format!("{} {}", args.word, word.0);
        return Ok(Command::Void(text, "nothing older than TLS 1.2 is offered"));
    }
    if let Some((_, option)) = TlsOption::WORDS.iter().find(|(name, _)| *name == word.0) {
        return Ok(Command::Ssl(Ssl::Option(*option, on)));
    }
    let names = TlsOption::WORDS.iter().map(|(name, _)| *name).chain(OLD_OPTIONS);
    Err(unusable(args, word, &format!("is not an option of TLS{}", hint(word.0, names))))
}

fn alpn(args: &mut Args<'_>) -> Result<Command, Fault> {
    let first = args.need("the name of a protocol")?;
    let mut names: Vec<String> = Vec::new();
    let words = std::iter::once(first).chain(args.rest.by_ref().copied());
    for (text, column) in words {
        for name in text.split(',').filter(|name| !name.is_empty()) {
            let fault = |why: String| Fault::new(format!("ssl_alpn: {why}"), column);
            if name.len() > TLS_ALPN_NAME_MAX {
                return Err(fault(format!(
                    "{} is longer than {TLS_ALPN_NAME_MAX} bytes",
                    shown(name)
                )));
            }
            if names.iter().any(|n| n == name) {
                return Err(fault(format!("{} is named twice", shown(name))));
            }
            if names.len() == TLS_ALPN_MAX {
                return Err(fault(format!(
                    "more than {TLS_ALPN_MAX} protocols at {}",
                    shown(name)
                )));
            }
            names.push(name.to_owned());
        }
    }
    match names.is_empty() {
        true => Err(unusable(args, first, "names no protocol")),
        false => Ok(Command::Ssl(Ssl::Alpn(names))),
    }
}
